"""From bytes to the cells of CSV, row by row, with where each begins: `csv.reader` itself."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from typing import NamedTuple

from fanfold.kinds.table.encodings import decode
from fanfold.kinds.table.layout import Layout
from fanfold.kinds.table.window import Window

_LINE = re.compile(rb"[^\r\n]*+(?:\r\n|\r|\n|\Z)")


class Row(NamedTuple):
    """One row, blank ones too; positions count code units of a window."""

    start: int
    stop: int
    cells: list[str]
    decodes: bool


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


def raw(window: Window, start: int, stop: int, layout: Layout) -> str:
    """Return the text between two positions, with a sign for every byte that does not decode."""
    return window.bytes(start, stop).decode(layout.encoding, "replace")
