"""Where the rows of CSV begin, without reading their cells: exactly what `csv.reader` makes of the same bytes.

Dialects are read as Python does when it is not strict: a quote opens only at the start of a field, what follows a
closing quote is taken as it is, and a line ends in CR, LF or CRLF.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

from fanfold.kinds.table.layout import Dialect

LEAP_BYTES = 4096
"""Below this much to go, row by row is as fast."""

EVIDENCE_ROWS = 64


class CsvGrammar:
    """Row starts of one dialect, in buffers of one byte per code unit."""

    def __init__(self, dialect: Dialect, columns: int) -> None:
        self._dialect = dialect
        self._columns = columns
        delimiter = re.escape(dialect.delimiter.encode())
        escape = re.escape(dialect.escape.encode()) if dialect.escape else b""
        escaped = rb"|" + escape + rb"(?:.|\Z)" if escape else b""
        bare = rb"(?:[^" + delimiter + rb"\r\n" + escape + rb"]++" + escaped + rb")*+"
        field = bare
        self._closing: re.Pattern[bytes] | None = None
        if dialect.quote:
            quote = re.escape(dialect.quote.encode())
            if dialect.doubled_quote:
                body = rb"(?:[^" + quote + escape + rb"]++|" + quote + quote + escaped + rb")*+"
                closed = quote + rb"(?:[^" + delimiter + rb"\r\n" + quote + rb"]" + bare + rb")?"
            else:
                body = rb"(?:[^" + quote + escape + rb"]++" + escaped + rb")*+"
                closed = quote + bare
            space = rb"\x20*+" if dialect.skip_initial_space else b""
            field = space + rb"(?:" + quote + body + rb"(?:" + closed + rb"|\Z)|" + bare + rb")"
            self._closing = re.compile(space + quote + body + closed, re.DOTALL)
            self._unclosed = re.compile(space + b"(" + quote + b")" + body + rb"\Z", re.DOTALL)
        rest = rb"(?:" + delimiter + field + rb")*+(?:\r\n|\r|\n|\Z)"
        self._row = re.compile(field + rest, re.DOTALL)
        self._field = re.compile(field, re.DOTALL)
        self._rest_of_bare = re.compile(bare + rest, re.DOTALL)
        # From row start to row start at a gigabyte a second: quoted fields, until a quote that opens none.
        self._quoted_run: re.Pattern[bytes] | None = None
        self._leaps = not dialect.escape and not dialect.skip_initial_space and dialect.doubled_quote
        if dialect.quote and self._leaps:
            begins = rb"(?:\A|(?<=[" + delimiter + rb"\r\n]))"
            inner = rb"[^" + quote + rb"]*+"
            whole = quote + inner + rb"(?:" + quote + quote + inner + rb")*+" + quote + rb"(?!" + quote + rb")"
            self._quoted_run = re.compile(rb"(?:" + inner + begins + whole + rb")*+", re.DOTALL)
        self._rest_of_quoted = (
            re.compile(body + rb"(?:" + closed + rb"|\Z)" + rest, re.DOTALL) if dialect.quote else None
        )

    def advance(self, buffer: bytes, row: int, bound: int, at_end: bool) -> tuple[int, bool]:
        """Go from the row start `row` to the first row start at or behind `bound`.

        Returns that and True; or, where the buffer ends first, the last row start that is sure, and False.
        """
        if bound - row > LEAP_BYTES and self._leaps:
            row = self._leap(buffer, row, bound)
        match, size = self._row.match, len(buffer)
        while row < bound and row < size:
            stop = match(buffer, row).end()  # type: ignore[union-attr]
            if stop >= size and not at_end:
                return row, False
            row = stop
        return row, row >= bound or at_end

    def _leap(self, buffer: bytes, row: int, bound: int) -> int:
        """Return a row start from `row` on, mostly one near `bound`; behind it only where it is the first there."""
        bound = min(bound, len(buffer))
        if self._quoted_run is None or self._dialect.quote is None:
            return _last_row_start(buffer, row, bound, bound) or row
        quote = self._dialect.quote.encode()
        opens = (*self._dialect.delimiter.encode(), 10, 13)
        last = at = row
        while True:
            end = self._quoted_run.match(buffer, at, bound).end()  # type: ignore[union-attr]
            if end > at and buffer[end : end + 1] != quote:
                # Behind a closing quote whatever follows is taken as it is, up to the next delimiter.
                reached = self._rest_of_bare.match(buffer, end).end()  # type: ignore[union-attr]
                last = reached if reached < len(buffer) else last
            opening = buffer.find(quote, end, bound)
            last = max(last, _last_row_start(buffer, end, opening if opening >= 0 else bound, bound) or 0)
            if opening < 0 or opening == row or buffer[opening - 1] in opens:
                return last
            at = opening + 1

    def rows(self, buffer: bytes, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Yield where each row begins and ends, blank ones too, from the row start `start` to the row start `stop`."""
        while start < stop:
            end = self._row.match(buffer, start, stop).end()  # type: ignore[union-attr]
            yield start, end
            start = end

    def guesses(self, buffer: bytes, bound: int, at_end: bool) -> list[int]:
        """Return where the first row behind the buffer's first unit may begin, before `bound`; the likeliest first.

        The unit before the span tells a line end from what only looks like one. It may stand outside quotes,
        inside them, or be a quote itself.
        """
        starts = [(self._rest_of_bare, 0)]
        if self._rest_of_quoted and self._dialect.quote:
            starts.append((self._rest_of_quoted, 0))
            if buffer[:1] == self._dialect.quote.encode():
                starts.append((self._rest_of_quoted, 1))
        found: dict[int, tuple[float, float, int]] = {}
        for rank, (pattern, at) in enumerate(starts):
            row = pattern.match(buffer, at).end()  # type: ignore[union-attr]
            if 1 <= row < min(bound, len(buffer)) and row not in found:
                found[row] = (*self._evidence(buffer, row, at_end), -rank)
        return sorted(found, key=lambda row: found[row], reverse=True)

    def _evidence(self, buffer: bytes, row: int, at_end: bool) -> tuple[float, float]:
        """Return how likely rows begin at `row`: by the count of their cells, and by where their quotes stand."""
        right = wrong = strict = lax = 0
        for stop in self._rows(buffer, row, at_end):
            text = bytes(buffer[row:stop]).decode("latin-1")
            cells = next(csv.reader(io.StringIO(text, newline=""), **self._dialect.for_reader()), [])
            if cells:
                right += len(cells) == self._columns
                wrong += len(cells) != self._columns
                tidy = self._is_strict(text)
                strict, lax = strict + tidy, lax + (not tidy)
            row = stop
        return (right + 0.5) / (right + wrong + 1), (strict + 0.5) / (strict + lax + 1)

    def _rows(self, buffer: bytes, row: int, at_end: bool) -> Iterator[int]:
        for _ in range(EVIDENCE_ROWS):
            stop = self._row.match(buffer, row).end()  # type: ignore[union-attr]
            if stop == row or (stop >= len(buffer) and not at_end):
                return
            yield stop
            row = stop

    def _is_strict(self, text: str) -> bool:
        try:
            next(csv.reader(io.StringIO(text, newline=""), strict=True, **self._dialect.for_reader()), None)
        except csv.Error:
            return False
        return True

    def open_quote(self, buffer: bytes, row: int) -> int | None:
        """Return where the quote opens that the last row, from `row` to the buffer's end, does not close."""
        if self._closing is None:
            return None
        while row < len(buffer):
            closed = self._closing.match(buffer, row)
            if closed is None and (opened := self._unclosed.match(buffer, row)):
                return opened.start(1)
            row = self._field.match(buffer, row).end() + 1  # type: ignore[union-attr]
        return None


def _last_row_start(buffer: bytes, start: int, stop: int, bound: int) -> int | None:
    """Return the last row start at most `bound` that a line end in the unquoted bytes [start, stop) makes."""
    while start < stop:
        end = max(buffer.rfind(b"\n", start, stop), buffer.rfind(b"\r", start, stop))
        if end < 0:
            return None
        row = end + 1
        if buffer[end] == 13:
            if row >= len(buffer):  # a LF may follow
                stop = end
                continue
            row += buffer[row] == 10
        if row <= bound:
            return row
        stop = end
    return None
