"""Totals, kept current by the stream of the Records table.

A record carries what it adds to each total. A change of a record takes away what the old image added and
adds what the new one does, in one transaction with a marker of the change: a change that is delivered
twice finds its marker and is left alone.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from fanfold.aws.faults import code, translated

MARKER_KEEP_S = 2 * 24 * 3600
"""A stream keeps a change for one day: no change comes again after that."""

_write = TypeSerializer().serialize
_read = TypeDeserializer().deserialize


@dataclass(frozen=True, slots=True)
class Change:
    """What one change of a record adds to one total of a value."""

    amount: Decimal
    count: int


@dataclass(frozen=True, slots=True)
class Totals:
    """The totals in the Records table of one stack."""

    client: Any
    table: str

    def apply(self, event_id: str, change: Mapping[str, Any]) -> bool:
        """Apply one change of the stream; return False where it was applied before.

        change: the `dynamodb` part of a stream record, with Keys, OldImage and NewImage.
        """
        recipe = change["Keys"]["pk"]["S"].split("#")[1]
        changes = _changes(change.get("OldImage", {}), change.get("NewImage", {}))
        if not changes:
            return True
        marker = {"pk": f"change#{event_id}", "sk": "change", "expires": int(time.time()) + MARKER_KEEP_S}
        writes: list[dict[str, Any]] = [
            {
                "Put": {
                    "TableName": self.table,
                    "Item": {name: _write(value) for name, value in marker.items()},
                    "ConditionExpression": "attribute_not_exists(pk)",
                }
            }
        ]
        for (total, value), added in sorted(changes.items()):
            writes.append(
                {
                    "Update": {
                        "TableName": self.table,
                        "Key": {"pk": _write(f"totals#{recipe}"), "sk": _write(f"{total}#{value}")},
                        "UpdateExpression": "SET #total = :total, #value = :value ADD #sum :amount, #count :count",
                        "ExpressionAttributeNames": {
                            "#total": "total",
                            "#value": "value",
                            "#sum": "sum",
                            "#count": "count",
                        },
                        "ExpressionAttributeValues": {
                            ":total": _write(total),
                            ":value": _write(value),
                            ":amount": _write(added.amount),
                            ":count": _write(added.count),
                        },
                    }
                }
            )
        with translated(f"writing totals to {self.table}"):
            try:
                self.client.transact_write_items(TransactItems=writes)
            except ClientError as error:
                if code(error) != "TransactionCanceledException" or not _marked(error):
                    raise
                return False
        return True

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


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[tuple[str, str], Change]:
    amounts: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for image, sign in ((old, -1), (new, 1)):
        for total, value, amount in _read(image["totals"]) if "totals" in image else ():
            amounts[total, value] += sign * amount
            counts[total, value] += sign
    return {key: Change(amounts[key], counts[key]) for key in amounts if amounts[key] or counts[key]}


def _marked(error: ClientError) -> bool:
    """Tell whether a transaction was cancelled because the marker of its change was there."""
    reasons: list[dict[str, Any]] = error.response.get("CancellationReasons", [])  # type: ignore[assignment]
    return bool(reasons) and reasons[0].get("Code") == "ConditionalCheckFailed"
