"""Where the rows of a span begin and end: a guess at the first, and the exact end that follows from it.

A worker owns the rows whose first byte lies in its span. From a true row start the parse is deterministic, so
parts whose ends and starts meet, from the first row to the end of the object, are the sequential parse, however
each start was guessed. Speculative splitting of CSV: Ge et al., SIGMOD 2019, doi.org/10.1145/3299869.3319898.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from fanfold.kinds.table.csv_grammar import CsvGrammar
from fanfold.kinds.table.json_grammar import ArrayGrammar, Ended, ValuesGrammar
from fanfold.kinds.table.json_lexing import Break
from fanfold.kinds.table.jsonl_grammar import JsonlGrammar
from fanfold.kinds.table.layout import ROW_LIMIT_BYTES, Layout
from fanfold.kinds.table.window import Window
from fanfold.model import Json, Source

LOOK_STEPS_BYTES = (4 << 10, 8 << 10, 16 << 10, 32 << 10, 60 << 10)
"""How far behind its span a worker reads, step by step; beyond the last step only for a huge row."""

GUESS_BYTES = 1 << 20
"""How much of its span a worker looks at, at first, to guess where its first row begins."""

MEETING_ROWS = 256
"""Over how many rows two guesses are followed to see whether they come to the same one."""


class Grammar(Protocol):
    """Row structure of one format; positions count code units."""

    def advance(self, buffer: bytes, row: int, bound: int, at_end: bool) -> tuple[int, bool]: ...

    def guesses(self, buffer: bytes, bound: int, at_end: bool) -> list[int]: ...

    def open_quote(self, buffer: bytes, row: int) -> int | None: ...


def grammar(layout: Layout) -> Grammar:
    """Return the grammar of a layout's format and dialect."""
    if layout.format == "csv":
        return CsvGrammar(layout.dialect, len(layout.columns))
    if layout.format == "jsonl":
        return JsonlGrammar()
    return ArrayGrammar() if layout.format == "array" else ValuesGrammar()


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
    end: int | None = None
    """Behind the bracket of the array that holds the rows, where it ends here; `next` is the object's end then."""
    broken: tuple[int, int, str] | None = None
    """Where JSON breaks, where the row before begins, and why; `next` is None then."""

    def ending(self, following: int) -> Bounds:
        """Return the same with where the first row behind the span begins."""
        return replace(self, next=following)

    def closed(self, end: int, size_bytes: int) -> Bounds:
        """Return the same with where the array of the rows ends."""
        return replace(self, next=size_bytes, end=end)

    def breaking(self, offset: int, row: int, reason: str) -> Bounds:
        """Return the same with where and why JSON breaks in or behind a row."""
        return replace(self, broken=(offset, row, reason))

    def outgrown(self, row: int) -> Bounds:
        """Return the same with where too large a row begins."""
        return replace(self, too_large=row)

    def to_json(self) -> dict[str, Json]:
        alts = [[first, following] for first, following in self.alts.items()]
        facts = {"first": self.first, "next": self.next, "alts": alts, "too_large": self.too_large}
        return {**facts, "end": self.end, "broken": self.broken and list(self.broken)}

    @classmethod
    def from_json(cls, data: Json) -> Bounds:
        broken = data["broken"] and tuple(data["broken"])
        return cls(data["first"], data["next"], dict(data["alts"]), data["too_large"], data["end"], broken)


def find(
    source: Source, layout: Layout, start: int, stop: int, pin: int | None = None, *, to_end: bool = True
) -> tuple[Bounds, Window]:
    """Find the bounds of the rows that begin in [start, stop), and return the bytes read for it.

    `pin` is where the first of them begins, if that is known. Row starts are a function of the source, the layout
    and these arguments. Without `to_end` the end is left open, for a reader to find as it reads the rows; `with_alts`
    then adds what follows from it.
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
        open_ended = Bounds(pin, None, {})
        return _ended(rows, window, 0, stop, open_ended) if to_end else open_ended, window
    window.guesses = _guess(rows, window, bound)
    if not window.guesses:
        return Bounds(None, None, {}), window
    first = window.guesses[0]
    open_ended = Bounds(window.offset(first), None, {})
    return with_alts(
        _ended(rows, window, first, stop, open_ended), layout, stop, window
    ) if to_end else open_ended, window


def with_alts(bounds: Bounds, layout: Layout, stop: int, window: Window) -> Bounds:
    """Return the bounds of the rows up to `stop` with what the other guesses at their first row come to."""
    if len(window.guesses) < 2:
        return bounds
    rows = grammar(layout)
    return replace(bounds, alts=_alts(rows, window, window.guesses, window.position(stop), bounds.next))


def _alts(rows: Grammar, window: Window, starts: list[int], bound: int, following: int | None) -> dict[int, int]:
    """Return by the other places where the first row may begin where the first row behind the span does."""
    alts = {}
    likeliest, *others = starts
    near = set(_first_rows(rows, window, likeliest, bound)) if others and following is not None else set()
    for other in others:
        if following is not None and not near.isdisjoint(_first_rows(rows, window, other, bound)):
            # From a row that both come to, they go the same way.
            alts[window.offset(other)] = following
            continue
        try:
            row, sure = rows.advance(window.shadow, other, bound, window.at_end)
        except (Ended, Break):
            continue
        if sure:
            alts[window.offset(other)] = window.offset(row)
    return alts


def _first_rows(rows: Grammar, window: Window, row: int, bound: int) -> Iterator[int]:
    """Yield the row starts before `bound` that are close behind a row start, and that."""
    for _ in range(MEETING_ROWS):
        yield row
        try:
            row, sure = rows.advance(window.shadow, row, row + 1, window.at_end)
        except (Ended, Break):
            return
        if not sure or row >= bound:
            return


def _guess(rows: Grammar, window: Window, bound: int) -> list[int]:
    near = GUESS_BYTES // window.unit
    if near < bound and (starts := rows.guesses(window.shadow[:near], bound, False)):
        return starts
    return rows.guesses(window.shadow, bound, window.at_end)


def is_too_large(row_bytes: int) -> bool:
    """Tell whether a row has more bytes than it may."""
    return row_bytes > ROW_LIMIT_BYTES


class Reading:
    """Reads on behind a span's end, as far as it takes to see where its last row ends."""

    def __init__(self, window: Window, stop: int) -> None:
        self._window = window
        self._stop = stop
        self._steps = iter(LOOK_STEPS_BYTES[1:])

    def on(self, begins: int) -> bool:
        """Read on for the row that begins at a byte; False where it is larger than a row may be."""
        window = self._window
        if is_too_large(window.stop - begins):
            return False
        step = next(self._steps, None)
        huge = window.stop + max(LOOK_STEPS_BYTES[-1], window.stop - begins)
        window.grow(huge if step is None else self._stop + step)
        return True

    def advance(self, rows: Grammar, row: int, bound: int) -> tuple[int, bool]:
        """Go from a row start to the first one at or behind `bound`, or the end of the object.

        Returns that and True; or, where a row is larger than it may be, where that begins, and False.
        """
        while True:
            row, sure = rows.advance(self._window.shadow, row, bound, self._window.at_end)
            if sure or not self.on(self._window.offset(row)):
                return row, sure


def _ended(rows: Grammar, window: Window, row: int, stop: int, bounds: Bounds) -> Bounds:
    """Return the bounds with the first row start at or behind `stop`, or with what there is instead."""
    try:
        row, sure = Reading(window, stop).advance(rows, row, window.position(stop))
    except Ended as found:
        return bounds.closed(window.offset(found.position), window.size_bytes)
    except Break as found:
        return bounds.breaking(window.offset(found.position), window.offset(found.row), found.reason)
    return bounds.ending(window.offset(row)) if sure else bounds.outgrown(window.offset(row))


def scan(source: Source, layout: Layout, first: int, stop: int) -> Bounds:
    """Return the bounds of the rows from the row start `first` to `stop`."""
    return find(source, layout, first, stop, first)[0]
