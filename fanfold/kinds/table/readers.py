"""From rows as they are read to rows as they are written, for each pair of formats."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any

from fanfold.errors import NotATable
from fanfold.kinds.table import json_rows
from fanfold.kinds.table.casting import declared, least, observe, proven
from fanfold.kinds.table.csv_blocks import Batch
from fanfold.kinds.table.json_columns import JsonColumn, Rows, gathered
from fanfold.kinds.table.json_reading import JsonBatch, Place, uncollected
from fanfold.kinds.table.json_rows import DEPTH_LIMIT, TOO_DEEP, is_too_deep
from fanfold.kinds.table.layout import Column
from fanfold.kinds.table.values import Misfit, json_form, parser
from fanfold.kinds.table.writer import PartWriter
from fanfold.model import Json

COLUMNS_LIMIT = 10_000

Dropped = dict[int, tuple[str, str | None, str | None]]
"""By the index of a row that is rejected: why, and for which column and value."""


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


@uncollected()
def read_json_as_columns(batches: Iterable[JsonBatch], writer: PartWriter) -> None:
    """Clean, type and write objects as rows of columns; what is nested becomes JSON text."""
    infers = writer.recipe.columns == "auto" and not writer.layout.settled
    named = _named(writer)
    for found in gathered(batches):
        names = _names(found.rows, writer)
        columns = {name: JsonColumn(name, found.rows, writer.cleaner) for name in names}
        rows, where = found.rows, found.where
        if any(column.is_nested for column in columns.values()):
            kept = _shallow(found, writer)
            rows, where = [found.rows[at] for at in kept], partial(_kept, found.where, kept)
            names = _names(rows, writer)
            columns = {name: JsonColumn(name, rows, writer.cleaner) for name in names}
        if named:
            writer.found |= named.intersection(chain.from_iterable(rows))
        if not writer.layout.settled:
            _see(rows, columns, infers, writer)
            writer.check()
        pinned = [(columns[column.name], column.type) for column in writer.layout.columns]
        values = [column.typed(kind) for column, kind in pinned]
        texts = [column.texts if typed is None else typed for (column, _), typed in zip(pinned, values, strict=True)]
        writer.columns(Batch(texts, len(rows), where), texts, values)
        writer.rejects.flush()


def _names(rows: Sequence[dict[str, Json]], writer: PartWriter) -> list[str]:
    """Return the layout's columns, and behind them what else the rows have, where they may still become columns."""
    names = dict.fromkeys(writer.layout.names)
    if not writer.layout.settled:
        for row in rows:
            if not row.keys() <= names.keys():
                names |= dict.fromkeys(row)
    return list(names)


def _see(rows: Sequence[dict[str, Json]], columns: Mapping[str, JsonColumn], infers: bool, writer: PartWriter) -> None:
    """Take note of the names of rows in the order of their appearance, and of the types of their values."""
    for row in rows:
        if not row.keys() <= writer.seen.keys():
            for name in row:
                writer.seen.setdefault(name, "null")
    if len(writer.seen) > COLUMNS_LIMIT:
        raise NotATable(f"the objects have more than {COLUMNS_LIMIT:,} different names: write jsonl instead")
    if infers:
        for name in writer.seen:
            if name in columns:
                writer.seen[name] = columns[name].kind(writer.seen[name])


def _shallow(found: Rows, writer: PartWriter) -> list[int]:
    """Return the indices of the rows that are not nested too deep; reject the others."""
    kept = []
    for at, row in enumerate(found.rows):
        if is_too_deep(row):
            start, stop = found.where(at)
            writer.reject(writer.window.offset(start), stop, TOO_DEEP, None, None)
        else:
            kept.append(at)
    return kept


def _kept(where: Callable[[int], Place], kept: Sequence[int], index: int) -> Place:
    return where(kept[index])


@uncollected()
def read_json(batches: Iterable[JsonBatch], writer: PartWriter) -> None:
    """Clean and write objects as they are, each with its own names and what is nested in it."""
    parsers = _parsers(writer)
    named = _named(writer)
    changes = bool(parsers) or writer.recipe.columns == "text"
    dumps = json_rows.line_dumps()
    for batch in batches:
        batch = batch.proven() if changes else batch
        rows, lines, dropped = _written(batch, writer, parsers, dumps)
        if not changes and batch is not (batch := batch.proven(b"".join(lines))):
            rows, lines, dropped = _written(batch, writer, parsers, dumps)
        if faults := writer.unheld(lines):
            held = [at for at in range(len(batch.places)) if at not in dropped]
            dropped |= {held[at]: fault for at, fault in faults.items()}
            rows = [row for at, row in enumerate(rows) if at not in faults]
            lines = [line for at, line in enumerate(lines) if at not in faults]
        for at, (reason, name, text) in sorted(dropped.items()):
            start, stop = batch.places[at]
            writer.reject(writer.window.offset(start), stop, reason, name, text)
        if named:
            writer.found |= named.intersection(chain.from_iterable(batch.rows))
        writer.lines(lines, rows)
        writer.rejects.flush()


def _written(
    batch: JsonBatch,
    writer: PartWriter,
    parsers: Mapping[str, tuple[Callable[[str], Json], str]],
    dumps: Callable[[Json], bytes],
) -> tuple[list[dict[str, Json]], list[bytes], Dropped]:
    """Return the rows of a batch cleaned and typed, as objects and as lines, and which of its rows are dropped."""
    rows = batch.rows
    writer.cleaner.rows(rows)
    if writer.recipe.columns == "text":
        rows = [{name: _scalar_as_text(value) for name, value in row.items()} for row in rows]
    dropped = _misfits(rows, parsers) if parsers else {}
    lines = _lines(rows, dumps, dropped)
    if dropped:
        rows = [row for at, row in enumerate(rows) if at not in dropped]
    return rows, lines, dropped


def _misfits(rows: Sequence[dict[str, Json]], parsers: Mapping[str, tuple[Callable[[str], Json], str]]) -> Dropped:
    """Give the declared columns of rows their types, in place; return the rows that do not fit."""
    found = ((at, _typed(row, parsers)) for at, row in enumerate(rows))
    return {at: misfit for at, misfit in found if misfit}


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


def _lines(rows: Sequence[dict[str, Json]], dumps: Callable[[Json], bytes], dropped: Dropped) -> list[bytes]:
    """Return rows as lines of JSON, but those that are dropped; drop those that are nested too deep."""
    if not dropped:
        try:
            lines = list(map(dumps, rows))
        except TypeError:
            pass  # orjson's own limit of depth is beyond ours: one of the rows is over both
        else:
            # A line of n levels has n brackets and as many that close them.
            if max(map(len, lines), default=0) <= 2 * DEPTH_LIMIT:
                return lines
            long = [(line, row) for line, row in zip(lines, rows, strict=True) if len(line) > 2 * DEPTH_LIMIT]
            if not any(line.count(b"{") + line.count(b"[") > DEPTH_LIMIT and is_too_deep(row) for line, row in long):
                return lines
    dropped |= {at: (TOO_DEEP, None, None) for at, row in enumerate(rows) if at not in dropped and is_too_deep(row)}
    return [dumps(row) for at, row in enumerate(rows) if at not in dropped]


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
