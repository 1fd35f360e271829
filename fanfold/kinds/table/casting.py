"""From columns of cleaned text to columns of typed values, and the rows whose text does not fit."""

from __future__ import annotations

from collections.abc import Sequence

from fanfold.kinds.table.layout import Column
from fanfold.kinds.table.values import Misfit, Value, column_parser, parser
from fanfold.recipes import TableRecipe


def type_of(recipe: TableRecipe, name: str, inferred: str) -> str:
    """Return the type that the recipe gives a column, given what its values are."""
    if recipe.columns == "auto":
        return inferred
    return "text" if recipe.columns == "text" else recipe.columns.get(name, "text")


def cast(column: Column, texts: Sequence[str | None]) -> tuple[list[Value], dict[int, str]]:
    """Return a column's values, and by the row's index the reason of each text that is none of its type."""
    parse = parser(column.type)
    if parse is str:
        return list(texts), {}
    if (whole := column_parser(column.type)(texts)) is not None:
        return whole, {}
    values: list[Value] = []
    misfits: dict[int, str] = {}
    for index, text in enumerate(texts):
        try:
            values.append(None if text is None else parse(text))
        except Misfit as misfit:
            values.append(None)
            misfits[index] = f"{misfit}: the type is {column.type}"
    return values, misfits
