"""From certified rows to records for the index."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from fanfold.items import DIGITS_LIMIT, EXPONENT_LIMIT
from fanfold.kinds.table import json_rows
from fanfold.kinds.table.json_numbers import survive
from fanfold.kinds.table.json_rows import Number
from fanfold.kinds.table.recipe import Index, TableRecipe
from fanfold.model import Desk, Json, Line, PartObject, Record

_LARGE_EXPONENT = re.compile(rb"[eE][+-]?[0-9]{3}")


def records(recipe: TableRecipe, layout: Json, line: Line, desk: Desk) -> Iterator[Record]:
    """Yield the records of a block of certified rows; rows without a key have none."""
    index = recipe.index
    if index is None:
        return
    data = desk.read(PartObject(line.span["key"], line.span["bytes"]))
    for ordinal, (row, is_plain) in enumerate(rows_of(data.split(b"\n")[:-1]), start=line.span["first"]):
        if key := key_of(row, index):
            yield _record(recipe, key, ordinal, row, is_plain)


def rows_of(lines: Sequence[bytes]) -> Iterator[tuple[dict[str, Json], bool]]:
    """Yield the rows of lines of JSON, and whether each is plain: its numbers are int and float, not `Number`."""
    import orjson

    loads = orjson.loads
    text = b"\n".join(lines)
    if _is_plain(text):
        for line in lines:
            yield loads(line), True
        return
    for line in lines:
        is_plain = _is_plain(line)
        yield loads(line) if is_plain else json_rows.parse(line.decode()), is_plain


def _is_plain(text: bytes) -> bool:
    """Tell whether a fast parser keeps the numbers of a text, and DynamoDB holds them."""
    return survive(text) and not _LARGE_EXPONENT.search(text)


def key_of(row: dict[str, Json], index: Index) -> tuple[str, str | None] | None:
    """Return the values of a row that make its record's key, None where one of them is null or empty."""
    partition = row.get(index.partition)
    if type(partition) is not str:
        partition = json_rows.as_text(partition)
    if not partition:
        return None
    if index.sort is None:
        return partition, None
    sort = row.get(index.sort)
    if type(sort) is not str:
        sort = json_rows.as_text(sort)
    return (partition, sort) if sort else None


def _record(
    recipe: TableRecipe, key: tuple[str, str | None], ordinal: int, row: dict[str, Json], is_plain: bool
) -> Record:
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
