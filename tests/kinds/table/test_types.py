"""Types: what is inferred is lossless and a function of the whole column; what is declared is kept or rejected."""

from __future__ import annotations

import io
import json
import math
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from itertools import product
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.kinds import table
from fanfold.kinds.table.recipe import TableRecipe
from fanfold.kinds.table.values import Misfit, as_text, infer_one, join, parser, public
from tests import strategies
from tests.kinds.driver import run

TYPES = ("null", "boolean", "small", "integer", "float", "date", "timestamp", "instant", "text")


@given(st.sampled_from(TYPES), st.sampled_from(TYPES), st.sampled_from(TYPES))
def test_join_is_a_semilattice(a: str, b: str, c: str) -> None:
    """So that a column's type does not depend on how its values were split."""
    assert join(a, a) == a
    assert join(a, b) == join(b, a)
    assert join(a, join(b, c)) == join(join(a, b), c)


def moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found.astimezone(UTC) if found.tzinfo else found


@given(strategies.cells)
def test_an_inferred_type_keeps_the_value(text: str) -> None:
    """By an independent reading: int, Decimal, date.fromisoformat, datetime.fromisoformat."""
    kind = infer_one(text)
    value = parser(kind)(text)
    if kind in ("small", "integer"):
        assert str(value) == text
        assert -(2**63) <= value < 2**63
    elif kind == "float":
        assert value == float(text)
        assert len(Decimal(text).as_tuple().digits) <= 17 or text.startswith(("0.", "-0."))
        assert math.isfinite(value)
    elif kind == "date":
        assert value == date.fromisoformat(text.replace("/", "-"))
    elif kind in ("timestamp", "instant"):
        assert value == moment(text)
        assert (value.tzinfo is not None) == (kind == "instant")
    elif kind == "boolean":
        assert str(value).lower() == text.lower()
    else:
        assert value == text


@given(strategies.cells, strategies.cells)
def test_two_values_fit_the_join_of_their_types(one: str, other: str) -> None:
    """And keep their values in it."""
    kind = join(infer_one(one), infer_one(other))
    for text in (one, other):
        value = parser(kind)(text)
        if kind == "float":
            assert Decimal(repr(value)) == Decimal(text) or len(Decimal(text).as_tuple().digits) > 15
        if infer_one(text) in ("small", "integer") and kind != "text":
            assert int(value) == int(text)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("00501", "text"),
        ("+1", "text"),
        ("0", "small"),
        ("-0", "float"),
        ("9007199254740992", "small"),
        ("9007199254740993", "integer"),
        ("9223372036854775807", "integer"),
        ("9223372036854775808", "text"),
        ("-9223372036854775808", "integer"),
        ("1e999", "text"),
        ("1e-999", "text"),
        ("0e-999", "float"),
        ("0.12345678901234567", "float"),
        ("0.123456789012345678", "text"),
        ("nan", "text"),
        ("1_000", "text"),
        ("１２", "text"),
        ("2012/02/29", "date"),
        ("2012/02/30", "text"),
        ("2012-1-1", "text"),
        ("01/02/2012", "text"),
        ("2012-01-01T10:00", "timestamp"),
        ("2012-01-01 10:00:00.123456", "timestamp"),
        ("2012-01-01 10:00:00.1234567", "text"),
        ("2012-01-01T10:00:00+02:00", "instant"),
        ("2012-01-01T10:00:00Z", "instant"),
        ("2012-01-01T24:00:00", "text"),
        ("0001-01-01T00:00:00+14:00", "text"),
        ("TRUE", "boolean"),
        ("tRUE", "text"),
        ("yes", "text"),
    ],
)
def test_what_is_what(text: str, kind: str) -> None:
    """The edges of every type."""
    assert infer_one(text) == kind


@given(
    st.lists(st.lists(strategies.cells, min_size=2, max_size=2), min_size=1, max_size=30),
    st.integers(5, 300),
)
def test_auto_is_a_function_of_the_whole_column(rows: list[list[str]], chunk: int) -> None:
    """The types are the join over all cleaned values, nothing is rejected, and every value stands."""
    data = "a,b\n" + "".join(",".join(f'"{cell}"' for cell in row) + "\n" for row in rows)
    result = run(table, data.encode(), TableRecipe(chunk=chunk), seed=3)
    written = [json.loads(line, parse_float=Decimal) for line in result.outputs["rows.jsonl"].splitlines()]
    assert result.stats["rejected"] == 0
    for at, column in enumerate(result.stats["columns"]):
        texts = [row[at].strip() or None for row in rows]
        kind = "null"
        for text in texts:
            kind = join(kind, infer_one(text)) if text else kind
        assert column["type"] == ("timestamp" if kind == "instant" else public(kind))
        for text, row in zip(texts, written, strict=True):
            _same(text, row["ab"[at]], kind)


def _same(text: str | None, value: Any, kind: str) -> None:
    if text is None or kind in ("text", "null"):
        assert value == text
    elif kind == "float":
        assert float(value) == float(text)
    elif kind in ("small", "integer"):
        assert value == int(text)
    elif kind == "boolean":
        assert value is (text.lower() == "true")
    elif kind == "date":
        assert value == text.replace("/", "-")
    else:
        assert moment(value) == moment(text)


DECLARED = ["integer", "float", "boolean", "date", "timestamp", "decimal(6,2)", "decimal(38,0)"]


@given(strategies.cells, st.sampled_from(DECLARED))
def test_declared_types_take_what_they_hold_and_reject_the_rest(cell: str, kind: str) -> None:
    """A row is either in the output with the value, or in the rejects with the column and the text."""
    data = f'a,b\n"{cell}",x\n'.encode()
    result = run(table, data, TableRecipe(columns={"a": kind}, rejects="100%"))
    rows = [json.loads(line, parse_float=Decimal) for line in result.outputs["rows.jsonl"].splitlines()]
    rejects = [json.loads(line) for line in result.outputs["rejects.jsonl"].splitlines()]
    text = cell.strip()
    if rejects:
        assert rows == []
        assert rejects[0] | {"reason": ""} == {
            "offset": 4, "reason": "", "column": "a", "value": text, "raw": f'"{cell}",x'
        }  # fmt: skip
        assert not _fits(text, kind)
    else:
        assert rows[0]["b"] == "x"
        assert (rows[0]["a"] is None) == (text == "")
        assert text == "" or _fits(text, kind)
        if text and kind.startswith("decimal"):
            scale = int(kind[-2])
            assert rows[0]["a"] == Decimal(text)
            assert Decimal(rows[0]["a"]).as_tuple().exponent == -scale or scale == 0


def _fits(text: str, kind: str) -> bool:
    try:
        if kind == "integer":
            return -(2**63) <= int(text) < 2**63
        if kind == "float":
            return math.isfinite(float(text)) and text.lower() != "nan"
        if kind == "boolean":
            return text.lower() in ("true", "false", "0", "1")
        if kind == "date":
            date.fromisoformat(text.replace("/", "-"))
            return len(text) == 10
        if kind == "timestamp":
            datetime.fromisoformat(text.replace("/", "-"))
            return text[4] in "-/"  # and not ISO's basic format
        precision, scale = (int(number) for number in kind[8:-1].split(","))
        number = Decimal(text)
        return number.is_finite() and "e" not in text.lower() and number * 10**scale % 1 == 0 and (
            abs(number) < Decimal(10) ** (precision - scale)
        )  # fmt: skip
    except (ValueError, InvalidOperation):
        return False


def test_values_stand_in_parquet_with_their_types() -> None:
    """Each declared type has its own in Parquet."""
    data = (
        b"t,i,f,b,d,m,x\n"
        b"a,7,1.5,yes,2012-01-31,2012-01-31T10:00:00+02:00,1.5\n"
        b",,,,,,\n"
        b"b,-1,1e3,0,1969/12/31,1969-12-31 23:59:59.5,-0.05\n"
    )
    columns = {"t": "text", "i": "integer", "f": "float", "b": "boolean", "d": "date", "m": "timestamp"}
    recipe = TableRecipe(columns=columns | {"x": "decimal(12,2)"}, output="parquet")
    read = pq.read_table(io.BytesIO(run(table, data, recipe).outputs["rows.parquet"]))
    assert read.schema.types == [
        pa.string(), pa.int64(), pa.float64(), pa.bool_(), pa.date32(), pa.timestamp("us"), pa.decimal128(12, 2)
    ]  # fmt: skip
    assert [list(row.values()) for row in read.to_pylist()] == [
        ["a", 7, 1.5, True, date(2012, 1, 31), datetime(2012, 1, 31, 8), Decimal("1.50")],
        [None] * 7,
        ["b", -1, 1000.0, False, date(1969, 12, 31), datetime(1969, 12, 31, 23, 59, 59, 500000), Decimal("-0.05")],
    ]


def test_json_strings_are_never_numbers() -> None:
    """JSON says what is a number; a string of digits stays text, a string that is a date may be one."""
    data = b'{"a":"1","b":1,"c":"2012-01-01","d":[1.50],"e":true}\n{"b":2.5,"a":"x","e":null}\n'
    result = run(table, data, TableRecipe(output="csv"))
    assert [column["type"] for column in result.stats["columns"]] == ["text", "float", "date", "text", "boolean"]
    assert result.outputs["rows.csv"] == b"a,b,c,d,e\n1,1.0,2012-01-01,[1.50],true\nx,2.5,,,\n"


def test_numbers_of_json_keep_their_digits() -> None:
    """However they are nested."""
    line = b'{"a":123456789012345678901234567890,"b":{"c":[1.50,-0,1E5]}}\n'
    assert run(table, line, TableRecipe()).outputs["rows.jsonl"] == line


@pytest.mark.parametrize("kind", ["null", "text", "small", "float", "date"])
def test_text_of_a_value_reads_back(kind: str) -> None:
    """What CSV carries is read as the value again."""
    for text in ("1", "2012-01-01", "1.5", "x"):
        try:
            value = parser(kind)(text)
        except Misfit:
            continue
        assert parser(kind)(as_text(value)) == value


@pytest.mark.parametrize(("trim", "empty", "nulls"), list(product([True, False], [True, False], [(), ("NA", " ")])))
def test_cleaning_trims_then_empties_then_nulls(trim: bool, empty: bool, nulls: tuple[str, ...]) -> None:
    """In this order, before types."""
    data = b'a\n" x "\n" "\n""\n NA \nNA\n'
    recipe = TableRecipe(columns="text", clean={"trim": trim, "empty_as_null": empty, "null_values": nulls})
    written = [json.loads(line)["a"] for line in run(table, data, recipe).outputs["rows.jsonl"].splitlines()]
    expected: list[str | None] = []
    for cell in [" x ", " ", "", " NA ", "NA"]:
        text: str | None = cell.strip() if trim else cell
        text = None if empty and text == "" else text
        expected.append(None if text in nulls else text)
    assert written == expected
