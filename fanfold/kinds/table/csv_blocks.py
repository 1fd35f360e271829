"""From bytes to the rows of CSV as Arrow columns of text, some megabytes at a time.

Arrow's parser reads what it reads as `csv.reader` does, ten times faster. `csv.reader` itself reads the rest: dialects
and rows that Arrow refuses or understands otherwise.

A block is cut behind a line feed, and what Arrow makes of it tells whether a row ends there. Were the line feed
inside quotes, then the last value of the last row would be the one that they opened, and end in that line feed: Arrow
takes it as it stands, and a row too short is an error. So where that value ends in anything else a row ends, and the
bytes need not be looked at before they are parsed.
"""

from __future__ import annotations

import codecs
import re
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.csv

from fanfold.kinds.table.bounds import Bounds, Reading
from fanfold.kinds.table.cleaning import Cleaner
from fanfold.kinds.table.csv_grammar import CsvGrammar
from fanfold.kinds.table.csv_rows import raw, rows
from fanfold.kinds.table.layout import Dialect, Layout
from fanfold.kinds.table.rejects import Rejects
from fanfold.kinds.table.window import Window

BLOCK_UNITS = 4 << 20
"""About how much is parsed at once: more would take memory, and less more calls, at the same speed or a lower one."""

_LONE_CR = re.compile(rb"\r(?!\n)")

Span = tuple[int, int]
"""Where a row begins and ends, as positions in the window."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows of as many cells as the table has columns."""

    columns: Sequence[Any]
    """By column an Arrow array of text. Null values are null where they need no trimming."""
    rows: int
    where: Callable[[int], Span]
    """Where the row of an index lies in the window."""


class CsvBlocks:
    """The rows of one span in batches; those that are no rows of this table are rejected."""

    def __init__(self, window: Window, layout: Layout, cleaner: Cleaner, rejects: Rejects, bounds: Bounds) -> None:
        """bounds: of the span, with its first row, and its end left open."""
        self.bounds = bounds
        """With the end, once all batches are read."""
        self.unclosed: int | None = None
        """The offset of the quote that the last row opens and the object does not close."""
        self._window = window
        self._layout = layout
        self._cleaner = cleaner
        self._rejects = rejects
        self._grammar = CsvGrammar(layout.dialect, len(layout.columns))
        dialect = layout.dialect
        self._suits_arrow = bool(layout.columns) and dialect == Dialect(dialect.delimiter, dialect.quote)
        # A null shows no text, by which a block's end is told.
        self._tells_ends = self._suits_arrow and not any(text.endswith("\n") for text in cleaner.nulls)
        self._parsing = pyarrow.csv.ParseOptions(
            delimiter=dialect.delimiter, quote_char=dialect.quote or False, newlines_in_values=True
        )
        self._converting = pyarrow.csv.ConvertOptions(
            check_utf8=False,
            column_types=dict.fromkeys(layout.names, pa.string()),
            null_values=sorted(cleaner.nulls),
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        )

    def batches(self, stop: int) -> Iterator[Batch]:
        """Yield the rows that begin before the offset `stop`, and find where the first one behind them does."""
        window = self._window
        bound, reading = window.position(stop), Reading(window, stop)
        at = begins = window.position(self.bounds.first or 0)
        while at < bound and at < len(window.shadow):
            begins = at
            end = self._cut(at, bound)
            batch = None if end is None else self._by_arrow(at, end)
            if batch is None or end is None or not self._ends_a_row(batch, end):
                end, sure = reading.advance(self._grammar, at, min(bound, at + BLOCK_UNITS))
                if not sure:
                    self.bounds = self.bounds.outgrown(window.offset(end))
                    return
                batch = self._by_arrow(at, end) or self._by_reader(at, end)
            yield batch
            at = end
        self.bounds = self.bounds.ending(window.offset(at))
        if at > begins and window.at_end and at >= len(window.shadow):
            self.unclosed = self._unclosed(begins, at)

    def _cut(self, start: int, bound: int) -> int | None:
        """Return where a block from a row start on may end: behind a line feed near its size, or the first at `bound`.

        None where there is none, or where a CR by itself, which ends a row too, may stand before it.
        """
        if not self._tells_ends:
            return None
        shadow = self._window.shadow
        last = start + BLOCK_UNITS >= bound
        found = shadow.find(b"\n", bound - 1) if last else shadow.rfind(b"\n", start, start + BLOCK_UNITS)
        if found < 0 or (shadow.find(b"\r", start, found) >= 0 and _LONE_CR.search(shadow, start, found + 1)):
            return None
        return found + 1

    def _ends_a_row(self, batch: Batch, end: int) -> bool:
        """Tell whether a row of a parsed block ends where the block does, behind a line feed."""
        if self._window.at_end and end >= len(self._window.shadow):
            return True
        return not batch.rows or not str(batch.columns[-1][-1].as_py() or "").endswith("\n")

    def _unclosed(self, start: int, stop: int) -> int | None:
        """Return the offset of the quote that the last of the rows from `start` to the object's end opens."""
        last = max((row for row, _ in self._grammar.rows(self._window.shadow, start, stop)), default=None)
        opened = None if last is None else self._grammar.open_quote(self._window.shadow, last)
        return None if opened is None else self._window.offset(opened)

    def _by_arrow(self, start: int, stop: int) -> Batch | None:
        """Return what lies between two row starts; None where Arrow would not read it as `csv.reader` does."""
        if not self._suits_arrow:
            return None
        data = self._utf8(start, stop)
        if data is None or data[:3].to_pybytes() == codecs.BOM_UTF8:
            return None
        reading = pyarrow.csv.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=self._layout.names)
        try:
            table = pyarrow.csv.read_csv(data, reading, self._parsing, self._converting)
        except pa.ArrowInvalid:
            return None  # rows of too many or too few cells: found one by one
        located = _Rows(self._grammar, self._window, start, stop)
        columns = [column.chunk(0) if column.num_chunks == 1 else column.combine_chunks() for column in table.columns]
        return Batch(columns, table.num_rows, located.where)

    def _utf8(self, start: int, stop: int) -> Any:
        """Return what lies between two positions as an Arrow buffer of UTF-8, or None where bytes do not decode."""
        if self._layout.encoding != "utf-8":
            try:
                return pa.py_buffer(self._window.bytes(start, stop).decode(self._layout.encoding).encode())
            except UnicodeDecodeError:
                return None
        data = pa.py_buffer(self._window.raw).slice(start, stop - start)
        # Delimiters and quotes are ASCII, so where all of it is UTF-8 each cell is: one check for millions.
        ends = pa.py_buffer(struct.pack("=ii", 0, data.size))
        try:
            pa.Array.from_buffers(pa.binary(), 1, [None, ends, data]).cast(pa.string())
        except pa.ArrowInvalid:
            return None
        return data

    def _by_reader(self, start: int, stop: int) -> Batch:
        width = len(self._layout.columns)
        kept: list[list[str]] = []
        spans: list[Span] = []
        for row in rows(self._window, start, stop, self._layout):
            if not row.cells:
                continue
            if not row.decodes:
                self._rejects.undecodable += 1
                self._reject(row.start, row.stop, f"bytes that are no {self._layout.encoding}")
            elif len(row.cells) != width:
                self._reject(row.start, row.stop, f"{_fields(len(row.cells))} where the table has {width}")
            else:
                kept.append(row.cells)
                spans.append((row.start, row.stop))
        columns = [pa.array(column, pa.string()) for column in zip(*kept, strict=True)] if kept else []
        columns = [self._cleaner.nulled(column) for column in columns] or [pa.array([], pa.string())] * width
        return Batch(columns, len(kept), spans.__getitem__)

    def _reject(self, start: int, stop: int, reason: str) -> None:
        self._rejects.add(self._window.offset(start), reason, raw(self._window, start, stop, self._layout))


class _Rows:
    """Where the rows between two row starts lie, found when somebody asks."""

    def __init__(self, grammar: CsvGrammar, window: Window, start: int, stop: int) -> None:
        self._grammar = grammar
        self._window = window
        self._start = start
        self._stop = stop

    @cached_property
    def _spans(self) -> list[Span]:
        shadow = self._window.shadow
        found = self._grammar.rows(shadow, self._start, self._stop)
        return [(start, stop) for start, stop in found if shadow[start] not in b"\r\n"]

    def where(self, index: int) -> Span:
        return self._spans[index]


def _fields(count: int) -> str:
    return "1 field" if count == 1 else f"{count:,} fields"
