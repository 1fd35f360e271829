"""What every worker of a table must agree on: format, dialect, encoding, columns and their types."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any, Literal

from fanfold.kinds.table.recipe import TableRecipe
from fanfold.model import Json, PartObject

ROW_LIMIT_BYTES = 64 << 20
"""What one row may have at most."""

CELL_BYTES = 32 << 20
"""The rows that begin in one cell of this grid over the object make one Parquet row group, whatever the chunks."""

csv.field_size_limit(ROW_LIMIT_BYTES)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How CSV separates its fields."""

    delimiter: str = ","
    quote: str | None = '"'
    escape: str | None = None
    doubled_quote: bool = True
    """Whether two quotes inside quotes stand for one; else the first of them closes."""
    skip_initial_space: bool = False
    """Whether spaces behind a delimiter, and before the first field, are left out."""

    @property
    def characters(self) -> str:
        return self.delimiter + (self.quote or "") + (self.escape or "")

    def for_reader(self) -> dict[str, Any]:
        """Return the arguments that make `csv.reader` read this dialect."""
        quoting = {"quoting": csv.QUOTE_NONE} if self.quote is None else {"quotechar": self.quote}
        return {
            "delimiter": self.delimiter,
            "escapechar": self.escape,
            "doublequote": self.doubled_quote,
            "skipinitialspace": self.skip_initial_space,
            **quoting,
        }


@dataclass(frozen=True, slots=True)
class Column:
    """A column's name, and the kind of its values: a name in `values`, or a type that the recipe declares."""

    name: str
    type: str


Format = Literal["csv", "jsonl", "array", "values"]
"""`array`: the rows are the elements of a JSON array; `values`: JSON values follow each other."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The layout of one table, as the splitter pinned it or a merge settled it."""

    format: Format
    encoding: str
    unit: int
    """Bytes of a code unit: 2 in UTF-16, 4 in UTF-32, else 1."""
    start: int
    """Where the first row behind the header begins, in bytes."""
    dialect: Dialect
    columns: Sequence[Column]
    settled: bool
    """True where `columns` hold for every row of the object, and not only for the sample."""
    cell_bytes: int = CELL_BYTES
    pieces: Sequence[PartObject] = ()
    """Where the text lies that was opened; none where the object itself is the text."""
    buckets: int = 0
    """How many buckets the rows for the index go to by their keys; 0 where they go by their place."""

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    def settle(self, columns: Sequence[Column]) -> Layout:
        return replace(self, columns=tuple(columns), settled=True)

    def to_json(self) -> dict[str, Json]:
        return {
            "format": self.format,
            "encoding": self.encoding,
            "unit": self.unit,
            "start": self.start,
            "dialect": list(astuple(self.dialect)),
            "columns": [[column.name, column.type] for column in self.columns],
            "settled": self.settled,
            "cell_bytes": self.cell_bytes,
            "pieces": [[piece.key, piece.size_bytes] for piece in self.pieces],
            "buckets": self.buckets,
        }

    @classmethod
    def from_json(cls, data: Json) -> Layout:
        columns = tuple(Column(name, kind) for name, kind in data["columns"])
        pieces = tuple(PartObject(key, size_bytes) for key, size_bytes in data["pieces"])
        return cls(**{**data, "dialect": Dialect(*data["dialect"]), "columns": columns, "pieces": pieces})


def type_of(recipe: TableRecipe, name: str, inferred: str) -> str:
    """Return the type that the recipe gives a column, given what its values are."""
    if recipe.columns == "auto":
        return inferred
    return "text" if recipe.columns == "text" else recipe.columns.get(name, "text")
