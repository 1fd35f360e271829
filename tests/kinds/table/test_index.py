"""Records: one for every certified row that has a key, with its exact values and its place in the object."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.kinds import table
from fanfold.kinds.table import buckets, planning, sinks
from fanfold.kinds.table.recipe import TableRecipe
from fanfold.model import Line, Record
from tests.kinds.driver import run

DATA = b"""id,at,country,amount
a,2026-01-01,DE,1.50
b,2026-01-02,FR,
,2026-01-03,FR,7.00
c,,DE,2.25
a,2026-01-04,,-3.00
bad
b,2026-01-05,DE,4.00
"""
COLUMNS = {"id": "text", "at": "date", "country": "text", "amount": "decimal(8,2)"}
FIELDS = {
    "columns": COLUMNS,
    "index": {"partition": "id", "sort": "at"},
    "totals": [{"by": "country", "sum": "amount"}],
    "rejects": "20%",
}


@pytest.mark.parametrize("output", ["jsonl", "csv", "parquet"])
@pytest.mark.parametrize("chunk", [5, 60, 10**6])
@pytest.mark.parametrize("bucket_bytes", [10**6, 20])
def test_records_are_the_certified_rows(
    output: str, chunk: int, bucket_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exact numbers, nulls left out, ordinals by row; rows without a key are counted and not indexed."""
    monkeypatch.setattr(buckets, "BLOCK_BYTES", 100)
    monkeypatch.setattr(buckets, "BUCKET_BYTES", bucket_bytes)
    result = run(table, DATA, TableRecipe(output=output, chunk=chunk, **FIELDS), seed=4)
    assert sorted(result.records, key=lambda record: record.ordinal) == [
        Record(
            "a", "2026-01-01", 0, {"id": "a", "at": "2026-01-01", "country": "DE", "amount": Decimal("1.50")},
            (("country:amount", "DE", Decimal("1.50")),),
        ),
        Record("b", "2026-01-02", 1, {"id": "b", "at": "2026-01-02", "country": "FR"}),
        Record("a", "2026-01-04", 4, {"id": "a", "at": "2026-01-04", "amount": Decimal("-3.00")}),
        Record(
            "b", "2026-01-05", 5, {"id": "b", "at": "2026-01-05", "country": "DE", "amount": Decimal("4.00")},
            (("country:amount", "DE", Decimal("4.00")),),
        ),
    ]  # fmt: skip
    assert result.stats == {"rows": 6, "rejected": 1, "unindexed": 2, "columns": result.stats["columns"]}


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from([1, 1.5, "x", "1", None, True])), max_size=60),
    st.integers(10, 400),
    st.integers(1, 300),
    st.integers(20, 200),
    st.integers(0, 9),
)
def test_of_rows_with_equal_keys_the_last_one_is_the_record(
    keys: list[tuple[str, Any]], chunk: int, bucket_bytes: int, block_bytes: int, seed: int
) -> None:
    """Whatever the chunks, the buckets, the blocks and the order of the workers; and every key is written once."""
    rows = [{"id": name, "at": at, "n": number} for number, (name, at) in enumerate(keys)]
    wanted = {
        (row["id"], row["at"] if type(row["at"]) is str else json.dumps(row["at"])): row["n"]
        for row in rows
        if row["at"] is not None
    }
    data = b"".join(json.dumps(row).encode() + b"\n" for row in [{"id": "", "at": "0", "n": -1}, *rows])
    recipe = TableRecipe(chunk=chunk, index={"partition": "id", "sort": "at"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(buckets, "BUCKET_BYTES", bucket_bytes)
        patch.setattr(buckets, "BLOCK_BYTES", block_bytes)
        records = run(table, data, recipe, seed=seed).records
    assert len(records) == len(wanted)
    assert {(record.partition, record.sort): record.attributes["n"] for record in records} == wanted
    assert all(record.ordinal == record.attributes["n"] + 1 for record in records)


def test_every_row_of_a_block_without_a_sort_key_is_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sinks, "BLOCK_BYTES", 100)
    data = b"id,n\n" + b"".join(b"k%d,%d\n" % (n % 3, n) for n in range(200))
    result = run(table, data, TableRecipe(chunk=300, index={"partition": "id"}), seed=5)
    assert len(result.rounds[-1]) > 10
    assert sorted(record.ordinal for record in result.records) == list(range(200))
    assert all(record.ordinal == record.attributes["n"] for record in result.records)


def test_only_certified_parts_are_indexed() -> None:
    """The index round comes after every repair, one line for each block, and it publishes."""
    embedded = b"id,body\n" + b"".join(b'%d,"%s"\n' % (n, b"\n".join([b"7,x"] * 9)) for n in range(30))
    result = run(table, embedded, TableRecipe(chunk=40, index={"partition": "id"}), seed=2)
    assert result.folded.repaired > 0
    roles = [{line.role for line in lines} for lines in result.rounds]
    assert roles == [{"rows"}] * (len(roles) - 1) + [{"index"}]
    assert [record.partition for record in sorted(result.records, key=lambda record: record.ordinal)] == [
        str(n) for n in range(30)
    ]
    assert len({line.id for lines in result.rounds for line in lines}) == sum(map(len, result.rounds))


def test_a_job_with_too_many_rejects_indexes_nothing() -> None:
    """Nothing leaves a job that fails."""
    result = run(table, DATA, TableRecipe(**(FIELDS | {"rejects": "0%"})))
    assert result.folded.refused is not None
    assert result.records == []


def test_widened_types_are_what_is_indexed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guess at a type is never indexed."""
    monkeypatch.setattr(planning, "HEAD_BYTES", 10)
    monkeypatch.setattr(planning, "SAMPLES", 0)
    data = b"id,n\n" + b"a,1\n" * 20 + b"b,x\n"
    result = run(table, data, TableRecipe(chunk=20, index={"partition": "id"}), seed=2)
    assert {record.attributes["n"] for record in result.records} == {"1", "x"}
    assert result.stats["columns"][1] == {"name": "n", "type": "text"}


def test_records_of_json_lines_keep_what_is_nested() -> None:
    """Numbers exact at any depth; what DynamoDB cannot hold is text."""
    data = b'{"k":7,"v":{"x":[1.5,12345678901234567890]},"big":1e400,"long":1.' + b"1" * 40 + b"}\n"
    [record] = run(table, data, TableRecipe(index={"partition": "k"})).records
    assert record == Record(
        "7", None, 0,
        {"k": 7, "v": {"x": [Decimal("1.5"), 12345678901234567890]}, "big": "1e400", "long": "1." + "1" * 40},
    )  # fmt: skip


def test_ordinals_do_not_depend_on_chunks() -> None:
    """They count the certified rows of the object."""
    data = b"id,n\n" + b"".join(b"k%d,%d\n" % (n % 7, n) for n in range(200))

    def placed(chunk: int) -> list[tuple[int, str, int]]:
        recipe = TableRecipe(chunk=chunk, index={"partition": "id", "sort": "n"})
        records = run(table, data, recipe, seed=chunk).records
        return sorted((record.ordinal, record.partition, record.attributes["n"]) for record in records)

    assert placed(10**6) == placed(13) == placed(400) == [(n, f"k{n % 7}", n) for n in range(200)]


def test_a_part_keeps_blocks_only_for_an_index() -> None:
    """Nothing is written that nobody reads."""
    names: set[str] = set()

    def watch(line: Line) -> None:
        names.add(line.role)

    run(table, DATA, TableRecipe(rejects="20%"), failing=watch)  # type: ignore[arg-type]
    assert names == {"rows"}
