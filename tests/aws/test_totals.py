"""Totals are those of the rows of the last version, whatever happens on the way from the table to them."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from aws_lambda_powertools.utilities.batch import process_partial_response
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from fanfold.aws.ledger import RecordKey
from fanfold.aws.stores import Stores
from fanfold.aws.totals import ChangeProcessor
from fanfold.model import Record
from tests.fakes import made_stores, uploaded

Row = tuple[str, str, int]
"""Its key, what its totals are kept by, and what it adds."""


@dataclass
class Stream:
    """What the stream of the Records table says, by comparing the table with what it was."""

    stores: Stores
    _known: dict[str, Any] = field(default_factory=dict)
    _count: int = 0

    def changes(self) -> Iterator[dict[str, Any]]:
        """Yield the changes since the last time; of each key in their order, of different keys in any."""
        items = self.stores.account.client("dynamodb").scan(TableName="records")["Items"]
        found = {item["sk"]["S"]: item for item in items if item["pk"]["S"].startswith("record#")}
        for key in sorted(found.keys() | self._known.keys()):
            old, new = self._known.get(key), found.get(key)
            if old != new:
                self._count += 1
                change: dict[str, Any] = {"Keys": {"pk": (new or old)["pk"], "sk": (new or old)["sk"]}}
                change |= {"OldImage": old} if old else {}
                change |= {"NewImage": new} if new else {}
                yield {"eventID": f"e{self._count}", "dynamodb": change | {"SequenceNumber": f"{self._count:06}"}}
        self._known = found


def deliver(stores: Stores, changes: list[dict[str, Any]], chance: random.Random) -> None:
    """Hand changes over as a Lambda function gets them: in batches of any size, some twice, some refused in part."""
    client = stores.totals.client
    plain = client.transact_write_items

    def unreliable(**sent: Any) -> Any:
        luck = chance.random()
        if luck < 0.2:
            raise ClientError({"Error": {"Code": "ThrottlingException", "Message": ""}}, "TransactWriteItems")
        answer = plain(**sent)
        if luck < 0.4:
            # It was done, and the answer was lost.
            raise ClientError({"Error": {"Code": "InternalServerError", "Message": ""}}, "TransactWriteItems")
        return answer

    client.transact_write_items = unreliable
    try:
        while changes:
            batch = changes[: chance.randint(1, 8)]
            answer = process_partial_response({"Records": batch}, stores.totals.apply, ChangeProcessor())
            failed = [one["itemIdentifier"] for one in answer["batchItemFailures"]]
            numbers = [change["dynamodb"]["SequenceNumber"] for change in batch]
            done = numbers.index(failed[0]) if failed else len(batch)
            # A function that died after its work gets a batch again, from anywhere in it.
            changes = changes[chance.randint(0, done) if chance.random() < 0.3 else done :]
    finally:
        client.transact_write_items = plain


rows = st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("xyz"), st.integers(-9, 9)), max_size=8)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(rows, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_totals_are_those_of_the_last_version(versions: list[list[Row]], chance: random.Random) -> None:
    """Rows come, change, move to other totals and go; versions are written over each other and swept."""
    with mock_aws():
        stores = made_stores()
        stream = Stream(stores)
        changes: list[dict[str, Any]] = []
        written: dict[str, list[RecordKey]] = {}
        for number, version in enumerate(versions):
            job = uploaded(stores, repr((number, version)).encode(), sequencer=f"{number:02}")
            made = [
                Record("p", key, at, {"n": amount}, (("by:n", by, Decimal(amount)),))
                for at, (key, by, amount) in enumerate(version)
            ]
            # A version may lose its worker half-way, and be written by another one from the beginning.
            stores.records.write(job, made[: chance.randint(0, len(made))])
            changes += stream.changes()
            keys = written.setdefault(job.id, [])
            stores.records.write(job, made, keys.extend)
            changes += stream.changes()
            for older, theirs in written.items():
                if older != job.id:
                    stores.records.sweep(older, theirs)
                    changes += stream.changes()
            if chance.random() < 0.5:
                deliver(stores, changes, chance)
                changes = []
        deliver(stores, changes, chance)
        sums: dict[str, int] = defaultdict(int)
        counts: dict[str, int] = defaultdict(int)
        for by, amount in {key: (by, amount) for key, by, amount in versions[-1]}.values():
            sums[by] += amount
            counts[by] += 1
        found = {one["value"]: (one["sum"], one["count"]) for one in stores.totals.read("orders")}
        assert found == {by: (sums[by], counts[by]) for by in counts}
