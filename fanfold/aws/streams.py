"""A batch of a table's stream, read again: what a function was to be told of changes, as it would have been told."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError

from fanfold.aws.faults import code, translated
from fanfold.errors import ChangesGone, NotTaken, UnknownLetter

GONE = ("TrimmedDataAccessException", "ResourceNotFoundException")
"""What is answered for a record that is older than a day, and for a shard of which no record is left."""

EMPTY_PAGES, PAUSE_S = 25, 0.2
"""A shard has gaps without records: so many pages of them are read on end, at the rate that a shard may be read."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A stretch of a stream, from one sequence number to another, both included."""

    stream_arn: str
    shard_id: str
    first: str
    last: str

    @classmethod
    def of(cls, body: str) -> Batch:
        """Return the batch that a letter of an event source mapping names; raise UnknownLetter for any other.

        https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
        """
        try:
            told = json.loads(body)["DDBStreamBatchInfo"]
            first, last = told["startSequenceNumber"], told["endSequenceNumber"]
            int(first), int(last)
            return cls(str(told["streamArn"]), str(told["shardId"]), first, last)
        except (ValueError, KeyError, TypeError) as error:
            raise UnknownLetter(f"{body[:80]!r} names no batch of a stream") from error

    @property
    def table(self) -> str:
        """The name of the table whose changes these are."""
        return self.stream_arn.partition(":table/")[2].partition("/stream/")[0]


def changes(client: Any, batch: Batch) -> Iterator[dict[str, Any]]:
    """Yield the records of a batch in their order, as the event of a function has them.

    Raises ChangesGone where the stream no longer holds them, NotTaken where it does not come to the last of them, and
    UnknownLetter for a batch that no stream can have.
    """
    place = {"StreamArn": batch.stream_arn, "ShardId": batch.shard_id}
    start = {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": batch.first}
    empty = 0
    with _held(batch), translated(f"reading {batch.stream_arn}"):
        iterator = client.get_shard_iterator(**place, **start)["ShardIterator"]
        while iterator and empty < EMPTY_PAGES:
            page = client.get_records(ShardIterator=iterator)
            for record in page["Records"]:
                number = int(record["dynamodb"]["SequenceNumber"])
                if number <= int(batch.last):
                    yield _as_told(record, batch.stream_arn)
                if number >= int(batch.last):
                    return
            iterator = page.get("NextShardIterator")
            if not page["Records"]:
                empty += 1
                time.sleep(PAUSE_S)
    raise NotTaken(f"{batch.stream_arn} did not come to the change {batch.last}")


@contextmanager
def _held(batch: Batch) -> Iterator[None]:
    try:
        yield
    except ParamValidationError as error:
        raise UnknownLetter(f"{batch} is no batch of a stream") from error
    except ClientError as error:
        if code(error) not in GONE:
            raise
        raise ChangesGone(
            f"the changes {batch.first} to {batch.last} of {batch.table} are no longer in its stream, "
            "which keeps a change for 24 hours"
        ) from error


def _as_told(record: dict[str, Any], stream_arn: str) -> dict[str, Any]:
    """Return a record of GetRecords as a function gets it: in JSON, with the stream that it comes from.

    https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
    """
    told: dict[str, Any] = _json(record) | {"eventSourceARN": stream_arn}
    if identity := told.get("userIdentity"):
        told["userIdentity"] = {name[0].lower() + name[1:]: value for name, value in identity.items()}
    return told


def _json(value: Any) -> Any:
    match value:
        case dict():
            return {name: _json(inner) for name, inner in value.items()}
        case list():
            return [_json(inner) for inner in value]
        case bytes():
            return base64.b64encode(value).decode()
        case datetime():
            return value.timestamp()
    return value
