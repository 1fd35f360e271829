"""A column of JSON values at once is what its values are one by one."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from fanfold.kinds.table import json_rows
from fanfold.kinds.table.cleaning import Cleaner
from fanfold.kinds.table.json_columns import JsonColumn
from fanfold.kinds.table.recipe import Clean
from fanfold.kinds.table.values import Misfit, parser
from tests import strategies

scalars = {
    "flags": st.booleans(),
    "integers": st.one_of(st.integers(-9, 9), st.integers(-(2**70), 2**70)),
    "floats": st.floats(allow_nan=False, allow_infinity=False),
    "texts": st.one_of(strategies.cells, st.sampled_from(["", "  ", " x ", "true", "NA"])),
    "nested": st.sampled_from([{"a": 1}, [], [1, "x"]]),
}


@st.composite
def columns(draw: st.DrawFn) -> list[Any]:
    """Values of one JSON type mostly, nulls among them, and now and then of several."""
    kinds = draw(st.lists(st.sampled_from(sorted(scalars)), min_size=1, max_size=2))
    value = st.one_of(st.none(), *(scalars[kind] for kind in kinds))
    # As they come from a parser: what orjson has no number for is a `Number`.
    return [
        json_rows.Number(found) if type(found) is int and abs(found) >= 2**63 else found
        for found in draw(st.lists(value, max_size=6))
    ]


@given(columns(), st.booleans())
@example([1, 2.5, None], True)
@example([2**53 + 1, 0.5], True)
@example(["1", None], True)
def test_a_column_is_what_its_values_are(values: list[Any], trim: bool) -> None:
    """Its type, its texts, and its values where they are taken as they stand."""
    cleaner = Cleaner(Clean(trim=trim, null_values=("NA",)))
    column = JsonColumn("c", [{"c": value} for value in values], cleaner)
    cleaned = [cleaner.one(value) if type(value) is str else value for value in values]
    for start in ("null", "small", "integer", "float", "boolean", "date", "text"):
        known = start
        for value in cleaned:
            known = json_rows.infer(value, known)
        assert column.kind(start) == known, json.dumps(values)
    assert column.texts.to_pylist() == list(map(json_rows.as_text, cleaned))
    for kind in ("boolean", "integer", "float", "date", "text"):
        typed = column.typed(kind)
        if typed is not None:
            assert typed.to_pylist() == [one(kind, value) for value in cleaned]


def one(kind: str, value: Any) -> Any:
    text = json_rows.as_text(value)
    try:
        return None if text is None else parser(kind)(text)
    except Misfit as misfit:
        raise AssertionError(f"{value!r} was taken for {kind}") from misfit
