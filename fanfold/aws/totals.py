"""Totals, kept current by the stream of the Records table.

A record carries what it adds to each total. A change of a record takes away what the old image added and
adds what the new one does, in one transaction with a marker of the change: a change that is delivered
twice finds its marker and is left alone. Many changes share a transaction, so that a total is written once
for all of them.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from fanfold.aws.faults import code, translated
from fanfold.errors import TransientError

ACTIONS_MAX = 100
"""Writes in one transaction, DynamoDB's limit."""

MARKER_KEEP_S = 2 * 24 * 3600
"""A stream keeps a change for one day: no change comes again after that."""

_write = TypeSerializer().serialize
_read = TypeDeserializer().deserialize


@dataclass(slots=True)
class Group:
    """Changes that go into one transaction: a marker for each, and what they add together."""

    recipe: str
    markers: dict[str, str] = field(default_factory=dict)
    """The sequence number of each change, by its event id."""
    amounts: dict[tuple[str, str], Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    counts: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))

    @classmethod
    def of(cls, records: Sequence[Mapping[str, Any]]) -> Group:
        """Return the group of stream records of one recipe."""
        made = cls(_recipe(records[0]))
        for record in records:
            change = record["dynamodb"]
            made.markers[record["eventID"]] = _sequence_number(record)
            for image, sign in ((change.get("OldImage", {}), -1), (change.get("NewImage", {}), 1)):
                for total, value, amount in _totals(image):
                    made.amounts[total, value] += sign * amount
                    made.counts[total, value] += sign
        return made


@dataclass(frozen=True, slots=True)
class Refusal:
    """From where on the changes of a batch could not be applied, and why."""

    sequence_number: str
    error: TransientError


class ChangeProcessor(BatchProcessor):
    """Powertools' processor of a stream, for a handler that takes the batch whole: changes share transactions.

    What the handler refuses, and all behind it, is reported to be delivered again, in order.
    """

    def __init__(self) -> None:
        super().__init__(EventType.DynamoDBStreams, raise_on_entire_batch_failure=False)

    def process(self) -> list[tuple[Any, ...]]:
        """Hand the batch over."""
        refusal: Refusal | None = self.handler(self.records)
        told: list[tuple[Any, ...]] = []
        refused = False
        for record in self.records:
            refused = refused or (refusal is not None and _sequence_number(record) == refusal.sequence_number)
            if refused and refusal:
                error = refusal.error
                told.append(self.failure_handler(DynamoDBRecord(record), (type(error), error, error.__traceback__)))
            else:
                told.append(self.success_handler(record, None))
        return told


@dataclass(frozen=True, slots=True)
class Totals:
    """The totals in the Records table of one stack."""

    client: Any
    table: str

    def apply(self, records: Sequence[Mapping[str, Any]]) -> Refusal | None:
        """Apply a batch of the stream, each change once; return where that ended, None where all are applied.

        What DynamoDB did not take for a passing reason is to be delivered again.
        """
        for group in grouped(records):
            try:
                self._apply_once(group)
            except TransientError as error:
                return Refusal(_sequence_number(group[0]), error)
        return None

    def _apply_once(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Apply changes in one transaction, without those whose markers are there."""
        remaining = list(records)
        while remaining:
            group = Group.of(remaining)
            try:
                with translated(f"writing totals to {self.table}"):
                    self.client.transact_write_items(TransactItems=self._writes(group))
                return
            except ClientError as error:
                if code(error) != "TransactionCanceledException":
                    raise
                reasons = [reason.get("Code") for reason in _reasons(error)]
                applied = {
                    event_id
                    for event_id, reason in zip(group.markers, reasons, strict=False)
                    if reason == "ConditionalCheckFailed"
                }
                if not applied:
                    raise TransientError(f"writing totals to {self.table}: {sorted(set(map(str, reasons)))}") from error
                remaining = [record for record in remaining if record["eventID"] not in applied]

    def _writes(self, group: Group) -> list[dict[str, Any]]:
        expires = int(time.time()) + MARKER_KEEP_S
        writes: list[dict[str, Any]] = []
        for event_id in group.markers:
            marker = {"pk": f"change#{event_id}", "sk": "change", "expires": expires}
            put = {"TableName": self.table, "Item": {name: _write(value) for name, value in marker.items()}}
            writes.append({"Put": put | {"ConditionExpression": "attribute_not_exists(pk)"}})
        for (total, value), amount in sorted(group.amounts.items()):
            added = {"total": total, "value": value, "sum": amount, "count": group.counts[total, value]}
            update = {
                "TableName": self.table,
                "Key": {"pk": _write(f"totals#{group.recipe}"), "sk": _write(f"{total}#{value}")},
                "UpdateExpression": "SET #total = :total, #value = :value ADD #sum :sum, #count :count",
                "ExpressionAttributeNames": {f"#{name}": name for name in added},
                "ExpressionAttributeValues": {f":{name}": _write(number) for name, number in added.items()},
            }
            writes.append({"Update": update})
        return writes

    def read(self, recipe: str) -> Iterator[dict[str, Any]]:
        """Yield `{total, value, sum, count}` of every value of every total of a recipe."""
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": _write(f"totals#{recipe}")},
            ConsistentRead=True,
        )
        with translated(f"reading {self.table}"):
            for page in pages:
                for found in page["Items"]:
                    values = {name: _read(cell) for name, cell in found.items()}
                    if values["count"]:
                        yield {name: values[name] for name in ("total", "value", "sum", "count")}


def grouped(records: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """Cut a batch into runs that fit a transaction each: one recipe, and at most ACTIONS_MAX writes.

    A change that touches no total needs no marker, and is left out.
    """
    run: list[Mapping[str, Any]] = []
    seen: set[tuple[str, str]] = set()
    for record in records:
        keys = _keys(record)
        if not keys:
            continue
        if run and (_recipe(record) != _recipe(run[0]) or len(run) + 1 + len(seen | keys) > ACTIONS_MAX):
            yield run
            run, seen = [], set()
        run.append(record)
        seen |= keys
    if run:
        yield run


def _sequence_number(record: Mapping[str, Any]) -> str:
    return str(record["dynamodb"]["SequenceNumber"])


def _recipe(record: Mapping[str, Any]) -> str:
    return str(record["dynamodb"]["Keys"]["pk"]["S"].split("#")[1])


def _totals(image: Mapping[str, Any]) -> list[tuple[str, str, Decimal]]:
    return _read(image["totals"]) if "totals" in image else []


def _keys(record: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Return the totals that a change touches, none where it leaves all as they are."""
    old, new = (_totals(record["dynamodb"].get(image, {})) for image in ("OldImage", "NewImage"))
    return set() if old == new else {(total, value) for total, value, _ in (*old, *new)}


def _reasons(error: ClientError) -> list[dict[str, Any]]:
    """Return why each write of a cancelled transaction was refused, in the order of the writes."""
    return list(error.response.get("CancellationReasons", []))  # type: ignore[arg-type]
