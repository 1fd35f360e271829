"""Where a part's rows go: lines of JSON or CSV, Parquet row groups, and blocks of rows for the index."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any

from fanfold.kinds.table import footers, parquet
from fanfold.kinds.table.layout import Column, Layout
from fanfold.kinds.table.values import Value, as_text, json_form
from fanfold.model import Desk

BLOCK_BYTES = 4 << 20
"""How much JSON one line of an index round takes, at least: some ten thousand rows."""

_NEEDS_QUOTES = re.compile(r'[",\r\n]')


def json_lines(columns: Sequence[Column], values: Sequence[Sequence[Value]]) -> Iterator[bytes]:
    """Yield each row of typed values as a line of JSON; every column is there, null or not."""
    import orjson

    ready: list[Sequence[Any]] = []
    for column, cells in zip(columns, values, strict=True):
        form = json_form(column.type)
        ready.append(cells if form is None else [None if cell is None else form(cell) for cell in cells])
    names = [column.name for column in columns]
    for row in zip(*ready, strict=True):
        yield orjson.dumps(dict(zip(names, row, strict=True)), option=orjson.OPT_APPEND_NEWLINE)


def csv_lines(values: Sequence[Sequence[Value]]) -> Iterator[bytes]:
    """Yield each row of typed values as a line of CSV: commas, LF, quotes where they are needed, null as nothing.

    RFC 4180 (https://www.rfc-editor.org/rfc/rfc4180), but for its line end.
    """
    texts = [["" if cell is None else as_text(cell) for cell in cells] for cells in values]
    for row in zip(*texts, strict=True):
        yield csv_line(row)


def csv_line(cells: Sequence[str]) -> bytes:
    """Return one line of CSV. A row of one empty cell is quoted, for a blank line would be no row."""
    line = ",".join(cells)
    if '"' in line or "\n" in line or "\r" in line or line.count(",") != len(cells) - 1 or not line:
        line = ",".join('"' + cell.replace('"', '""') + '"' if _NEEDS_QUOTES.search(cell) else cell for cell in cells)
    return (line or '""').encode() + b"\n"


class Blocks:
    """Rows as lines of JSON in objects of a few megabytes, each of which one worker of an index round takes."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lines: list[bytes] = []
        self._bytes = 0
        self.rows: list[int] = []
        """How many rows each block has."""

    def add(self, line: bytes) -> None:
        self._lines.append(line)
        self._bytes += len(line)
        if self._bytes >= BLOCK_BYTES:
            self.finish()

    def finish(self) -> None:
        """Write what has not been written."""
        if self._lines:
            self._desk.write(block_name(len(self.rows)), b"".join(self._lines))
            self.rows.append(len(self._lines))
            self._lines, self._bytes = [], 0


def block_name(number: int) -> str:
    """Return the name of a part's object that holds a block of rows."""
    return f"block-{number:05}"


class Cells:
    """Rows on their way to Parquet, by the cells of the grid over the object in which they begin.

    A span that covers its cells makes their row groups. Any other leaves Arrow batches, for a later round to pack.
    """

    def __init__(self, desk: Desk, layout: Layout, covers: bool) -> None:
        self._desk = desk
        self._layout = layout
        self._covers = covers
        self._cell = 0
        self._batches: list[Any] = []
        self.made: list[dict[str, int]] = []
        """For each cell with rows: its number, and the length of the Parquet footer where there is one."""

    def add(self, offsets: Sequence[int], values: Sequence[Sequence[Value]]) -> None:
        """Take typed rows that begin at ascending `offsets`."""
        start = 0
        while start < len(offsets):
            cell = offsets[start] // self._layout.cell_bytes
            stop = bisect_left(offsets, (cell + 1) * self._layout.cell_bytes, start)
            if cell != self._cell:
                self.finish()
                self._cell = cell
            self._batches.append(parquet.record_batch(self._layout.columns, [cells[start:stop] for cells in values]))
            start = stop

    def finish(self) -> None:
        """Write what has not been written."""
        if not self._batches:
            return
        kinds = parquet.schema(self._layout.columns)
        if self._covers:
            data = parquet.row_group(self._batches, kinds)
            self.made.append({"cell": self._cell, "footer_bytes": footers.footer_bytes(data)})
        else:
            data = parquet.stream(self._batches, kinds)
            self.made.append({"cell": self._cell})
        self._desk.write(cell_name(self._cell), data)
        self._batches = []


def cell_name(cell: int) -> str:
    """Return the name of a part's object that holds the rows of a cell."""
    return f"cell-{cell:05}"
