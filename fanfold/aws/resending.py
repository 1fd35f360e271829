"""Where dead letters are sent again: to whom they were for, as they were to be told.

* IntakeDeadLetters hold the event of an upload, for the queue that Intake reads.
* WatchDeadLetters hold the event of an execution's status, for Watch.
* TotalsDeadLetters hold the place of changes in the stream of the Records table: they are read again, for Totals.

All three take the same again without harm: Intake and Watch by what the Jobs table holds already, Totals by the marker
that it leaves of each change for twice as long as the stream keeps it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from fanfold.aws import streams
from fanfold.aws.faults import translated
from fanfold.aws.records import RECORDS
from fanfold.aws.stack import Stack
from fanfold.errors import NotTaken, UnknownLetter, UsageError

BATCH_RECORDS, BATCH_BYTES = 100, 4 << 20
"""What Totals gets in one call: as much as by its event source mapping, and less than the 6 MB of an invocation."""


class Receiver(Protocol):
    """Who takes the letters of one queue."""

    @property
    def name(self) -> str:
        """Its name in template.yaml."""

    def take(self, body: str) -> None:
        """Take what a letter is about, all of it; raise FanfoldError where that fails."""


def receiver(stack: Stack, queue: str) -> Receiver:
    """Return who takes the letters of a queue; raise UsageError for a queue of which nobody does."""
    account, functions = stack.account, stack.functions
    match queue:
        case "IntakeDeadLetters":
            return Intake(account.client("sqs"), stack.queues["IntakeQueue"])
        case "WatchDeadLetters":
            return Watch(account.client("lambda"), functions["Watch"])
        case "TotalsDeadLetters":
            client, stream = account.client("lambda"), account.client("dynamodbstreams")
            return Totals(client, functions["Totals"], stream, stack.stores.records_table)
    raise UsageError(f"nobody takes the letters of {queue} again")


@dataclass(frozen=True, slots=True)
class Intake:
    """The queue of uploads that wait to be taken in."""

    client: Any
    url: str
    name = "IntakeQueue"

    def take(self, body: str) -> None:
        with translated(f"sending to {self.url}"):
            self.client.send_message(QueueUrl=self.url, MessageBody=body)


@dataclass(frozen=True, slots=True)
class Watch:
    """The function that hears of executions, called as its rule does: what fails again is a dead letter again."""

    client: Any
    function: str
    name = "Watch"

    def take(self, body: str) -> None:
        payload = json.dumps(status_event(body)).encode()
        with translated(f"invoking {self.function}"):
            self.client.invoke(FunctionName=self.function, InvocationType="Event", Payload=payload)


def status_event(body: str) -> dict[str, Any]:
    """Return the event of an execution's status that a letter holds; raise UnknownLetter for any other.

    A dead-letter queue gets the event itself, an on-failure destination has it as `requestPayload`.
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """
    try:
        event: dict[str, Any] = json.loads(body)
        event = event.get("requestPayload", event)
        if "executionArn" in event["detail"]:
            return event
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise UnknownLetter(f"{body[:80]!r} is no status of an execution")


@dataclass(frozen=True, slots=True)
class Totals:
    """The function that adds changes of records up, called with what the stream still holds of a batch."""

    client: Any
    function: str
    stream: Any
    table: str
    name = "Totals"

    def take(self, body: str) -> None:
        batch = streams.Batch.of(body)
        if batch.table != self.table:
            raise UnknownLetter(f"{batch.stream_arn} is not the stream of {self.table}")
        for records in _batches(filter(_is_record, streams.changes(self.stream, batch))):
            self._add(records)

    def _add(self, records: list[dict[str, Any]]) -> None:
        payload = json.dumps({"Records": records}, ensure_ascii=False).encode()
        with translated(f"invoking {self.function}"):
            answer = self.client.invoke(FunctionName=self.function, Payload=payload)
            told = json.loads(answer["Payload"].read())
        if answer.get("FunctionError"):
            raise NotTaken(f"{self.function} failed: {told.get('errorType')}: {told.get('errorMessage')}")
        if left := told["batchItemFailures"]:
            raise NotTaken(
                f"{self.function} took {len(records) - len(left)} of {len(records)} changes, "
                f"and not the change {left[0]['itemIdentifier']}"
            )


def _is_record(change: dict[str, Any]) -> bool:
    """Tell what the filter of the event source mapping lets through: totals are items of the same table."""
    return str(change["dynamodb"]["Keys"]["pk"]["S"]).startswith(RECORDS)


def _batches(records: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    size_bytes = 0
    for record in records:
        record_bytes = len(json.dumps(record, ensure_ascii=False).encode())
        if batch and (len(batch) == BATCH_RECORDS or size_bytes + record_bytes > BATCH_BYTES):
            yield batch
            batch, size_bytes = [], 0
        batch.append(record)
        size_bytes += record_bytes
    if batch:
        yield batch
