"""What DynamoDB cannot hold is a reject, wherever the rows go; what it can is none."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from fanfold.aws.records import Marshal
from fanfold.items import COMMON_BYTES, record_bytes, size_bytes
from fanfold.job import Job
from fanfold.kinds import table
from fanfold.kinds.table.holding import unheld
from fanfold.kinds.table.recipe import TableRecipe
from fanfold.model import ObjectRef, Record
from tests.fakes import table_recipe
from tests.kinds.driver import Result, run

FIELDS: dict[str, Any] = {"index": {"partition": "id", "sort": "at"}, "rejects": "100%"}


def rejects(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.outputs["rejects.jsonl"].splitlines()]


def nested(depth: int) -> Any:
    return [nested(depth - 1)] if depth else 0


ROWS: list[tuple[dict[str, Any], str | None, str | None]] = [
    ({"id": "k" * 2000, "at": "1"}, None, None),
    ({"id": "k" * 2001, "at": "1"}, "2,001 bytes in a key; DynamoDB holds 2,000 there", "id"),
    ({"id": "é" * 1001, "at": "1"}, "2,002 bytes in a key; DynamoDB holds 2,000 there", "id"),
    ({"id": "k", "at": "1" * 1024}, None, None),
    ({"id": "k", "at": "é" * 513}, "1,026 bytes in a key; DynamoDB holds 1,024 there", "at"),
    ({"id": None, "at": "1" * 2000}, None, None),
    ({"id": "k", "at": "2", "v": "x" * 400_000}, None, None),
    ({"id": "k", "at": "3", "v": "x" * 409_000}, "bytes as a record; DynamoDB holds 409,600", None),
]
NESTED: list[tuple[dict[str, Any], str | None, str | None]] = [
    ({"id": "k", "at": "4", "v": nested(31)}, None, None),
    ({"id": "k", "at": "5", "v": nested(32)}, "nested deeper than 32", None),
    ({"id": "k", "at": "6", "v": {"": 1}}, "a name of 0 bytes", None),
    ({"id": "k", "at": "7", "v" * 65_536: 1}, "a name of 65,536 bytes", None),
    ({"id": None, "at": "8", "": 1}, None, None),
]


def check(result: Result, data: bytes, rows: list[tuple[dict[str, Any], str | None, str | None]]) -> None:
    wrong = [(reason, column, row) for row, reason, column in rows if reason]
    found = rejects(result)
    assert len(found) == len(wrong)
    for reject, (reason, column, row) in zip(found, wrong, strict=True):
        assert reason in reject["reason"]
        assert (reject["column"], reject["value"]) == (column, row[column][:4096] if column else None)
        assert data[reject["offset"] :].decode().startswith(reject["raw"])
    assert result.stats["rows"] == len(rows) - len(wrong)
    assert len(result.records) == sum(reason is None and row["id"] is not None for row, reason, _ in rows)


@pytest.mark.parametrize("chunk", [1000, 10**7])
def test_json_rows_that_are_no_items_are_rejects(chunk: int) -> None:
    rows = ROWS + NESTED
    lines = [json.dumps(row, ensure_ascii=False).encode() + b"\n" for row, _, _ in rows]
    data = b"".join(lines)
    result = run(table, data, TableRecipe(chunk=chunk, **FIELDS), seed=1)
    check(result, data, rows)
    kept = [row for row, reason, _ in rows if reason is None]
    assert [json.loads(line) for line in result.outputs["rows.jsonl"].splitlines()] == kept


@pytest.mark.parametrize("output", ["jsonl", "csv", "parquet"])
def test_csv_rows_that_are_no_items_are_rejects(output: str) -> None:
    """And so is a row of a wrong type before one of them."""
    lines = [f"{row['id'] or ''},{row['at']},{row.get('v', '')},7\n" for row, _, _ in ROWS]
    data = ("id,at,v,n\nk,9,,seven\n" + "".join(lines)).encode()
    rows = [({"n": "seven"}, "no integer", "n"), *ROWS]
    recipe = TableRecipe(
        output=output, columns={"id": "text", "at": "text", "v": "text", "n": "integer"}, chunk=10**7, **FIELDS
    )
    check(run(table, data, recipe, seed=1), data, [({"id": "x"} | row, *why) for row, *why in rows])  # type: ignore[misc]


def test_without_an_index_nothing_is_too_large() -> None:
    data = json.dumps({"id": "k" * 3000, "v": nested(100)}).encode()
    result = run(table, data, TableRecipe())
    assert result.stats == result.stats | {"rows": 1, "rejected": 0}


whole = st.integers(1 - 10**38, 10**38 - 1)
scalars = st.none() | st.booleans() | whole | st.floats(1e-100, 1e100) | st.floats(-1e100, -1e-100) | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)


def serialised_bytes(value: Any) -> int:
    """Return the size of a value in DynamoDB's JSON, by the rules of its page on item sizes."""
    [(kind, held)] = value.items()
    if kind in ("NULL", "BOOL"):
        return 1
    if kind == "S":
        return len(held.encode())
    if kind == "N":
        digits = held.lstrip("-").split("E")[0].split("e")[0].replace(".", "").strip("0")
        return (len(digits) + 1) // 2 + 1
    if kind == "L":
        return 3 + sum(1 + serialised_bytes(inner) for inner in held)
    return 3 + sum(1 + len(name.encode()) + serialised_bytes(inner) for name, inner in held.items())


@given(values)
def test_a_size_is_that_of_the_value_as_boto3_would_write_it(value: Any) -> None:
    """Never less, and no more than by the sign of each number."""
    written = json.loads(json.dumps(value), parse_float=Decimal)
    exact = serialised_bytes(TypeSerializer().serialize(written))
    assert exact <= size_bytes(value) <= exact + json.dumps(value).count("-") + 1


@given(st.dictionaries(st.text(), scalars, max_size=6), st.text(min_size=1), st.none() | st.text(min_size=1))
def test_an_item_is_no_larger_than_its_record_is_told_to_be(
    row: dict[str, Any], partition: str, sort: str | None
) -> None:
    record = Record(partition, sort, 10**11, row, (("by:amount", partition, Decimal("-12.5")),))
    job = Job(ObjectRef("b" * 63, "é" * 512, 1, "e"), "r" * 40, table_recipe(), "F" * 64)
    marshal = Marshal(job)
    item = json.loads(marshal.item(marshal.key(record), record))
    exact = sum(len(name.encode()) + serialised_bytes(value) for name, value in item.items())
    assert exact <= record_bytes(record) <= exact + COMMON_BYTES


@given(st.dictionaries(st.sampled_from(["id", "at", "v", ""]), values, max_size=4))
def test_small_rows_are_held(row: dict[str, Any]) -> None:
    """Unless a name is empty."""
    recipe = TableRecipe(**FIELDS)
    line = json.dumps(row).encode()
    assert recipe.index
    found = unheld(recipe, recipe.index, [line])
    assert not found or "a name of 0 bytes" in found[0][0]
