"""From rows as they are read to rows as they are written, for each pair of formats."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from fanfold.errors import NotATable
from fanfold.kinds.table import json_rows
from fanfold.kinds.table.csv_rows import BATCH_ROWS, Batch
from fanfold.kinds.table.json_rows import Number
from fanfold.kinds.table.values import Misfit, infer, json_form, parser
from fanfold.kinds.table.writer import PartWriter
from fanfold.model import Json

COLUMNS_LIMIT = 10_000

Objects = Iterator[tuple[int, int, dict[str, Json]]]
"""Where each line begins and ends, as positions in the window, and its object."""


def read_csv(batches: Iterable[Batch], writer: PartWriter) -> None:
    """Clean, type and write the rows of CSV."""
    infers = writer.recipe.columns == "auto" and not writer.layout.settled
    for batch in batches:
        texts = [writer.cleaner.column(column) for column in batch.columns]
        if infers:
            for name, column in zip(writer.layout.names, texts, strict=True):
                known = writer.seen.get(name, "null")
                writer.see(name, known if known == "text" else infer(set(column), known))
            writer.check()
        writer.columns(batch.offsets, batch.stops, texts)
        writer.rejects.flush()


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
        texts = [[json_rows.as_text(row.get(name)) for row in rows] for name in names]
        offsets = [writer.window.offset(start) for start, _, _ in batch]
        writer.columns(offsets, [stop for _, stop, _ in batch], texts)
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
