"""From bytes to the cells of CSV, with where each row begins."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from fanfold.kinds.table.encodings import decode
from fanfold.kinds.table.layout import Layout
from fanfold.kinds.table.rejects import Rejects
from fanfold.kinds.table.window import Window

BATCH_ROWS = 4096

_LINE = re.compile(rb"[^\r\n]*+(?:\r\n|\r|\n|\Z)")


class Row(NamedTuple):
    """One row, blank ones too; positions count code units of a window."""

    start: int
    stop: int
    cells: list[str]
    decodes: bool


@dataclass(slots=True)
class Batch:
    """Some rows of as many cells as the table has columns, by column."""

    offsets: list[int] = field(default_factory=list)
    """Where each row begins, in bytes of the object."""
    stops: list[int] = field(default_factory=list)
    """Where each row ends, as a position in the window."""
    columns: list[tuple[str, ...]] = field(default_factory=list)


def rows(window: Window, first: int, last: int, layout: Layout) -> Iterator[Row]:
    """Yield the rows from position `first` to `last`, both row starts, as `csv.reader` reads them."""
    stop, decodes = first, True

    def lines() -> Iterator[str]:
        nonlocal stop, decodes
        for line in _LINE.finditer(window.shadow, first, last):
            if line.end() == line.start():
                return
            stop = line.end()
            text, fits = decode(window.bytes(line.start(), stop), layout.encoding)
            if not fits:
                decodes = False
            yield text

    start = first
    for cells in csv.reader(lines(), **layout.dialect.for_reader()):
        yield Row(start, stop, cells, decodes)
        start, decodes = stop, True


class CsvRows:
    """The rows of one span in batches; those that are no rows of this table are rejected."""

    def __init__(self, window: Window, layout: Layout, rejects: Rejects) -> None:
        self._window = window
        self._layout = layout
        self._rejects = rejects
        self.last_start: int | None = None
        """Where the last row begins, as a position in the window, once all are read."""

    def batches(self, first: int, last: int) -> Iterator[Batch]:
        """Yield what lies from position `first` to `last`; a batch may be empty."""
        width = len(self._layout.columns)
        kept: list[list[str]] = []
        batch = Batch()
        for row in rows(self._window, first, last, self._layout):
            self.last_start = row.start
            if not row.cells:
                continue
            if not row.decodes:
                self._rejects.undecodable += 1
                self._reject(row, f"bytes that are no {self._layout.encoding}")
            elif len(row.cells) != width:
                self._reject(row, f"{len(row.cells)} fields where the table has {width}")
            else:
                kept.append(row.cells)
                batch.offsets.append(self._window.offset(row.start))
                batch.stops.append(row.stop)
                if len(kept) == BATCH_ROWS:
                    batch.columns = list(zip(*kept, strict=True))
                    yield batch
                    kept, batch = [], Batch()
        batch.columns = list(zip(*kept, strict=True)) or [()] * width
        yield batch

    def _reject(self, row: Row, reason: str) -> None:
        self._rejects.add(self._window.offset(row.start), reason, raw(self._window, row.start, row.stop, self._layout))


def raw(window: Window, start: int, stop: int, layout: Layout) -> str:
    """Return the text between two positions, with a sign for every byte that does not decode."""
    return window.bytes(start, stop).decode(layout.encoding, "replace")
