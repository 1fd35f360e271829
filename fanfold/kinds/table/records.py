"""From certified rows to records for the index."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from fanfold.kinds.table import json_rows
from fanfold.kinds.table.json_rows import Number
from fanfold.kinds.table.recipe import TableRecipe
from fanfold.model import Desk, Json, Line, PartObject, Record

DIGITS_LIMIT, EXPONENT_LIMIT = 38, 125
"""What a number in DynamoDB holds
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html)."""

_decoder = json.JSONDecoder(parse_int=Number, parse_float=Number)


def records(recipe: TableRecipe, layout: Json, line: Line, desk: Desk) -> Iterator[Record]:
    """Yield the records of a block of certified rows; rows without a key have none."""
    index = recipe.index
    if index is None:
        return
    data = desk.read(PartObject(line.span["key"], line.span["bytes"]))
    for ordinal, text in enumerate(data.decode().split("\n")[:-1], start=line.span["first"]):
        row = _decoder.decode(text)
        partition = json_rows.as_text(row.get(index.partition))
        sort = None if index.sort is None else json_rows.as_text(row.get(index.sort))
        if not partition or (index.sort is not None and not sort):
            continue
        attributes = {name: _attribute(value) for name, value in row.items() if value is not None}
        yield Record(partition, sort, ordinal, attributes, tuple(_totals(recipe, row)))


def _totals(recipe: TableRecipe, row: dict[str, Json]) -> Iterator[tuple[str, str, Decimal]]:
    for total in recipe.totals:
        by, amount = json_rows.as_text(row.get(total.by)), _number(row.get(total.sum))
        if by is not None and isinstance(amount, int | Decimal):
            yield f"{total.by}:{total.sum}", by, Decimal(amount)


def _attribute(value: Any) -> Json:
    if isinstance(value, dict):
        return {name: _attribute(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_attribute(inner) for inner in value]
    return _number(value) if isinstance(value, Number) else value


def _number(value: Any) -> int | Decimal | str | None:
    """Return a number exactly, as text where DynamoDB could not hold it; None for what is no number."""
    if not isinstance(value, Number):
        return None
    exact = Decimal(value)
    digits = exact.as_tuple().digits
    if len(digits) > DIGITS_LIMIT or not -EXPONENT_LIMIT <= exact.adjusted() <= EXPONENT_LIMIT:
        return str(value)
    return int(value) if value.lstrip("-").isdigit() else exact
