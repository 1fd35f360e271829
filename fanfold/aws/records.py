"""The Records table: one item per record, under a key that any retry writes again.

An item's row stands in a map of its own, so that no column can collide with a key. A record of an older
version of its object is never answered by `query`, and is deleted once the newer version is published.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from fanfold.aws.faults import code, translated
from fanfold.aws.jobs import Jobs, padded
from fanfold.aws.ledger import RecordKey
from fanfold.errors import InvalidInput, TransientError
from fanfold.job import Job, place
from fanfold.model import Json, Record

BATCH = 25
"""Items in one BatchWriteItem, DynamoDB's limit."""

PARTITION_LIMIT_BYTES, SORT_LIMIT_BYTES = 2048, 1024
"""DynamoDB's limits on keys (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html)."""

READ_BATCH = 100
"""Items in one BatchGetItem, DynamoDB's limit."""

_WRITTEN_BY: dict[str, Any] = {"ProjectionExpression": "pk, sk, #job", "ExpressionAttributeNames": {"#job": "job"}}

WRITES_AT_ONCE = 8
ATTEMPTS = 8

_write = TypeSerializer().serialize
_read = TypeDeserializer().deserialize

Item = dict[str, Any]


def _storable(value: Json) -> Json:
    """Return a value as DynamoDB can hold it: numbers exact, and what is no number as text."""
    if isinstance(value, float):
        return Decimal(repr(value)) if math.isfinite(value) else repr(value)
    if isinstance(value, Mapping):
        return {name: _storable(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(inner) for inner in value]
    return value


def partition_key(recipe: str, value: str) -> str:
    """Return the partition key of the records of one recipe and value."""
    return f"record#{recipe}#{value}"


def record_key(job: Job, record: Record) -> RecordKey:
    """Return where a record is kept; raise InvalidInput where its key is too long."""
    partition = partition_key(job.recipe_name, record.partition)
    sort = f"{place(job.source)}#{record.ordinal:012}" if record.sort is None else record.sort
    for name, value, limit in (("pk", partition, PARTITION_LIMIT_BYTES), ("sk", sort, SORT_LIMIT_BYTES)):
        if (size := len(value.encode())) > limit:
            raise InvalidInput(f"record {record.ordinal} has a {name} of {size} bytes; DynamoDB's limit is {limit}")
    return partition, sort


def item(job: Job, record: Record) -> Item:
    """Return a record as a DynamoDB item; raise InvalidInput where its key is too long."""
    partition, sort = record_key(job, record)
    values = {
        "pk": partition,
        "sk": sort,
        "job": job.id,
        "object": f"{job.source.bucket}/{job.source.key}",
        "sequencer": padded(job.sequencer),
        "ordinal": record.ordinal,
        "row": _storable(record.attributes),
        "totals": [list(total) for total in record.totals],
    }
    return {name: _write(value) for name, value in values.items()}


@dataclass(frozen=True, slots=True)
class Records:
    """The Records table of one stack."""

    client: Any
    table: str

    def write(self, job: Job, records: Iterable[Record]) -> int:
        """Write records; return how many. Of two with equal keys the later one in the object stays.

        Raises TransientError where DynamoDB keeps refusing some for want of capacity.
        """
        count = 0
        remaining = iter(records)
        with ThreadPoolExecutor(WRITES_AT_ONCE) as pool:
            while window := list(islice(remaining, BATCH * WRITES_AT_ONCE * 4)):
                count += len(window)
                # A key made of the row's place is the row's alone; a key that the data names may recur.
                own = [item(job, record) for record in window if record.sort is None]
                shared = [item(job, record) for record in window if record.sort is not None]
                batches = [own[start : start + BATCH] for start in range(0, len(own), BATCH)]
                list(pool.map(self._put_batch, batches))
                list(pool.map(self._put_unless_later, shared))
        return count

    def _put_batch(self, items: list[Item]) -> None:
        requests = {self.table: [{"PutRequest": {"Item": made}} for made in items]}

        def attempt() -> bool:
            nonlocal requests
            requests = self.client.batch_write_item(RequestItems=requests).get("UnprocessedItems", {})
            return not requests

        self._until_done(attempt, f"{len(items)} records")

    def _put_unless_later(self, made: Item) -> None:
        """Put an item unless the same object, or a newer version of it, put a later row under its key."""
        try:
            with translated(f"writing a record to {self.table}"):
                self.client.put_item(
                    TableName=self.table,
                    Item=made,
                    ConditionExpression=(
                        "attribute_not_exists(pk) OR #object <> :object OR sequencer < :sequencer OR "
                        "(sequencer = :sequencer AND ordinal <= :ordinal)"
                    ),
                    ExpressionAttributeNames={"#object": "object"},
                    ExpressionAttributeValues={f":{name}": made[name] for name in ("object", "sequencer", "ordinal")},
                )
        except ClientError as error:
            if code(error) != "ConditionalCheckFailedException":
                raise

    def sweep(self, job_id: str, keys: Sequence[RecordKey]) -> int:
        """Delete the records at these keys that a job wrote and no later one wrote over; return how many.

        Raises TransientError where DynamoDB keeps refusing to read some for want of capacity.
        """
        batches = [keys[start : start + READ_BATCH] for start in range(0, len(keys), READ_BATCH)]
        with ThreadPoolExecutor(WRITES_AT_ONCE) as pool:
            return sum(pool.map(lambda batch: self._sweep_batch(job_id, batch), batches))

    def _sweep_batch(self, job_id: str, keys: Sequence[RecordKey]) -> int:
        asked = [{"pk": _write(partition), "sk": _write(sort)} for partition, sort in dict.fromkeys(keys)]
        requests = {self.table: {"Keys": asked, **_WRITTEN_BY}}
        left: list[dict[str, Any]] = []

        def attempt() -> bool:
            nonlocal requests
            answer = self.client.batch_get_item(RequestItems=requests)
            left.extend(found for found in answer["Responses"].get(self.table, ()) if found["job"]["S"] == job_id)
            requests = answer.get("UnprocessedKeys", {})
            return not requests

        self._until_done(attempt, f"{len(asked)} records")
        return sum(self._delete(job_id, found) for found in left)

    def _delete(self, job_id: str, found: Mapping[str, Any]) -> bool:
        try:
            with translated(f"deleting a record of {self.table}"):
                self.client.delete_item(
                    TableName=self.table,
                    Key={"pk": found["pk"], "sk": found["sk"]},
                    ConditionExpression="#job = :job",
                    ExpressionAttributeNames={"#job": "job"},
                    ExpressionAttributeValues={":job": _write(job_id)},
                )
        except ClientError as error:
            if code(error) != "ConditionalCheckFailedException":
                raise
            return False
        return True

    def _until_done(self, attempt: Callable[[], bool], what: str) -> None:
        for number in range(ATTEMPTS):
            with translated(f"writing {what} to {self.table}"):
                if attempt():
                    return
            time.sleep(random.uniform(0, min(5.0, 0.05 * 2**number)))  # noqa: S311 - jitter is no secret
        raise TransientError(f"{self.table} still refused some of {what} after {ATTEMPTS} attempts")

    def query(self, jobs: Jobs, recipe: str, value: str) -> Iterator[dict[str, Any]]:
        """Yield the rows under one value of the recipe's partition column, in the order of their sort keys."""
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": _write(partition_key(recipe, value))},
        )
        published: dict[str, dict[str, Any]] = {}
        with translated(f"reading {self.table}"):
            for page in pages:
                for found in page["Items"]:
                    values = {name: _read(cell) for name, cell in found.items()}
                    name = values["object"]
                    if name not in published:
                        published[name] = jobs.of_object(*name.split("/", 1))
                    if _stands(values, published[name]):
                        yield values["row"]


def _stands(values: dict[str, Any], known: dict[str, Any]) -> bool:
    """Tell whether a record is of the published job of its object, or of a newer version that is being written."""
    newest = known.get("published_sequencer", "")
    return bool(values["job"] == known.get("published") or values["sequencer"] > newest)
