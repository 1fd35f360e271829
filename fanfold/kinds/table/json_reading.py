"""From bytes to batches of JSON objects: a whole batch at once where it can be proven right, else one by one.

A fast parser reads a batch in one call. That the batch holds whole rows is proven by its being JSON, and that no
number was changed by `json_numbers`. A batch that fails either is read row by row, exactly.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from fanfold.kinds.table.bounds import Bounds, Reading, is_too_large
from fanfold.kinds.table.csv_rows import raw
from fanfold.kinds.table.encodings import decode
from fanfold.kinds.table.json_grammar import ArrayGrammar, ValuesGrammar
from fanfold.kinds.table.json_lexing import Break, space
from fanfold.kinds.table.json_numbers import survive
from fanfold.kinds.table.json_rows import parse, parse_all
from fanfold.kinds.table.layout import Layout
from fanfold.kinds.table.rejects import Rejects
from fanfold.kinds.table.values import Misfit
from fanfold.kinds.table.window import Window
from fanfold.model import Json

BATCH_BYTES = 128 << 10
"""About how much is parsed at once: more gets out of a processor's cache."""

LINES_BYTES = 32 << 10
"""The same for JSON Lines, where no guess is needed."""

GUESS_BYTES = 32 << 10
"""How much is looked at to guess where a batch may end."""

Place = tuple[int, int]
"""Where a row begins and ends, as positions in the window."""

_BETWEEN_OBJECTS = re.compile(rb"\}[ \t\r\n]*+,[ \t\r\n]*+(?=\{)")
_LINE = re.compile(rb"[^\n]*+(?:\n|\Z)")


@dataclass(slots=True)
class JsonBatch:
    """Some objects, in their order."""

    rows: list[dict[str, Json]]
    _locate: Callable[[], Sequence[Place]]
    _text: bytes | None = None
    """What the rows were parsed from, where it is not proven that their numbers survived that."""
    _read_exactly: Callable[[], JsonBatch] | None = None
    _places: Sequence[Place] = field(default=())

    @property
    def places(self) -> Sequence[Place]:
        """Where each row stands. To know it may cost as much as to parse the rows."""
        if len(self._places) != len(self.rows):
            self._places = self._locate()
        return self._places

    def proven(self, written: bytes | None = None) -> JsonBatch:
        """Return this batch if every number is as it was, else what an exact parser reads.

        `written` is what a fast writer makes of the rows: where that is the very text, the numbers have survived.
        """
        import orjson

        if self._text is None or self._read_exactly is None or written == self._text:
            return self
        if survive(self._text, lambda: orjson.dumps(self.rows) if written is None else written):
            return self
        return self._read_exactly()


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep Python's collector of cycles from walking, again and again, over rows that have none."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class JsonRows:
    """What the readers of JSON Lines and of spans of JSON share: rows one by one; those that are none are rejected."""

    def __init__(self, window: Window, layout: Layout, rejects: Rejects) -> None:
        self._window = window
        self._layout = layout
        self._rejects = rejects

    def _utf8(self, start: int, stop: int) -> bytes | None:
        """Return what stands between two positions in UTF-8, None where it does not decode."""
        found = self._window.bytes(start, stop)
        if self._layout.encoding == "utf-8":
            return bytes(found)  # the parser tells what is none
        text, decodes = decode(found, self._layout.encoding)
        return text.encode() if decodes else None

    def _each(self, places: Sequence[Place]) -> JsonBatch:
        """Read rows one by one."""
        rows, kept = [], []
        whole = self._utf8(places[0][0], places[-1][1]) if places else None
        survives = whole is not None and survive(whole)
        for start, stop in places:
            found = self._one(start, stop, survives)
            if found is not None:
                rows.append(found)
                kept.append((start, stop))
        return JsonBatch(rows, lambda: kept)

    def _one(self, start: int, stop: int, survives: bool) -> dict[str, Json] | None:
        import orjson

        data = self._utf8(start, stop) if survives else None
        if data is not None:
            try:
                found = orjson.loads(data)
            except orjson.JSONDecodeError:
                found = None
            if type(found) is dict:
                return found
        text, decodes = decode(self._window.bytes(start, stop), self._layout.encoding)
        if not text.strip(" \t\r\n"):
            return None
        offset = self._window.offset(start)
        if not decodes:
            self._rejects.undecodable += 1
            shown = raw(self._window, start, stop, self._layout)
            self._rejects.add(offset, f"bytes that are no {self._layout.encoding}", shown)
            return None
        try:
            return parse(text)
        except Misfit as misfit:
            self._rejects.add(offset, str(misfit), text)
            return None


def lines_of(window: Window, first: int, last: int, whole: bool = True) -> Iterator[Place]:
    """Yield the lines between two positions, the last one only if `whole` or if it is ended."""
    for line in _LINE.finditer(window.shadow, first, last):
        if line.end() > line.start() and (whole or window.shadow[line.end() - 1] == 10):
            yield line.span()


class JsonLines(JsonRows):
    """The objects of the lines of one span."""

    def batches(self, first: int, last: int) -> Iterator[JsonBatch]:
        """Yield what lies from position `first` to `last`, both of which begin lines."""
        shadow = self._window.shadow
        while first < last:
            end = shadow.find(b"\n", first + LINES_BYTES, last) + 1 or last
            yield self._whole(first, end) or self._exactly(first, end)
            first = end

    def _exactly(self, first: int, last: int) -> JsonBatch:
        return self._each(list(lines_of(self._window, first, last)))

    def _whole(self, first: int, last: int) -> JsonBatch | None:
        import orjson

        data = self._utf8(first, last)
        if data is None:
            return None
        try:
            rows = list(map(orjson.loads, data.removesuffix(b"\n").split(b"\n")))
        except orjson.JSONDecodeError:
            return None
        if set(map(type, rows)) != {dict}:
            return None
        return JsonBatch(
            rows, lambda: list(lines_of(self._window, first, last)), data, lambda: self._exactly(first, last)
        )


class JsonSpan(JsonRows):
    """The objects of one span of an array, or of values that follow each other.

    Where they end is found on the way, because what parses as whole rows up to a place proves that one begins
    behind it: nothing is skipped over that is not read.
    """

    def __init__(
        self, window: Window, layout: Layout, rejects: Rejects, grammar: ArrayGrammar | ValuesGrammar, bounds: Bounds
    ) -> None:
        super().__init__(window, layout, rejects)
        self._grammar = grammar
        self._in_array = isinstance(grammar, ArrayGrammar)
        self._is_flat = True
        """Whether no object within a row was taken for a row yet."""
        self.bounds = bounds
        """Complete once all batches are read."""

    def batches(self, first: int, stop: int) -> Iterator[JsonBatch]:
        """Yield the rows that begin from position `first`, which begins one, to `stop`."""
        reading = Reading(self._window, self._window.offset(stop))
        row: int | None = first
        while row is not None and row < stop:
            target = min(row + BATCH_BYTES, stop)
            found = self._whole(row, target)
            if found:
                batch, row = found
                yield batch
                continue
            places: list[Place] = []
            row = self._collect(row, target, reading, places)
            yield self._each(places)
        if row is not None:
            self.bounds = self.bounds.ending(self._window.offset(row))

    def _collect(self, row: int, target: int, reading: Reading, places: list[Place]) -> int | None:
        """Go from row to row up to `target`; return where the first one there begins, None where the rows end."""
        window = self._window
        while row < target:
            try:
                step = self._grammar.step(window.shadow, row, window.at_end)
            except Break as found:
                at = window.offset(found.position), window.offset(row)
                large = is_too_large(at[0] - at[1])
                self.bounds = self.bounds.outgrown(at[1]) if large else self.bounds.breaking(*at, found.reason)
                return None
            if step is None:
                if not reading.on(window.offset(row)):
                    self.bounds = self.bounds.outgrown(window.offset(row))
                    return None
                continue
            if is_too_large((step.stop - row) * window.unit):
                self.bounds = self.bounds.outgrown(window.offset(row))
                return None
            if step.stop > row:
                places.append((row, step.stop))
            if step.next is None:
                self.bounds = self.bounds.closed(window.offset(step.end), window.size_bytes)
                return None
            row = step.next
        return row

    def _whole(self, row: int, target: int) -> tuple[JsonBatch, int] | None:
        """Return the rows of an array from one row start to another that lies behind `target`, and that one."""
        if not self._in_array:
            return None
        if self._is_flat:
            found = self._up_to(row, self._between_objects(target))
            if found:
                return found
            # Objects within the rows follow each other too: from here on a guess goes by nesting.
            self._is_flat = False
        return self._up_to(row, self._by_nesting(target))

    def _between_objects(self, target: int) -> int | None:
        """Return where the first object at or behind a position begins that follows another and a comma."""
        shadow = self._window.shadow
        before = shadow[max(0, target - GUESS_BYTES) : target]
        at = target - (len(before) - len(before.rstrip(b", \t\r\n"))) - 1
        for found in _BETWEEN_OBJECTS.finditer(shadow, max(0, at), target + GUESS_BYTES):
            if found.end() >= target:
                return found.end()
        return None

    def _by_nesting(self, target: int) -> int | None:
        near = self._window.shadow[target - 1 : target - 1 + GUESS_BYTES]
        guesses = self._grammar.guesses(near, len(near), False)
        return target - 1 + guesses[0] if guesses else None

    def _up_to(self, row: int, following: int | None) -> tuple[JsonBatch, int] | None:
        """Return the rows from one row start to another, and that; None where it proves to be none."""
        import orjson

        if following is None:
            return None
        shadow = self._window.shadow
        comma = shadow.rfind(b",", row, following)
        if comma < 0 or space(shadow, comma + 1) != following or is_too_large((comma - row) * self._window.unit):
            return None
        data = self._utf8(row, comma)
        if data is None:
            return None
        try:
            rows = orjson.loads(b"[%b]" % data)
        except orjson.JSONDecodeError:
            return None
        if set(map(type, rows)) != {dict}:
            return None
        places = partial(self._located, row, following)
        return JsonBatch(rows, places, data, lambda: self._exactly(data, places)), following

    def _exactly(self, data: bytes, places: Callable[[], Sequence[Place]]) -> JsonBatch:
        try:
            return JsonBatch(parse_all(data), places)
        except (ValueError, RecursionError):
            return self._each(places())

    def _located(self, row: int, stop: int) -> list[Place]:
        places: list[Place] = []
        while row < stop:
            step = self._grammar.step(self._window.shadow, row, self._window.at_end)
            assert step is not None
            places.append((row, step.stop))
            if step.next is None:
                break
            row = step.next
        return places
