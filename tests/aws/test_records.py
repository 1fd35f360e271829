"""Records and totals: any retry and any repetition gives the same items and the same sums."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from aws_lambda_powertools.utilities.batch import process_partial_response
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from fanfold.aws.records import Marshal
from fanfold.aws.stores import Stores
from fanfold.aws.totals import ChangeProcessor, Group, grouped
from fanfold.errors import InvalidInput
from fanfold.job import Job
from fanfold.model import Record
from fanfold.words import words
from tests.fakes import made_stores, uploaded


def record(number: int, partition: str = "p", sort: str | None = None, **attributes: Any) -> Record:
    return Record(partition, sort, number, attributes or {"n": number})


def publish(stores: Stores, job: Job, made: Sequence[Record]) -> None:
    stores.jobs.arrive(job)
    stores.jobs.claim(job, 60)
    stores.records.write(job, made)
    stores.jobs.published(job)


def rows(stores: Stores, value: str = "p") -> list[Any]:
    return list(stores.records.query(stores.jobs, "orders", value))


def test_records_of_one_partition_come_in_the_order_of_the_object_all_of_them(stores: Stores) -> None:
    job = uploaded(stores, b"x")
    made = [record(number) for number in range(130)]
    random.Random(1).shuffle(made)
    publish(stores, job, made)
    publish(stores, job, made[:60])
    assert rows(stores) == [{"n": number} for number in range(130)]


def test_a_record_without_a_partition_is_under_the_key_of_its_object(stores: Stores) -> None:
    job = uploaded(stores, b"x")
    publish(stores, job, [record(0, partition="")])
    assert rows(stores, job.source.key) == [{"n": 0}]


def test_a_word_finds_where_it_was_said_and_no_value_is_a_word(stores: Stores) -> None:
    job = uploaded(stores, b"x")
    texts = ["The best of Times,", "the worst of the times", "it's time", "of"]
    said = [(word, text, place) for text in texts for place, word in enumerate(words(text))]
    by_word = [
        Record("", None, at, {"at": at, "text": text, "place": place}, word=word)
        for at, (word, text, place) in enumerate(said)
    ]
    publish(stores, job, [*by_word, record(99, partition="word#times")])

    def found(text: str) -> list[Any]:
        return [(row["key"], row["at"]) for row in stores.records.query_words(stores.jobs, "orders", text)]

    key = job.source.key
    assert found("times") == found("TIMES!") == [(key, 3), (key, 8)]
    assert found("of  times") == [(key, 2)]
    assert found("the worst of the") == [(key, 4)]
    assert found("the times") == [(key, 7)]
    assert found("It\u2019s") == [(key, 9)]
    assert found("tim") == found("times of") == found("…") == []
    assert rows(stores, "times") == []


def test_a_word_of_an_older_version_finds_nothing(stores: Stores) -> None:
    old, new = uploaded(stores, b"x", sequencer="01"), uploaded(stores, b"y", sequencer="02")
    publish(stores, old, [Record("", None, 0, {"text": "old", "place": 0}, word="old")])
    publish(stores, new, [Record("", None, 0, {"text": "new", "place": 0}, word="new")])
    answers = [list(stores.records.query_words(stores.jobs, "orders", word)) for word in ("old", "new")]
    assert answers == [[], [{"key": new.source.key, "text": "new"}]]


def test_values_keep_their_types_and_every_digit(stores: Stores) -> None:
    exact = Decimal("12345678901234567890.123456789")
    row = {"d": exact, "f": 0.1, "t": "text", "b": True, "l": [1, {"x": None}], "i": 2**63, "nan": float("nan")}
    publish(stores, uploaded(stores, b"x"), [record(0, **row)])
    assert rows(stores) == [row | {"f": Decimal("0.1"), "nan": "nan"}]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=12))
def test_of_rows_with_equal_keys_in_one_write_the_later_one_stays(sorts: list[str]) -> None:
    with mock_aws():
        stores = made_stores()
        made = [record(number, sort=sort) for number, sort in enumerate(sorts)]
        wanted = {made_one.sort: {"n": made_one.ordinal} for made_one in made}
        publish(stores, uploaded(stores, b"x", sequencer="01"), made)
        found = stores.account.client("dynamodb").scan(TableName="records")["Items"]
        assert {item["sk"]["S"]: {"n": int(item["row"]["M"]["n"]["N"])} for item in found} == wanted


def test_a_row_that_the_newer_version_has_not_is_answered_no_more(stores: Stores) -> None:
    old, new = uploaded(stores, b"x", sequencer="01"), uploaded(stores, b"y", sequencer="02")
    publish(stores, old, [record(number, v="old") for number in range(3)])
    stores.jobs.arrive(new)
    stores.records.write(new, [record(0, v="new")])
    assert [row["v"] for row in rows(stores)] == ["new", "old", "old"]
    publish(stores, new, [record(0, v="new"), record(1, v="new")])
    assert [row["v"] for row in rows(stores)] == ["new", "new"]


def test_a_key_that_dynamodb_could_not_hold_is_refused_with_its_row(stores: Stores) -> None:
    with pytest.raises(InvalidInput, match=r"record 3 .* 2048"):
        stores.records.write(uploaded(stores, b"x"), [record(3, partition="p" * 2048)])


amounts = st.decimals(-1000, 1000, places=2)
contributions = st.lists(st.tuples(st.sampled_from(["a:x", "b:x"]), st.sampled_from("uvw"), amounts), max_size=3)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 3), st.none() | contributions), max_size=12), st.randoms())
def test_totals_are_those_of_the_records_that_stand_however_the_changes_are_delivered(
    writes: list[tuple[int, list[tuple[str, str, Decimal]] | None]], chance: random.Random
) -> None:
    """Each write replaces the record of one key, or deletes it. Changes come in batches, some of them twice."""
    with mock_aws():
        stores = made_stores()
        job = uploaded(stores, b"x")
        images: dict[int, Any] = {}
        standing: dict[int, list[tuple[str, str, Decimal]]] = {}
        delivered = []
        for number, (key, totals) in enumerate(writes):
            change: dict[str, Any] = {"Keys": {"pk": {"S": "record#orders#p"}, "sk": {"S": str(key)}}}
            if key in images:
                change["OldImage"] = images.pop(key)
                del standing[key]
            if totals is not None:
                standing[key] = totals
                made = Record("p", str(key), number, {}, totals)
                change["NewImage"] = images[key] = json.loads(Marshal(job).item(("p", str(key)), made))
            delivered.append({"eventID": f"e{number}", "dynamodb": change | {"SequenceNumber": str(number)}})
        while delivered:
            batch = delivered[: chance.randint(1, 6)]
            assert stores.totals.apply(batch) is None
            # A batch that was applied in part is delivered again as a whole.
            delivered = delivered[chance.randint(1, len(batch)) :]
        sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        counts: dict[tuple[str, str], int] = defaultdict(int)
        for totals in standing.values():
            for total, value, amount in totals:
                sums[total, value] += amount
                counts[total, value] += 1
        found = {(one["total"], one["value"]): (one["sum"], one["count"]) for one in stores.totals.read("orders")}
        assert found == {key: (sums[key], counts[key]) for key in counts}


def stream_record(number: int, total: str, recipe: str = "orders") -> dict[str, Any]:
    image = {"totals": {"L": [{"L": [{"S": total}, {"S": "v"}, {"N": "1"}]}]}}
    change = {"Keys": {"pk": {"S": f"record#{recipe}#p"}}, "NewImage": image, "SequenceNumber": str(number)}
    return {"eventID": f"e{number}", "dynamodb": change}


@given(st.lists(st.tuples(st.integers(0, 60), st.sampled_from(["orders", "other"])), max_size=300))
def test_a_group_fits_a_transaction_and_all_groups_hold_all_changes(changes: list[tuple[int, str]]) -> None:
    records = [stream_record(number, f"t{total}:x", recipe) for number, (total, recipe) in enumerate(changes)]
    groups = list(grouped(records))
    assert [record for group in groups for record in group] == records
    for group in groups:
        made = Group.of(group)
        assert len(made.markers) + len(made.amounts) <= 100
        assert {record["dynamodb"]["Keys"]["pk"]["S"].split("#")[1] for record in group} == {made.recipe}


def test_a_change_that_could_not_be_written_is_where_the_stream_goes_on(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = stores.totals.client
    plain = client.transact_write_items
    calls: list[int] = []

    def throttled(**sent: Any) -> Any:
        calls.append(len(sent["TransactItems"]))
        if len(calls) == 2:
            response: Any = {"Error": {"Code": "ThrottlingException", "Message": "slow down"}}
            raise ClientError(response, "TransactWriteItems")
        return plain(**sent)

    monkeypatch.setattr(client, "transact_write_items", throttled)
    records = [stream_record(number, "t:x") for number in range(150)]
    processor = ChangeProcessor()
    answer = process_partial_response({"Records": records}, stores.totals.apply, processor)
    assert answer["batchItemFailures"] == [{"itemIdentifier": str(number)} for number in range(99, 150)]
    assert {str(error) for _, error, _ in processor.exceptions} == {"writing totals to records: ThrottlingException"}
    answer = process_partial_response({"Records": records[99:]}, stores.totals.apply, processor)
    assert answer == {"batchItemFailures": []}
    assert [one["sum"] for one in stores.totals.read("orders")] == [150]
