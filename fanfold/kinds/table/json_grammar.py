"""Where the rows of a JSON array, and of JSON values one behind the other, begin.

A row begins with its value's first byte. A guess goes by nesting: from anywhere, the containers that close lead
outwards, and the outermost array among them holds the rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from fanfold.kinds.table.json_lexing import Break, Buffer, rest_of_string, skip, space

LOOK_BYTES = 64 << 10
"""How much of a span is looked at to guess where its first row begins, at least."""

_SPACES, _CLOSINGS = b" \t\r\n", b"}]"


class Step(NamedTuple):
    """One row, and what follows it."""

    stop: int
    """Where its value ends."""
    next: int | None
    """Where the next row begins; None where it is the last of its array."""
    end: int
    """Behind the array's bracket, where the row is the last."""


class Ended(Exception):
    """The array ends before the bound, and with it the rows."""

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.position = position
        """Behind its closing bracket."""


class ArrayGrammar:
    """Row starts of the elements of one array, in buffers of one byte per code unit."""

    def step(self, buffer: Buffer, row: int, at_end: bool) -> Step | None:
        """Go over the row that begins at `row`; None where the buffer ends before it is sure what follows.

        Raises Break where the array cannot go on so, or is not closed before the object ends.
        """
        if buffer[row : row + 1] == b"]":
            return Step(row, None, row + 1)  # an array of no rows
        stop = skip(buffer, row)
        if stop is not None:
            at = space(buffer, stop)
            if at < len(buffer):
                if buffer[at] == 93:
                    return Step(stop, None, at + 1)
                if buffer[at] != 44:
                    raise Break(at, f"{_sign(buffer, at)} where `,` or `]` must stand")
                following = space(buffer, at + 1)
                if following < len(buffer):
                    if buffer[following] in b",]}:":
                        raise Break(following, f"{_sign(buffer, following)} where a value must stand")
                    return Step(stop, following, -1)
        if at_end:
            raise Break(len(buffer), "the object ends before the array does")
        return None

    def advance(self, buffer: Buffer, row: int, bound: int, at_end: bool) -> tuple[int, bool]:
        """Go from the row start `row` to the first row start at or behind `bound`: see `CsvGrammar.advance`.

        Raises Ended where the array ends before, and Break.
        """
        while row < bound:
            step = _step(self, buffer, row, at_end)
            if step is None:
                return row, False
            if step.next is None:
                raise Ended(step.end)
            row = step.next
        return row, True

    def guesses(self, buffer: Buffer, bound: int, at_end: bool) -> list[int]:
        """Return where the first row behind the buffer's first unit may begin, before `bound`; the likeliest first."""
        return _guesses(buffer, bound, at_end, _outermost_array)

    def open_quote(self, buffer: Buffer, row: int) -> int | None:
        """Return None: a string that is not closed breaks the array."""
        return None


class ValuesGrammar:
    """Row starts of JSON values that follow each other, with white space between them or nothing."""

    def step(self, buffer: Buffer, row: int, at_end: bool) -> Step | None:
        """Go over the row that begins at `row`: see `ArrayGrammar.step`. The last one is followed by the end."""
        stop = skip(buffer, row)
        if stop is None:
            if at_end:
                raise Break(len(buffer), "the object ends before the value does")
            return None
        following = space(buffer, stop)
        return None if following >= len(buffer) and not at_end else Step(stop, following, -1)

    def advance(self, buffer: Buffer, row: int, bound: int, at_end: bool) -> tuple[int, bool]:
        """Go from the row start `row` to the first row start at or behind `bound`: see `CsvGrammar.advance`."""
        while row < bound and row < len(buffer):
            step = _step(self, buffer, row, at_end)
            if step is None or step.next is None:
                return row, False
            row = step.next
        return row, row >= bound or at_end

    def guesses(self, buffer: Buffer, bound: int, at_end: bool) -> list[int]:
        """Return where the first row behind the buffer's first unit may begin, before `bound`; the likeliest first."""
        return _guesses(buffer, bound, at_end, _between_values)

    def open_quote(self, buffer: Buffer, row: int) -> int | None:
        """Return None: a string that is not closed breaks its value."""
        return None


def _step(grammar: ArrayGrammar | ValuesGrammar, buffer: Buffer, row: int, at_end: bool) -> Step | None:
    try:
        return grammar.step(buffer, row, at_end)
    except Break as found:
        found.row = row
        raise


def _sign(buffer: Buffer, at: int) -> str:
    sign = chr(buffer[at])
    return f"`{sign}`" if sign.isascii() and sign.isprintable() else f"the byte 0x{buffer[at]:02x}"


class _Level:
    """What is seen of one of the containers around a position."""

    def __init__(self) -> None:
        self.first: int | None = None
        """Where the first value behind a comma of its own begins, or behind the beginning."""
        self.is_object: bool | None = None


class _Walk:
    """A way outwards from a position through the containers around it, as far as the look goes."""

    def __init__(self) -> None:
        self.levels = [_Level()]
        """From the innermost container outwards."""
        self.adjacent: int | None = None
        """Where a value begins right behind another, which happens between rows that no array holds."""
        self.ends = False
        """True where the buffer's end was reached between values."""

    def close(self, is_object: bool) -> bool:
        """Leave the innermost container; tell whether it may be of this kind."""
        level = self.levels[-1]
        if level.is_object not in (None, is_object):
            return False
        level.is_object = is_object
        self.levels.append(_Level())
        return True

    def go(self, buffer: Buffer, at: int, after_value: bool, look: int, spaced: bool) -> bool:
        """Walk from `at` to `look`; tell whether all that is seen there may be JSON.

        `after_value` tells whether a value has just ended, `spaced` whether white space alone stands in doubt
        between two rows: then the first value from position 1 on counts as a row's.
        """
        last = "value" if after_value else "unknown"
        ended = 0
        while True:
            at = space(buffer, at)
            if at >= look or at >= len(buffer):
                self.ends = at >= len(buffer)
                return True
            sign = buffer[at]
            level = self.levels[-1]
            if sign == 44 or sign == 58:
                if last not in ("value", "unknown") or (sign == 58 and level.is_object is False):
                    return False
                if sign == 58:
                    level.is_object = True
                last = "comma" if sign == 44 else "colon"
                at += 1
                continue
            if sign in _CLOSINGS:
                if last in ("comma", "colon") or not self.close(sign == 125):
                    return False
                last, ended = "value", sign
                at += 1
                continue
            if last == "value":
                # One object behind another; two strings are what a string looks like from inside.
                self.adjacent = at
                return sign == 123 and ended == 125
            if level.first is None and at >= 1 and (last == "comma" or (last == "unknown" and spaced)):
                level.first = at
            try:
                stop = skip(buffer, at)
            except Break:
                return False
            if stop is None:
                return True
            last, at, ended = "value", stop, buffer[stop - 1]


def _walks(buffer: Buffer) -> list[_Walk]:
    """Return the ways outwards that may be right: from outside a string, and from inside one."""
    look = min(max(LOOK_BYTES, len(buffer) // 16), 16 * LOOK_BYTES)
    walks = []
    outside = _Walk()
    if outside.go(buffer, 0, False, look, buffer[:1] in (b" ", b"\t", b"\r", b"\n")):
        walks.append(outside)
    # The unit before the span may be what escapes the next one, or be escaped itself.
    for begin in (0, 1) if buffer[:1] == b"\\" else (0,):
        inside = _Walk()
        end = rest_of_string(buffer, begin)
        if end is not None and inside.go(buffer, end, True, look, False):
            walks.append(inside)
    return walks


def _guesses(buffer: Buffer, bound: int, at_end: bool, choose: Callable[[_Walk, bool], int | None]) -> list[int]:
    found = (choose(walk, at_end) for walk in _walks(buffer)) if buffer else ()
    return list(dict.fromkeys(row for row in found if row is not None and row < bound))


def _outermost_array(walk: _Walk, at_end: bool) -> int | None:
    if walk.adjacent is not None:
        return None
    return next(
        (level.first for level in reversed(walk.levels) if level.first is not None and not level.is_object), None
    )


def _between_values(walk: _Walk, at_end: bool) -> int | None:
    outermost = walk.levels[-1].first
    if walk.adjacent is not None:
        return walk.adjacent if outermost is None else outermost
    return outermost if walk.ends and at_end else None
