"""The Records table: one item per record, under a key that any retry writes again.

An item's row stands in a map of its own, so that no column can collide with a key. A record by word has a partition
of its own kind, so that no value can collide with a word. A record of an older
version of its object is never answered by `query`, and is deleted once the newer version is published.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from fanfold.aws.faults import code, translated
from fanfold.aws.jobs import Jobs, padded
from fanfold.aws.ledger import RecordKey
from fanfold.aws.wire import Wire
from fanfold.errors import InvalidInput, TransientError
from fanfold.items import PARTITION_LIMIT_BYTES, SORT_LIMIT_BYTES, is_number
from fanfold.job import Job, place
from fanfold.model import Json, Record
from fanfold.words import words

BATCH = 25
"""Items in one BatchWriteItem, DynamoDB's limit."""

SLICE, SLICE_BYTES = 10_000, 16 << 20
"""How many records are announced at once at most, and about how many bytes of them."""

READ_BATCH = 100
"""Items in one BatchGetItem, DynamoDB's limit."""

WRITES_AT_ONCE = 8
SWEEPS_AT_ONCE = 8
ATTEMPTS = 12
PAUSE_S, LONGEST_PAUSE_S = 0.05, 5.0

Announce = Callable[[Sequence[RecordKey]], None]

_write = TypeSerializer().serialize
_read = TypeDeserializer().deserialize


RECORDS = "record#"
"""How the partition keys of all records begin; nothing else in the table does."""


def partition_key(recipe: str, value: str) -> str:
    """Return the partition key of the records of one recipe and value."""
    return f"{RECORDS}{recipe}#{value}"


def marshalled(value: Json) -> dict[str, Any]:
    """Return a value as DynamoDB's JSON has it: numbers exact, and what it cannot hold as a number as text."""
    kind = type(value)
    if kind is str:
        return {"S": value}
    if kind is bool:
        return {"BOOL": value}
    if kind is int:
        return {"N": str(value)}
    if kind is float:
        return {"N" if is_number(value) else "S": repr(value)}
    if value is None:
        return {"NULL": True}
    if kind is dict:
        return {"M": {name: marshalled(inner) for name, inner in value.items()}}
    if isinstance(value, list | tuple):
        return {"L": [marshalled(inner) for inner in value]}
    if isinstance(value, Decimal) and value.is_finite():
        return {"N": str(value)}
    if isinstance(value, Mapping):
        return marshalled(dict(value))
    return {"S": str(value)}


def word_key(recipe: str, word: str) -> str:
    """Return the partition key of the records of one recipe that a word finds."""
    return f"word#{recipe}#{word}"


class Marshal:
    """Makes the items of one job, as the bytes that go over the wire."""

    def __init__(self, job: Job) -> None:
        import orjson

        self._dumps = orjson.dumps
        self._recipe = partition_key(job.recipe_name, "")
        self._words = word_key(job.recipe_name, "")
        self._object_key = job.source.key
        self._place = f"{place(job.source)}#"
        common = {
            "job": job.id,
            "object": f"{job.source.bucket}/{job.source.key}",
            "sequencer": padded(job.sequencer),
        }
        fields = orjson.dumps({name: {"S": value} for name, value in common.items()})
        self._common = fields[1:-1]

    def key(self, record: Record) -> RecordKey:
        """Return where a record is kept; raise InvalidInput where its key is too long."""
        partition = self._recipe + (record.partition or self._object_key)
        if record.word:
            partition = self._words + record.word
        sort = f"{self._place}{record.ordinal:012}" if record.sort is None else record.sort
        if len(partition) + len(sort) > SORT_LIMIT_BYTES // 4:  # no character has more than 4 bytes
            for name, value, limit in (("pk", partition, PARTITION_LIMIT_BYTES), ("sk", sort, SORT_LIMIT_BYTES)):
                if (size := len(value.encode())) > limit:
                    raise InvalidInput(
                        f"record {record.ordinal} has a {name} of {size} bytes; DynamoDB's limit is {limit}"
                    )
        return partition, sort

    def item(self, key: RecordKey, record: Record) -> bytes:
        """Return the JSON of a record's item."""
        dumps = self._dumps
        row = dumps(
            {
                name: {"S": value} if type(value) is str else marshalled(value)
                for name, value in record.attributes.items()
            }
        )
        added = [{"L": [{"S": total}, {"S": by}, {"N": str(amount)}]} for total, by, amount in record.totals]
        totals = dumps({"L": added}) if added else b'{"L":[]}'
        return b'{"pk":{"S":%b},"sk":{"S":%b},%b,"ordinal":{"N":"%d"},"row":{"M":%b},"totals":%b}' % (
            dumps(key[0]),
            dumps(key[1]),
            self._common,
            record.ordinal,
            row,
            totals,
        )


@dataclass(frozen=True, slots=True)
class Records:
    """The Records table of one stack."""

    client: Any
    table: str
    wire: Wire

    def write(self, job: Job, records: Iterable[Record], announce: Announce = lambda keys: None) -> int:
        """Write records; return how many. Of two with equal keys the later one given stays.

        announce: told the keys of every some thousand records before they are written.
        Raises TransientError where DynamoDB keeps refusing some for want of capacity.
        """
        marshal = Marshal(job)
        items: dict[RecordKey, bytes] = {}
        count = size = 0
        for record in records:
            key = marshal.key(record)
            items[key] = made = marshal.item(key, record)
            count += 1
            size += len(made)
            if len(items) == SLICE or size >= SLICE_BYTES:
                self._write_all(items, announce)
                items, size = {}, 0
        self._write_all(items, announce)
        return count

    def _write_all(self, made: Mapping[RecordKey, bytes], announce: Announce) -> None:
        if not made:
            return
        announce(list(made))
        items = list(made.values())
        on_their_way: deque[Callable[[], None]] = deque()
        for start in range(0, len(items), BATCH):
            if len(on_their_way) == WRITES_AT_ONCE:
                on_their_way.popleft()()
            on_their_way.append(self._writing(items[start : start + BATCH]))
        for finish in on_their_way:
            finish()

    def _writing(self, items: list[bytes]) -> Callable[[], None]:
        """Send a batch; return what waits until all of it was taken."""
        import orjson

        table = self.table.encode()

        def send(requests: bytes) -> Callable[[], Any]:
            return self.wire.send("BatchWriteItem", b'{"RequestItems":{"%b":%b}}' % (table, requests))

        requests = b'[{"PutRequest":{"Item":%b}}]' % b'}},{"PutRequest":{"Item":'.join(items)
        sent: Callable[[], Any] | None = send(requests)

        def attempt() -> bool:
            nonlocal requests, sent
            answer, sent = sent or send(requests), None
            left = answer().get("UnprocessedItems", {}).get(self.table, [])
            requests = orjson.dumps(left)
            return not left

        return lambda: self._until_done(attempt, f"writing {len(items)} records to {self.table}")

    def sweep(self, job_id: str, keys: Sequence[RecordKey]) -> int:
        """Delete the records at these keys that a job wrote and no later one wrote over; return how many.

        Raises TransientError where DynamoDB keeps refusing to read some for want of capacity.
        """
        batches = [keys[start : start + READ_BATCH] for start in range(0, len(keys), READ_BATCH)]
        with ThreadPoolExecutor(SWEEPS_AT_ONCE) as pool:
            return sum(pool.map(lambda batch: self._sweep_batch(job_id, batch), batches))

    def _sweep_batch(self, job_id: str, keys: Sequence[RecordKey]) -> int:
        asked = [{"pk": {"S": partition}, "sk": {"S": sort}} for partition, sort in dict.fromkeys(keys)]
        # An item that was written a moment ago must be seen, or it would stand for ever.
        projected = {"ProjectionExpression": "pk, sk, #job", "ExpressionAttributeNames": {"#job": "job"}}
        requests: Any = {self.table: {"Keys": asked, "ConsistentRead": True, **projected}}
        left: list[Any] = []

        def attempt() -> bool:
            nonlocal requests
            answer = self._call("BatchGetItem", {"RequestItems": requests})
            left.extend(found for found in answer["Responses"].get(self.table, ()) if found["job"]["S"] == job_id)
            requests = answer.get("UnprocessedKeys", {})
            return not requests

        self._until_done(attempt, f"reading {len(asked)} records of {self.table}")
        return sum(self._delete(job_id, found["pk"], found["sk"]) for found in left)

    def _delete(self, job_id: str, partition: Any, sort: Any) -> bool:
        """Delete a record if it is still the job's; tell whether it was."""
        request = {
            "TableName": self.table,
            "Key": {"pk": partition, "sk": sort},
            "ConditionExpression": "#job = :job",
            "ExpressionAttributeNames": {"#job": "job"},
            "ExpressionAttributeValues": {":job": {"S": job_id}},
        }
        is_deleted = True

        def attempt() -> bool:
            nonlocal is_deleted
            try:
                self._call("DeleteItem", request)
            except ClientError as error:
                if code(error) != "ConditionalCheckFailedException":
                    raise
                is_deleted = False
            return True

        self._until_done(attempt, f"deleting a record of {self.table}")
        return is_deleted

    def _call(self, operation: str, request: Any) -> Any:
        import orjson

        return self.wire.call(operation, orjson.dumps(request))

    def _until_done(self, attempt: Callable[[], bool], what: str) -> None:
        """Try until all is done, with growing pauses of full jitter; raise TransientError where that is never."""
        for number in range(ATTEMPTS):
            try:
                with translated(what):
                    if attempt():
                        return
            except TransientError:
                if number == ATTEMPTS - 1:
                    raise
            time.sleep(random.uniform(0, min(LONGEST_PAUSE_S, PAUSE_S * 2**number)))  # noqa: S311 - jitter is no secret
        raise TransientError(f"{what}: some were still refused after {ATTEMPTS} attempts")

    def query(self, jobs: Jobs, recipe: str, value: str) -> Iterator[dict[str, Any]]:
        """Yield the rows under one value of the recipe's partition column, in the order of their sort keys."""
        for values in self._standing(jobs, partition_key(recipe, value)):
            yield values["row"]

    def query_words(self, jobs: Jobs, recipe: str, text: str) -> Iterator[dict[str, Any]]:
        """Yield the rows of the places where the words of `text` follow each other, each with the key of its object.

        They come object by object, in its order.
        """
        wanted = words(text)
        for values in self._standing(jobs, word_key(recipe, wanted[0])) if wanted else ():
            row = values["row"]
            place = int(row.pop("place"))
            if words(row["text"])[place : place + len(wanted)] == wanted:
                yield {"key": values["object"].split("/", 1)[1], **row}

    def _standing(self, jobs: Jobs, partition: str) -> Iterator[dict[str, Any]]:
        """Yield the items of a partition that stand, in the order of their sort keys."""
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": _write(partition)},
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
                        yield values


def _stands(values: dict[str, Any], known: dict[str, Any]) -> bool:
    """Tell whether a record is of the published job of its object, or of a newer version that is being written."""
    newest = known.get("published_sequencer", "")
    return bool(values["job"] == known.get("published") or values["sequencer"] > newest)
