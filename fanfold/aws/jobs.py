"""The Jobs table: one item per job, and one per object that says which job of it is the newest.

Events arrive more than once and in any order, so every write is a conditional update: it lands, or it
finds that something later already has.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from fanfold.aws.faults import code, translated
from fanfold.errors import FanfoldError, Superseded, TransientError
from fanfold.job import Job

KEEP_S = 90 * 24 * 3600
"""How long a job's item is kept: as long as Step Functions keeps an execution's history."""

STATUSES = ("PENDING", "RUNNING", "SUCCEEDED", "PARTIAL", "FAILED", "IGNORED")
"""The statuses of a job, as it goes through them."""

SEQUENCER_WIDTH = 64

_write = TypeSerializer().serialize
_read = TypeDeserializer().deserialize


def _item(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _write(_exact(value)) for name, value in values.items()}


def _exact(value: Any) -> Any:
    """Return a value with its floats as the decimals that they are written as: DynamoDB takes no others."""
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, dict):
        return {name: _exact(inner) for name, inner in value.items()}
    return [_exact(inner) for inner in value] if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    """Return DynamoDB's value with whole numbers as int and sets as sorted lists, for JSON."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | set):
        return [_plain(inner) for inner in (sorted(value) if isinstance(value, set) else value)]
    return value


def _values(item: dict[str, Any]) -> dict[str, Any]:
    return {name: _plain(_read(value)) for name, value in item.items()}


def padded(sequencer: str) -> str:
    """Return a sequencer that compares as text: S3 pads the shorter one with zeros on its right.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    """
    return sequencer.upper().ljust(SEQUENCER_WIDTH, "0")


@dataclass(frozen=True, slots=True)
class Filters:
    """Which jobs are asked for; what is empty asks for nothing."""

    status: str = ""
    kind: str = ""
    recipe: str = ""
    text: str = ""
    """A part of the object's key, or of the job's id."""

    def expression(self) -> tuple[str, dict[str, str], dict[str, str]]:
        """Return DynamoDB's filter with its names and values; empty where all jobs pass."""
        equal = {name: value for name in ("status", "kind", "recipe") if (value := getattr(self, name))}
        terms = [f"#{name} = :{name}" for name in equal]
        names = {f"#{name}": name for name in equal}
        values = {f":{name}": value for name, value in equal.items()}
        if self.text:
            terms.append("(contains(#source.#key, :text) OR begins_with(#job, :text))")
            names |= {"#source": "source", "#key": "key", "#job": "job"}
            values[":text"] = self.text
        return " AND ".join(terms), names, values


@dataclass(frozen=True, slots=True)
class Jobs:
    """The Jobs table of one stack."""

    client: Any
    table: str

    def _update(self, key: dict[str, str], what: str, **expression: Any) -> dict[str, Any] | None:
        """Update one item; return None where its condition did not hold."""
        names = expression.pop("names", {})
        values = expression.pop("values", {})
        with translated(f"writing {what} to the Jobs table"):
            try:
                answer = self.client.update_item(
                    TableName=self.table,
                    Key=_item(key),
                    ReturnValues="ALL_NEW",
                    **({"ExpressionAttributeNames": names} if names else {}),
                    **({"ExpressionAttributeValues": _item(values)} if values else {}),
                    **expression,
                )
            except ClientError as error:
                if code(error) == "ConditionalCheckFailedException":
                    return None
                raise
        return _values(answer["Attributes"])

    def _get(self, key: dict[str, str]) -> dict[str, Any]:
        with translated("reading the Jobs table"):
            answer = self.client.get_item(TableName=self.table, Key=_item(key), ConsistentRead=True)
        return _values(answer.get("Item", {}))

    def arrive(self, job: Job) -> bool:
        """Note a version of an object; return False where a newer one is known already."""
        newest = self._update(
            _object_key(job),
            f"the arrival of {job.source.uri}",
            UpdateExpression="SET sequencer = :sequencer, job = :job, version = :version, etag = :etag",
            ConditionExpression="attribute_not_exists(sequencer) OR sequencer <= :sequencer",
            values={
                ":sequencer": padded(job.sequencer),
                ":job": job.id,
                ":version": job.source.version,
                ":etag": job.source.etag,
            },
        )
        return newest is not None

    def begin(self, job: Job) -> None:
        """Record a job before its execution starts; what is known of it already stays."""
        now = _now()
        self._update(
            _job_key(job.id),
            f"job {job.id}",
            UpdateExpression=(
                "SET job = :job, listing = :listing, started = if_not_exists(started, :now), kind = :kind, "
                "recipe = :recipe, #source = :source, sequencer = :sequencer, expires = :expires, "
                "#status = if_not_exists(#status, :pending)"
            ),
            names={"#source": "source", "#status": "status"},
            values=_described(job) | {":now": now, ":pending": "PENDING", ":kind": job.kind},
        )

    def ignore(self, job: Job, why: FanfoldError) -> None:
        """Record that an object is no work, and why; a job that has run stays as it is."""
        self._update(
            _job_key(job.id),
            f"job {job.id}",
            UpdateExpression=(
                "SET job = :job, listing = :listing, started = :now, stopped = :now, recipe = :recipe, "
                "#source = :source, sequencer = :sequencer, expires = :expires, #status = :ignored, #error = :error"
            ),
            ConditionExpression="attribute_not_exists(#status) OR #status = :ignored",
            names={"#source": "source", "#status": "status", "#error": "error"},
            values=_described(job)
            | {
                ":now": _now(),
                ":ignored": "IGNORED",
                ":error": {"name": type(why).__name__, "message": str(why), "remedy": why.remedy},
            },
        )

    def planned(self, job: Job, chunks: int) -> None:
        """Record how many chunks a job was split into."""
        self._update(
            _job_key(job.id),
            f"the plan of job {job.id}",
            UpdateExpression="SET planned = :chunks",
            values={":chunks": chunks},
        )

    def status(self, job_id: str, status: str, order: str, **facts: Any) -> bool:
        """Record an execution's status; return False where a later status is known already.

        order: text that grows with the executions of a job, their redrives and their statuses.
        """
        names = {f"#{name}": name for name in facts} | {"#status": "status", "#order": "order"}
        values: dict[str, Any] = {f":{name}": value for name, value in facts.items()}
        sets = ", ".join(f"#{name} = :{name}" for name in (*facts, "status", "order"))
        # A run that goes on again has not stopped yet, and whatever failed before is being mended.
        gone = [name for name in ("stopped", "error") if name not in facts]
        names |= {f"#{name}": name for name in gone}
        removes = f" REMOVE {', '.join(f'#{name}' for name in gone)}" if gone else ""
        found = self._update(
            _job_key(job_id),
            f"the status of job {job_id}",
            UpdateExpression=f"SET {sets}{removes}",
            ConditionExpression="attribute_exists(pk) AND (attribute_not_exists(#order) OR #order <= :order)",
            names=names,
            values=values | {":status": status, ":order": order},
        )
        return found is not None

    def reopen(self, job_id: str, order: str) -> None:
        """Show a job that is being replayed as pending, unless an event of the replay came first.

        order: that of the last status that was recorded before the replay. An event of before that is delivered
        once more is out of order from here on.
        """
        self._update(
            _job_key(job_id),
            f"the replay of job {job_id}",
            UpdateExpression="SET #status = :pending, #order = :reopened REMOVE stopped, #error",
            ConditionExpression="#order = :order",
            names={"#status": "status", "#error": "error", "#order": "order"},
            values={":pending": "PENDING", ":order": order, ":reopened": f"{order}~"},
        )

    def claim(self, job: Job, seconds: float) -> None:
        """Take or renew the right to publish for an object, for `seconds`.

        Raises Superseded if a newer version is known, and TransientError while another job holds it.
        """
        now = time.time()
        held = self._update(
            _object_key(job),
            f"the right to publish {job.source.uri}",
            UpdateExpression="SET holder = :job, held_until = :until",
            ConditionExpression=(
                "(attribute_not_exists(sequencer) OR sequencer <= :sequencer) AND "
                "(attribute_not_exists(holder) OR holder = :job OR held_until < :now)"
            ),
            values={
                ":job": job.id,
                ":until": Decimal(str(now + seconds)),
                ":now": Decimal(str(now)),
                ":sequencer": padded(job.sequencer),
            },
        )
        if held is not None:
            return
        known = self._get(_object_key(job))
        if known.get("sequencer", "") > padded(job.sequencer):
            raise Superseded(f"{job.source.uri} has a newer version, which job {known['job']} processes")
        raise TransientError(f"job {known.get('holder')} is publishing an older version of {job.source.uri}")

    def take_turn(self, job: Job) -> int:
        """Return the number of this job's turn at the records of its object; the holder of the right to publish asks.

        A turn lasts until another job of the object takes one: what was written in an earlier turn may have been
        written over since, or deleted. Raises TransientError where another job holds the right.
        """
        known = self._update(
            _object_key(job),
            f"the turn of job {job.id}",
            UpdateExpression="SET turn_of = :job, turn = if_not_exists(turn, :none) + :one",
            ConditionExpression="holder = :job AND (attribute_not_exists(turn_of) OR turn_of <> :job)",
            values={":job": job.id, ":none": 0, ":one": 1},
        ) or self._get(_object_key(job))
        if known.get("turn_of") != job.id or known.get("holder") != job.id:
            raise TransientError(f"job {known.get('holder')} is publishing {job.source.uri}")
        return int(known["turn"])

    def published(self, job: Job) -> None:
        """Note that the outputs of an object are this job's, and give the right to publish back."""
        self._update(
            _object_key(job),
            f"the publication of {job.source.uri}",
            UpdateExpression="SET published = :job, published_sequencer = :sequencer REMOVE holder, held_until",
            ConditionExpression="holder = :job",
            values={":job": job.id, ":sequencer": padded(job.sequencer)},
        )

    def release(self, job: Job) -> None:
        """Give the right to publish back, if this job holds it."""
        self._update(
            _object_key(job),
            f"the right to publish {job.source.uri}",
            UpdateExpression="REMOVE holder, held_until",
            ConditionExpression="holder = :job",
            values={":job": job.id},
        )

    def of_object(self, bucket: str, key: str) -> dict[str, Any]:
        """Return what is known of an object: its newest job, and the one whose outputs stand; empty if nothing is."""
        return self._get({"pk": f"object#{bucket}/{key}", "sk": "object"})

    def get(self, job_id: str) -> dict[str, Any]:
        """Return a job's item, empty where there is none."""
        return self._get({"pk": f"job#{job_id}", "sk": "job"})

    def newest(self) -> Iterator[dict[str, Any]]:
        """Yield the items of all jobs, the latest started first."""
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            IndexName="listing",
            KeyConditionExpression="listing = :jobs",
            ExpressionAttributeValues=_item({":jobs": "jobs"}),
            ScanIndexForward=False,
        )
        with translated("reading the Jobs table"):
            for page in pages:
                yield from map(_values, page["Items"])

    def page(
        self, count: int, filters: Filters, after: tuple[str, str] | None = None, *, backwards: bool = False
    ) -> tuple[list[dict[str, Any]], bool]:
        """Return up to `count` items that pass, the latest started first, and whether there are more behind them.

        after: `started` and id of the job that the page begins behind; None: from the latest on. backwards: the page
        ends before that job instead, and the answer says whether there are more before it.
        """
        condition, names, values = filters.expression()
        request: dict[str, Any] = {
            "TableName": self.table,
            "IndexName": "listing",
            "KeyConditionExpression": "listing = :jobs",
            "ExpressionAttributeValues": _item({":jobs": "jobs", **values}),
            "ScanIndexForward": backwards,
        }
        if condition:
            request |= {"FilterExpression": condition, "ExpressionAttributeNames": names}
        else:
            request["Limit"] = count + 1
        if after:
            request["ExclusiveStartKey"] = _item({"listing": "jobs", "started": after[0], **_job_key(after[1])})
        found: list[dict[str, Any]] = []
        with translated("reading the Jobs table"):
            while len(found) <= count:
                answer = self.client.query(**request)
                found += map(_values, answer["Items"])
                if "LastEvaluatedKey" not in answer:
                    break
                request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        kept = found[:count]
        return (kept[::-1] if backwards else kept), len(found) > count


def _job_key(job_id: str) -> dict[str, str]:
    return {"pk": f"job#{job_id}", "sk": "job"}


def _object_key(job: Job) -> dict[str, str]:
    return {"pk": f"object#{job.source.bucket}/{job.source.key}", "sk": "object"}


def _described(job: Job) -> dict[str, Any]:
    source = job.source
    return {
        ":job": job.id,
        ":listing": "jobs",
        ":recipe": job.recipe_name,
        ":source": {
            "bucket": source.bucket,
            "key": source.key,
            "bytes": source.size_bytes,
            "etag": source.etag,
            "version": source.version_id,
        },
        ":sequencer": job.sequencer,
        ":expires": int(time.time()) + KEEP_S,
    }


def _now() -> str:
    """Return the time as ISO 8601 in UTC, to the millisecond: it sorts as text."""
    now = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03}Z"
