"""A column at once is what its texts are one by one: Arrow's kernels against `values`."""

from __future__ import annotations

import sys
from datetime import UTC
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fanfold.kinds.table import casting, cleaning
from fanfold.kinds.table.cleaning import Cleaner
from fanfold.kinds.table.layout import Column
from fanfold.kinds.table.recipe import Clean
from fanfold.kinds.table.values import Misfit, as_text, infer, join, parser
from tests import strategies

INFERRED = ["boolean", "small", "integer", "float", "date", "timestamp", "instant"]
DECLARED = ["integer", "float", "boolean", "date", "timestamp", "decimal(10,3)", "decimal(3,3)", "decimal(5,0)"]

near = st.one_of(
    st.from_regex(r"-?[0-9]{0,20}(\.[0-9]{0,18})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
    st.from_regex(
        r"[0-9]{4}[-/][0-3][0-9][-/][0-3][0-9]"
        r"([T ][0-2][0-9]:[0-6][0-9](:[0-6][0-9](\.[0-9]{1,7})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?",
        fullmatch=True,
    ),
    st.sampled_from(
        ["0x1F", "1_000", "٣", "nan", "inf", "-", "1\n", "2012-02-30", "1900-02-29", "yes", "T", "-0", "-0.0"]
    ),
    strategies.cells,
)
columns = st.lists(st.one_of(st.none(), near), max_size=8)


def one_by_one(kind: str, texts: list[str | None]) -> tuple[list[Any], set[int]]:
    parse = parser(kind)
    values: list[Any] = []
    misfits = set()
    for index, text in enumerate(texts):
        try:
            values.append(None if text is None else parse(text))
        except Misfit:
            values.append(None)
            misfits.add(index)
    return values, misfits


@pytest.mark.parametrize("kind", DECLARED)
@given(texts=columns)
@example(texts=["123456789012345678", "1234567890123456789"])
@example(texts=["2012-01-31T10:00:00Z", "2012-01-31T10:00:00", None])
def test_a_declared_column_is_what_its_texts_are(kind: str, texts: list[str | None]) -> None:
    """The values, the misfits, and how they are written."""
    values, misfits = one_by_one(kind, texts)
    typed, reasons = casting.cast(Column("c", kind), pa.array(texts, pa.string()))
    assert set(reasons) == misfits
    assert casting.texts_of(typed) == [None if value is None else as_text(value) for value in values]
    moments = [
        value.astimezone(UTC).replace(tzinfo=None) if kind == "timestamp" and value and value.tzinfo else value
        for value in values
    ]
    assert typed.values.to_pylist() == moments
    whole = casting.declared(pa.array(texts, pa.string()), kind)
    assert whole is None or whole.equals(typed.values)


@pytest.mark.parametrize("kind", INFERRED)
@given(texts=columns)
@example(texts=["9007199254740993", "1.5"])
@example(texts=["2012-02-30"])
def test_what_is_proven_is_so(kind: str, texts: list[str | None]) -> None:
    """A proven column is one of that kind to the lattice, with the values that `values` reads."""
    found = casting.proven(pa.array(texts, pa.string()), kind)
    if found is None:
        return
    least = infer(texts)
    assert join(least, kind) == kind
    assert casting.least(pa.array(texts, pa.string()), found, kind) == least
    values, misfits = one_by_one(kind, texts)
    assert not misfits
    assert found.to_pylist() == values


@given(columns, st.sampled_from(["null", *INFERRED, "text"]))
def test_an_observed_column_is_the_join_of_its_texts(texts: list[str | None], known: str) -> None:
    kind, values = casting.observe(pa.array(texts, pa.string()), known)
    assert kind == infer(texts, known)
    assert values is None or values.null_count == texts.count(None)


@pytest.mark.parametrize("kind", INFERRED)
def test_common_columns_are_proven(kind: str) -> None:
    """Else the tests above would hold of nothing."""
    texts = {
        "boolean": ["true", "False"],
        "small": ["1", "-20"],
        "integer": ["9007199254740993"],
        "float": ["1.50", "2", "0.1234", "-1e-7"],
        "date": ["2012-01-31", "2000-02-29"],
        "timestamp": ["2012-01-31T10:00:00", "2012-01-31 10:00", "2012-01-31T10:00:00.25"],
        "instant": ["2012-01-31T10:00:00Z", "2012-01-31 10:00+02:00"],
    }[kind]
    found = casting.proven(pa.array([*texts, None]), kind)
    assert found is not None
    assert found.to_pylist() == [parser(kind)(text) for text in texts] + [None]


@given(st.lists(st.text(st.sampled_from("a \t\n\x1c\x85\xa0\u3000\u200b"), max_size=4)), st.booleans(), st.booleans())
def test_a_column_is_cleaned_as_its_texts_are(texts: list[str], trim: bool, empty: bool) -> None:
    """By `str.strip`, whatever Unicode calls white space."""
    nulls = {""} if empty else set()
    stripped = [text.strip() if trim else text for text in texts]
    wanted = [None if text in nulls | {"a"} else text for text in stripped]
    cleaner = Cleaner(Clean(trim=trim, empty_as_null=empty, null_values=("a",)))
    assert cleaner.column(cleaner.nulled(pa.array(texts, pa.string()))).to_pylist() == wanted
    assert [cleaner.one(text) for text in texts] == wanted


def test_white_space_is_what_python_says() -> None:
    assert set(cleaning.SPACES) == {sign for sign in map(chr, range(sys.maxunicode + 1)) if sign.isspace()}
