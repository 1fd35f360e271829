"""From rows as they are read to rows as they are written, for each pair of formats."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from fanfold.errors import NotATable
from fanfold.kinds.table import json_rows
from fanfold.kinds.table.casting import declared, least, observe, proven
from fanfold.kinds.table.csv_blocks import Batch
from fanfold.kinds.table.json_reading import JsonBatch, Place
from fanfold.kinds.table.json_rows import DEPTH_LIMIT, TOO_DEEP, is_too_deep
from fanfold.kinds.table.layout import Column
from fanfold.kinds.table.values import Misfit, json_form, parser
from fanfold.kinds.table.writer import PartWriter
from fanfold.model import Json

COLUMNS_LIMIT = 10_000


def read_csv(batches: Iterable[Batch], writer: PartWriter) -> None:
    """Clean, type and write the rows of CSV."""
    read = _infer if writer.recipe.columns == "auto" and not writer.layout.settled else _declare
    for batch in batches:
        read_columns = [
            read(column, cells, writer) for column, cells in zip(writer.layout.columns, batch.columns, strict=True)
        ]
        writer.check()
        writer.columns(batch, [texts for texts, _ in read_columns], [values for _, values in read_columns])
        writer.rejects.flush()


def _infer(column: Column, cells: Any, writer: PartWriter) -> tuple[Any, Any]:
    """Take note of the type of a column's texts; return them cleaned, and typed where they prove to be of a type."""
    values = proven(cells, column.type)
    if values is not None:
        # What is proven to be a number, a date or the like needs no trimming.
        writer.see(column.name, least(cells, values, column.type))
        return cells, values
    texts = writer.cleaner.column(cells)
    kind, values = observe(texts, writer.seen.get(column.name, "null"))
    writer.see(column.name, kind)
    return texts, values


def _declare(column: Column, cells: Any, writer: PartWriter) -> tuple[Any, Any]:
    """Return a column's texts cleaned, and typed where they prove to be of its type."""
    values = declared(cells, column.type)
    return (writer.cleaner.column(cells) if values is None else cells), values


def read_json_as_columns(batches: Iterable[JsonBatch], writer: PartWriter) -> None:
    """Clean, type and write objects as rows of columns; what is nested becomes JSON text."""
    infers = writer.recipe.columns == "auto" and not writer.layout.settled
    names = writer.layout.names
    named = _named(writer)
    for batch in batches:
        rows = [writer.cleaner.row(row) for row in batch.rows]
        kept = _shallow(rows, batch, writer)
        rows = [rows[at] for at in kept]
        for row in rows:
            writer.found |= named & row.keys()
            if not writer.layout.settled:
                for name, value in row.items():
                    known = writer.seen.get(name, "null")
                    writer.seen[name] = json_rows.infer(value, known) if infers else known
        if len(writer.seen) > COLUMNS_LIMIT:
            raise NotATable(f"the objects have more than {COLUMNS_LIMIT:,} different names: write jsonl instead")
        if not writer.layout.settled:
            writer.check()
        texts = [pa.array([json_rows.as_text(row.get(name)) for row in rows], pa.string()) for name in names]

        def where(index: int, batch: JsonBatch = batch, kept: Sequence[int] = kept) -> Place:
            return batch.places[kept[index]]

        writer.columns(Batch(texts, len(rows), where), texts, [None] * len(names))
        writer.rejects.flush()


def _shallow(rows: Sequence[dict[str, Json]], batch: JsonBatch, writer: PartWriter) -> list[int]:
    """Return the indices of the rows that are not nested too deep; reject the others."""
    kept = []
    for at, row in enumerate(rows):
        if any(isinstance(value, dict | list) for value in row.values()) and is_too_deep(row):
            start, stop = batch.places[at]
            writer.reject(writer.window.offset(start), stop, TOO_DEEP, None, None)
        else:
            kept.append(at)
    return kept


def read_json(batches: Iterable[JsonBatch], writer: PartWriter) -> None:
    """Clean and write objects as they are, each with its own names and what is nested in it."""
    parsers = _parsers(writer)
    named = _named(writer)
    as_text = writer.recipe.columns == "text"
    clean, dumps = writer.cleaner.row, json_rows.line_dumps()
    for batch in batches:
        lines: list[bytes] = []
        rows: list[dict[str, Json]] = []
        for at, row in enumerate(batch.rows):
            row = clean(row)
            if named:
                writer.found |= named & row.keys()
            if as_text:
                row = {name: _scalar_as_text(value) for name, value in row.items()}
            misfit = _typed(row, parsers) if parsers else None
            line = b"" if misfit else _line(row, dumps)
            if misfit or not line:
                start, stop = batch.places[at]
                reason, name, text = misfit or (TOO_DEEP, None, None)
                writer.reject(writer.window.offset(start), stop, reason, name, text)
                continue
            lines.append(line)
            rows.append(row)
        writer.lines(lines, rows)
        writer.rejects.flush()


def _typed(
    row: dict[str, Json], parsers: Mapping[str, tuple[Callable[[str], Json], str]]
) -> tuple[str, str, str] | None:
    """Give the declared columns of a row their types, in place; return why, which and what if one does not fit."""
    for name, (parse, kind) in parsers.items():
        if row.get(name) is None:
            continue
        text = json_rows.as_text(row[name]) or ""
        try:
            row[name] = parse(text)
        except Misfit as misfit:
            return f"{misfit}: the type is {kind}", name, text
    return None


def _line(row: dict[str, Json], dumps: Callable[[Json], bytes]) -> bytes:
    """Return a row as a line of JSON, nothing where it is nested too deep."""
    try:
        line = dumps(row)
    except TypeError:  # orjson has a limit of its own, beyond ours
        return b""
    # A shorter line has too few brackets.
    return b"" if len(line) > 2 * DEPTH_LIMIT and is_too_deep(row) else line


def _named(writer: PartWriter) -> set[str]:
    recipe = writer.recipe
    return set(writer.key_names) | {name for total in recipe.totals for name in (total.by, total.sum)}


def _parsers(writer: PartWriter) -> dict[str, tuple[Callable[[str], Json], str]]:
    """Return by declared column what reads its text as a value ready for JSON, and the type's name."""
    columns = writer.recipe.columns
    return {name: (_ready(kind), kind) for name, kind in columns.items()} if isinstance(columns, dict) else {}


def _ready(kind: str) -> Callable[[str], Json]:
    parse, form = parser(kind), json_form(kind)
    return parse if form is None else lambda text: form(parse(text))


def _scalar_as_text(value: Json) -> Json:
    return value if value is None or isinstance(value, list | dict) else json_rows.as_text(value)
