"""Where the rows of a span begin and end: a guess at the first, and the exact end that follows from it.

A worker owns the rows whose first byte lies in its span. From a true row start the parse is deterministic, so
parts whose ends and starts meet, from the first row to the end of the object, are the sequential parse, however
each start was guessed. Speculative splitting of CSV: Ge et al., SIGMOD 2019, doi.org/10.1145/3299869.3319898.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from fanfold.kinds.table.csv_grammar import CsvGrammar
from fanfold.kinds.table.jsonl_grammar import JsonlGrammar
from fanfold.kinds.table.layout import ROW_LIMIT_BYTES, Layout
from fanfold.kinds.table.window import Window
from fanfold.model import Json, Source

LOOK_STEPS_BYTES = (4 << 10, 8 << 10, 16 << 10, 32 << 10, 60 << 10)
"""How far behind its span a worker reads, step by step; beyond the last step only for a huge row."""

GUESS_BYTES = 1 << 20
"""How much of its span a worker looks at, at first, to guess where its first row begins."""


MARK_UNITS = 2 << 20
"""About how far apart the marks are that the search for a span's end leaves: what is read at once."""


class Grammar(Protocol):
    """Row structure of one format; positions count code units."""

    def advance(self, buffer: bytes, row: int, bound: int, at_end: bool) -> tuple[int, bool]: ...

    def guesses(self, buffer: bytes, bound: int, at_end: bool) -> list[int]: ...

    def open_quote(self, buffer: bytes, row: int) -> int | None: ...


def grammar(layout: Layout) -> Grammar:
    """Return the grammar of a layout's format and dialect."""
    return CsvGrammar(layout.dialect, len(layout.columns)) if layout.format == "csv" else JsonlGrammar()


@dataclass(frozen=True, slots=True)
class Bounds:
    """Byte offsets in the object."""

    first: int | None
    """Where the span's first row begins; None where none seems to."""
    next: int | None
    """Where the first row at or behind the span's end begins; None where nobody knows."""
    alts: Mapping[int, int]
    """By other places where the first row may begin: what `next` is then."""
    too_large: int | None = None
    """Where a row begins that is larger than a row may be; `next` is None then."""

    def to_json(self) -> dict[str, Json]:
        alts = [[first, following] for first, following in self.alts.items()]
        return {"first": self.first, "next": self.next, "alts": alts, "too_large": self.too_large}

    @classmethod
    def from_json(cls, data: Json) -> Bounds:
        return cls(data["first"], data["next"], dict(data["alts"]), data["too_large"])


def find(source: Source, layout: Layout, start: int, stop: int, pin: int | None = None) -> tuple[Bounds, Window]:
    """Find the bounds of the rows that begin in [start, stop), and return the bytes read for it.

    `pin` is where the first of them begins, if that is known. Row starts are a function of the source, the layout
    and these arguments.
    """
    rows = grammar(layout)
    if start <= layout.start:
        pin = layout.start if pin is None else pin
    origin = start - layout.unit if pin is None else pin
    window = Window(source, origin, stop + LOOK_STEPS_BYTES[0], layout.encoding, layout.unit)
    bound = window.position(stop)
    if pin is not None:
        if pin >= source.size_bytes:
            return Bounds(pin, pin, {}), window
        following, too_large = _end(rows, window, 0, stop)
        return Bounds(pin, following, {}, too_large), window
    starts = _guess(rows, window, bound)
    if not starts:
        return Bounds(None, None, {}), window
    following, too_large = _end(rows, window, starts[0], stop)
    alts = {}
    for other in starts[1:]:
        row, sure = rows.advance(window.shadow, other, bound, window.at_end)
        if sure:
            alts[window.offset(other)] = window.offset(row)
    return Bounds(window.offset(starts[0]), following, alts, too_large), window


def _guess(rows: Grammar, window: Window, bound: int) -> list[int]:
    near = GUESS_BYTES // window.unit
    if near < bound and (starts := rows.guesses(window.shadow[:near], bound, False)):
        return starts
    return rows.guesses(window.shadow, bound, window.at_end)


def _end(rows: Grammar, window: Window, row: int, stop: int) -> tuple[int | None, int | None]:
    """Return the first row start at or behind `stop`, reading on as far as it takes; and where too large a row is."""
    bound = window.position(stop)
    steps = iter(LOOK_STEPS_BYTES[1:])
    while True:
        row, sure = rows.advance(window.shadow, row, min(bound, row + MARK_UNITS), window.at_end)
        if sure and (row >= bound or row >= len(window.shadow)):
            return window.offset(row), None
        if sure:
            window.marks.append(row)
            continue
        begins = window.offset(row)
        if window.stop - begins > ROW_LIMIT_BYTES:
            return None, begins
        step = next(steps, None)
        huge = window.stop + max(LOOK_STEPS_BYTES[-1], window.stop - begins)
        window.grow(huge if step is None else stop + step)


def scan(source: Source, layout: Layout, first: int, stop: int) -> tuple[int | None, int | None]:
    """Return the first row start at or behind `stop`, going from the row start `first`; see `Bounds`."""
    bounds, _ = find(source, layout, first, stop, first)
    return bounds.next, bounds.too_large
