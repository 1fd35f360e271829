"""Where a part's rows go: lines of JSON or CSV, Parquet row groups, and blocks of rows for the index."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from fanfold.kinds.table import footers, parquet
from fanfold.kinds.table.buckets import block_name
from fanfold.kinds.table.casting import Typed, json_values, texts_of
from fanfold.kinds.table.layout import Layout
from fanfold.model import Desk

BLOCK_BYTES = 4 << 20
"""How much JSON one line of an index round takes, at least: some ten thousand rows."""

_NEEDS_QUOTES = re.compile(r'[",\r\n]')


def json_lines(columns: Sequence[Typed]) -> Iterator[bytes]:
    """Yield each row of typed columns as a line of JSON; every column is there, null or not."""
    import orjson

    names = [typed.column.name for typed in columns]
    for row in zip(*map(json_values, columns), strict=True):
        yield orjson.dumps(dict(zip(names, row, strict=True)), option=orjson.OPT_APPEND_NEWLINE)


def csv_lines(columns: Sequence[Typed]) -> Iterator[bytes]:
    """Yield each row of typed columns as a line of CSV: commas, LF, quotes where they are needed, null as nothing.

    RFC 4180 (https://www.rfc-editor.org/rfc/rfc4180), but for its line end.
    """
    for row in zip(*map(texts_of, columns), strict=True):
        yield csv_line([cell or "" for cell in row])


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

    def add(self, lines: Sequence[bytes]) -> None:
        """Take rows as lines of JSON."""
        for line in lines:
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


class Cell:
    """Rows on their way to Parquet: those of one span, which lies within one cell of the grid over the object.

    A span that covers its cell makes its row group. Any other leaves Arrow batches, for a later round to pack.
    """

    def __init__(self, desk: Desk, layout: Layout, number: int, is_covered: bool) -> None:
        self._desk = desk
        self._layout = layout
        self._number = number
        self._is_covered = is_covered
        self._batches: list[Any] = []

    def add(self, columns: Sequence[Typed]) -> None:
        """Take some more rows."""
        batch = parquet.record_batch(columns)
        if batch.num_rows:
            self._batches.append(batch)

    def finish(self) -> list[dict[str, int]]:
        """Write the rows; return the cell's number, and the length of its Parquet footer where there is one."""
        if not self._batches:
            return []
        kinds = parquet.schema(self._layout.columns)
        made = {"cell": self._number}
        if self._is_covered:
            data = parquet.row_group(self._batches, kinds)
            made["footer_bytes"] = footers.footer_bytes(data)
        else:
            data = parquet.stream(self._batches, kinds)
        self._desk.write(cell_name(self._number), data)
        return [made]


def cell_name(cell: int) -> str:
    """Return the name of a part's object that holds the rows of a cell."""
    return f"cell-{cell:05}"
