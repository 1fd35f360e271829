"""A worker's part: from a span of the object to rows, rejects, and what the merge needs to know of them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import partial

from fanfold.kinds.pieces import Pieces
from fanfold.kinds.table import packing
from fanfold.kinds.table.bounds import find, grammar, with_alts
from fanfold.kinds.table.csv_blocks import CsvBlocks
from fanfold.kinds.table.json_grammar import ArrayGrammar, ValuesGrammar
from fanfold.kinds.table.json_reading import JsonLines, JsonSpan
from fanfold.kinds.table.layout import Layout
from fanfold.kinds.table.opening.working import is_opening, work
from fanfold.kinds.table.readers import read_csv, read_json, read_json_as_columns
from fanfold.kinds.table.recipe import TableRecipe
from fanfold.kinds.table.rejects import Rejects
from fanfold.kinds.table.sinks import Cell
from fanfold.kinds.table.writer import PartWriter
from fanfold.model import Desk, Json, Line, Source

SPOOLED_BYTES = 8 << 20
"""What is written stays in memory up to here, and goes to disk beyond."""


def process(source: Source, recipe: TableRecipe, layout: Json, line: Line, desk: Desk) -> Mapping[str, Json]:
    """Work on one line: open its span, or the rows that begin in it, or what it packs into a Parquet row group.

    The bounds are noted before the rows are read, so that a chunk that fails still certifies its neighbours. What
    is wrong with the object itself is a fact for the merge to judge, because this worker's guess may be wrong.
    """
    if is_opening(layout):
        return work(source, layout, line, desk)
    pinned = Layout.from_json(layout)
    if "pack" in line.span:
        return packing.pack(pinned, line, desk)
    if pinned.pieces:
        source = Pieces(pinned.pieces, desk.read)
    span = line.span
    rules = grammar(pinned)
    ends_by_line = pinned.format == "jsonl"
    bounds, window = find(source, pinned, span["start"], span["stop"], span.get("pin"), to_end=ends_by_line)
    desk.note(bounds.to_json())
    spooled = partial(tempfile.SpooledTemporaryFile, SPOOLED_BYTES)
    with spooled() as rows_file, spooled() as rejects_file:
        rejects = Rejects(rejects_file)
        cell = _cell(pinned, source, span, desk) if recipe.output == "parquet" else None
        writer = PartWriter(pinned, recipe, desk, window, rejects, rows_file, cell)
        unclosed = None
        read = read_json if recipe.output == "jsonl" else read_json_as_columns
        if isinstance(rules, ArrayGrammar | ValuesGrammar):
            if bounds.first is not None and bounds.next is None:
                objects = JsonSpan(window, pinned, rejects, rules, bounds)
                read(objects.batches(window.position(bounds.first), window.position(span["stop"])), writer)
                bounds = objects.bounds
        elif pinned.format == "csv" and bounds.first is not None:
            blocks = CsvBlocks(window, pinned, writer.cleaner, rejects, bounds)
            read_csv(blocks.batches(span["stop"]), writer)
            bounds = with_alts(blocks.bounds, pinned, span["stop"], window)
            unclosed = blocks.unclosed
        elif bounds.first is not None and bounds.next is not None:
            first, last = window.position(bounds.first), window.position(bounds.next)
            read(JsonLines(window, pinned, rejects).batches(first, last), writer)
        facts = writer.finish()
        if rejects.count:
            desk.write("rejects", rejects_file)
        return {**bounds.to_json(), **facts, "unclosed": unclosed}


def _cell(layout: Layout, source: Source, span: Mapping[str, Json], desk: Desk) -> Cell:
    """Return where the rows of a span go that lies within one cell."""
    starts = span["start"] <= layout.start or span["start"] % layout.cell_bytes == 0
    stops = span["stop"] >= source.size_bytes or span["stop"] % layout.cell_bytes == 0
    return Cell(desk, layout, span["start"] // layout.cell_bytes, starts and stops)
