"""From certified rows to records for the index."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from fanfold.items import DIGITS_LIMIT, EXPONENT_LIMIT
from fanfold.kinds.table import json_rows
from fanfold.kinds.table.buckets import last_rows
from fanfold.kinds.table.json_rows import Number
from fanfold.kinds.table.keyed import IndexRow, Key, key_of, rows_of
from fanfold.kinds.table.recipe import Index, TableRecipe
from fanfold.model import Desk, Json, Line, PartObject, Record


def records(recipe: TableRecipe, layout: Json, line: Line, desk: Desk) -> Iterator[Record]:
    """Yield the records of a block or a bucket of certified rows; rows without a key have none."""
    index = recipe.index
    if index is None:
        return
    span = line.span
    found = last_rows(desk, layout, span["bucket"], index) if "bucket" in span else _block_rows(desk, span, index)
    for key, ordinal, row, is_plain in found:
        yield record_of(recipe, key, ordinal, row, is_plain)


def _block_rows(desk: Desk, span: Mapping[str, Json], index: Index) -> Iterator[IndexRow]:
    data = desk.read(PartObject(span["key"], span["bytes"]))
    for ordinal, (row, is_plain) in enumerate(rows_of(data.split(b"\n")[:-1]), start=span["first"]):
        if key := key_of(row, index):
            yield IndexRow(key, ordinal, row, is_plain)


def record_of(recipe: TableRecipe, key: Key, ordinal: int, row: dict[str, Json], is_plain: bool) -> Record:
    """Return the record of a row."""
    totals = tuple(totals_of(recipe, row)) if recipe.totals else ()
    attributes = row
    if not is_plain or None in row.values():
        attributes = {name: _attribute(value) for name, value in row.items() if value is not None}
    return Record(key[0], key[1], ordinal, attributes, totals)


def totals_of(recipe: TableRecipe, row: dict[str, Json]) -> Iterator[tuple[str, str, Decimal]]:
    """Yield what a row adds to the recipe's totals."""
    for total in recipe.totals:
        amount = _amount(row.get(total.sum))
        if amount is None:
            continue
        by = row.get(total.by)
        if type(by) is not str:
            by = json_rows.as_text(by)
        if by is not None:
            yield f"{total.by}:{total.sum}", by, amount


def _amount(value: Any) -> Decimal | None:
    kind = type(value)
    if kind is Number:
        value = _number(value)
        kind = type(value)
    if kind is float:
        return Decimal(repr(value))
    return Decimal(value) if kind is int or kind is Decimal else None


def _attribute(value: Any) -> Json:
    kind = type(value)
    if kind is Number:
        return _number(value)
    if kind is dict:
        return {name: _attribute(inner) for name, inner in value.items()}
    if kind is list:
        return [_attribute(inner) for inner in value]
    return value


def _number(value: Number) -> int | Decimal | str:
    """Return a number exactly, as text where DynamoDB could not hold it."""
    exact = Decimal(value)
    digits = exact.as_tuple().digits
    if len(digits) > DIGITS_LIMIT or not -EXPONENT_LIMIT <= exact.adjusted() <= EXPONENT_LIMIT:
        return str(value)
    return int(value) if value.lstrip("-").isdigit() else exact
