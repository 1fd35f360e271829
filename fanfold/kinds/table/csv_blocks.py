"""From bytes to the rows of CSV as Arrow columns of text, a megabyte at a time.

Arrow's parser reads what it reads as `csv.reader` does, ten times faster. `csv.reader` itself reads the rest: dialects
and rows that Arrow refuses or understands otherwise.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.csv

from fanfold.kinds.table.cleaning import Cleaner
from fanfold.kinds.table.csv_grammar import CsvGrammar
from fanfold.kinds.table.csv_rows import raw, rows
from fanfold.kinds.table.layout import Dialect, Layout
from fanfold.kinds.table.rejects import Rejects
from fanfold.kinds.table.window import Window

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

    def __init__(self, window: Window, layout: Layout, cleaner: Cleaner, rejects: Rejects) -> None:
        self._window = window
        self._layout = layout
        self._cleaner = cleaner
        self._rejects = rejects
        self._grammar = CsvGrammar(layout.dialect, len(layout.columns))
        dialect = layout.dialect
        self._suits_arrow = bool(layout.columns) and dialect == Dialect(dialect.delimiter, dialect.quote)
        self._parsing = pyarrow.csv.ParseOptions(
            delimiter=dialect.delimiter, quote_char=dialect.quote or False, newlines_in_values=True
        )
        self._converting = pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(layout.names, pa.string()),
            null_values=sorted(cleaner.nulls),
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        )

    def batches(self, first: int, last: int) -> Iterator[Batch]:
        """Yield what lies from position `first` to `last`, both row starts."""
        marks = [mark for mark in self._window.marks if first < mark < last]
        for start, stop in pairwise((first, *marks, last)):
            yield self._by_arrow(start, stop) or self._by_reader(start, stop)

    def last_start(self, first: int, last: int) -> int | None:
        """Return where the last row that ends at `last` begins, None where there is none."""
        start = max((mark for mark in self._window.marks if first < mark < last), default=first)
        return max((row for row, _ in self._grammar.rows(self._window.shadow, start, last)), default=None)

    def _by_arrow(self, start: int, stop: int) -> Batch | None:
        """Return what lies between two row starts; None where Arrow would not read it as `csv.reader` does."""
        if not self._suits_arrow:
            return None
        data = self._window.bytes(start, stop)
        if self._layout.encoding != "utf-8":
            try:
                data = data.decode(self._layout.encoding).encode()
            except UnicodeDecodeError:
                return None
        if data.startswith(codecs.BOM_UTF8):
            return None
        reading = pyarrow.csv.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=self._layout.names)
        try:
            table = pyarrow.csv.read_csv(pa.py_buffer(data), reading, self._parsing, self._converting)
        except pa.ArrowInvalid:
            return None  # rows of too many or too few cells, or bytes that are no UTF-8: found one by one
        located = _Rows(self._grammar, self._window, start, stop)
        return Batch([column.combine_chunks() for column in table.columns], table.num_rows, located.where)

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
                self._reject(row.start, row.stop, f"{len(row.cells)} fields where the table has {width}")
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
