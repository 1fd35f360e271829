"""JSON that people upload by mistake: it is read, or refused in one line with what was received and a remedy."""

from __future__ import annotations

import json

import pytest

from fanfold.errors import BrokenJson, NoRecords, NotATable, RowTooLarge, TooManyRejects
from fanfold.kinds import table
from fanfold.kinds.table.layout import ROW_LIMIT_BYTES
from fanfold.kinds.table.recipe import TableRecipe
from tests.kinds.driver import run
from tests.kinds.table.test_bad_input import Repeated, peak_bytes, refused

ROWS = b'{"a":1},' * 20_000


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"[" + ROWS + b'{"a":', "ends before the array does"),
        (b"[" + ROWS + b'{"a":1}', "ends before the array does"),
        (b"[" + ROWS + b'{"a":1}}', "byte 160,008.*`}` where"),
        (b"[" + ROWS + b"]", "`]` where a value must stand"),
        (b"[" + ROWS + b'{"a":1}] x', "nothing may stand behind the array"),
        (b'[{"a":1}]\n[{"a":1}]', "nothing may stand behind the array"),
    ],
    ids=["in a row", "behind a row", "a stray brace", "a comma at the end", "words behind it", "two arrays"],
)
@pytest.mark.parametrize("chunk", ["9KB", "64MiB"])
def test_an_array_that_breaks_is_refused_by_the_place(data: bytes, says: str, chunk: str) -> None:
    """Whichever chunk it breaks in, and however many there are."""
    refused(data, BrokenJson, says, chunk=chunk)


def test_a_row_that_is_no_json_is_a_reject_and_its_neighbours_are_not() -> None:
    """Where its end can be told, the break is its own."""
    data = b"[" + ROWS + b'{"a":x},' + ROWS + b'{"a":1}]'
    result = run(table, data, TableRecipe(chunk="9KB", rejects="1%"))
    assert (result.stats["rows"], result.stats["rejected"]) == (40_001, 1)
    assert json.loads(result.outputs["rejects.jsonl"])["offset"] == 160_001
    refused(data, TooManyRejects, "1 of 40,002 rows were rejected .* the first: byte 160,001: no JSON", chunk="9KB")


@pytest.mark.parametrize(
    ("pointer", "says"),
    [
        ("/data/nothing", "`/data` has no 'nothing'; it has: 'items', 'count'"),
        ("/data/count", "that is a number, and no array"),
        ("/data/items/7/x", "items"),
    ],
)
def test_a_pointer_to_nothing_says_what_is_there(pointer: str, says: str) -> None:
    """And where."""
    data = b'{"data":{"items":[{"a":1}],"count":7}}'
    refused(data, NoRecords, says, records=pointer)


@pytest.mark.parametrize("value", [b"1", b'"x"', b"null", b"[1,2]"])
def test_an_array_of_scalars_is_no_table(value: bytes) -> None:
    """It shows the first, and what a table has."""
    refused(
        b"[" + (value + b",") * 5000 + value + b"]", NotATable, "the rows are no JSON objects: the first, at byte 1"
    )


@pytest.mark.parametrize("array", [True, False])
def test_nesting_of_depth_100_000_is_a_reject(array: bool) -> None:
    """It neither crashes a parser nor hides its neighbours."""
    deep = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    data = b'[{"a":1},' + deep + b',{"a":2}]' if array else b'{"a":1}\n' + deep + b'\n{"a":2}\n'
    result = run(table, data, TableRecipe(chunk=50_000, rejects="50%"))
    assert [json.loads(line) for line in result.outputs["rows.jsonl"].splitlines()] == [{"a": 1}, {"a": 2}]
    [reject] = map(json.loads, result.outputs["rejects.jsonl"].splitlines())
    assert "nested deeper than" in reject["reason"]
    refused(data, TooManyRejects, "nested deeper than", chunk=50_000)


def test_nesting_that_never_closes_is_refused() -> None:
    """By where it breaks, and in a moment."""
    refused(b'[{"a":' + b"[" * 100_000, BrokenJson, "in or behind the row at byte 1")


@pytest.mark.parametrize("head", [b'[{"a":"', b'[{"a":1},{"a":"'])
def test_a_row_of_100_megabytes_is_refused_in_bounded_memory(head: bytes) -> None:
    """By its place and the limit."""
    data = Repeated(b"x", head, 100_000_000)
    at = 1 if head.count(b"{") == 1 else 9
    peak = peak_bytes(lambda: refused(data, RowTooLarge, f"the row at byte {at} has more than 67,108,864 bytes"))
    assert peak < 4 * ROW_LIMIT_BYTES


def test_objects_of_many_names_are_read_as_they_are_and_refused_as_columns() -> None:
    """JSON needs no columns; CSV and Parquet do."""
    data = b"[{" + b",".join(b'"c%d":1' % number for number in range(20_000)) + b"}]"
    result = run(table, data, TableRecipe())
    assert json.loads(result.outputs["rows.jsonl"]) == json.loads(data)[0]
    for output in ("csv", "parquet"):
        refused(data, NotATable, "more than 10,000 different names", output=output)


@pytest.mark.parametrize("data", [b"[]", b" [ ] ", b"[]\n"])
def test_an_empty_array_is_a_table_without_rows(data: bytes) -> None:
    """Nothing failed."""
    result = run(table, data, TableRecipe(chunk=1))
    assert (result.stats["rows"], result.stats["rejected"]) == (0, 0)
