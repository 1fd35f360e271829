"""From rows as they are read to rows as they are written, for each pair of formats."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import pyarrow as pa

from fanfold.errors import NotATable
from fanfold.kinds.table import json_rows
from fanfold.kinds.table.casting import declared, least, observe, proven
from fanfold.kinds.table.csv_blocks import Batch
from fanfold.kinds.table.json_rows import Number
from fanfold.kinds.table.layout import Column
from fanfold.kinds.table.values import Misfit, json_form, parser
from fanfold.kinds.table.writer import PartWriter
from fanfold.model import Json

COLUMNS_LIMIT = 10_000

BATCH_ROWS = 4096

Objects = Iterator[tuple[int, int, dict[str, Json]]]
"""Where each line begins and ends, as positions in the window, and its object."""


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


def read_json_as_columns(objects: Objects, writer: PartWriter) -> None:
    """Clean, type and write objects as rows of columns; what is nested becomes JSON text."""
    infers = writer.recipe.columns == "auto" and not writer.layout.settled
    names = writer.layout.names
    named = _named(writer)
    while batch := list(islice(objects, BATCH_ROWS)):
        rows = [{name: _cleaned(value, writer) for name, value in row.items()} for _, _, row in batch]
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
        spans = [(start, stop) for start, stop, _ in batch]
        writer.columns(Batch(texts, len(rows), spans.__getitem__), texts, [None] * len(names))
        writer.rejects.flush()


def read_json(objects: Objects, writer: PartWriter) -> None:
    """Clean and write objects as they are, each with its own names and what is nested in it."""
    parsers = _parsers(writer)
    named = _named(writer)
    as_text = writer.recipe.columns == "text"
    for start, stop, row in objects:
        row = {name: _cleaned(value, writer) for name, value in row.items()}
        writer.found |= named & row.keys()
        if as_text:
            row = {name: _scalar_as_text(value) for name, value in row.items()}
        offset = writer.window.offset(start)
        for name, parse in parsers.items():
            if row.get(name) is None:
                continue
            text = json_rows.as_text(row[name]) or ""
            try:
                row[name] = parse(text)
            except Misfit as misfit:
                kind = writer.recipe.columns[name]  # type: ignore[index]
                writer.reject(offset, stop, f"{misfit}: the type is {kind}", name, text)
                break
        else:
            writer.line(json_rows.dumps(row) + b"\n", row)
        writer.rejects.flush()


def _named(writer: PartWriter) -> set[str]:
    recipe = writer.recipe
    return set(writer.key_names) | {name for total in recipe.totals for name in (total.by, total.sum)}


def _parsers(writer: PartWriter) -> dict[str, Callable[[str], Json]]:
    """Return by declared column what reads its text as a value ready for JSON."""
    columns = writer.recipe.columns
    return {name: _ready(kind) for name, kind in columns.items()} if isinstance(columns, dict) else {}


def _ready(kind: str) -> Callable[[str], Json]:
    parse, form = parser(kind), json_form(kind)
    return parse if form is None else lambda text: form(parse(text))


def _cleaned(value: Json, writer: PartWriter) -> Json:
    return writer.cleaner.one(value) if isinstance(value, str) and not isinstance(value, Number) else value


def _scalar_as_text(value: Json) -> Json:
    return value if value is None or isinstance(value, list | dict) else json_rows.as_text(value)
