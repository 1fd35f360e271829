"""Where the rows of JSON Lines begin: behind every LF, for JSON text holds none (https://jsonlines.org)."""

from __future__ import annotations


class JsonlGrammar:
    """Row starts, in buffers of one byte per code unit."""

    def advance(self, buffer: bytes, row: int, bound: int, at_end: bool) -> tuple[int, bool]:
        """Go from the row start `row` to the first row start at or behind `bound`: see `CsvGrammar.advance`."""
        if row >= bound:
            return row, True
        end = buffer.find(b"\n", bound - 1)
        if end >= 0:
            return end + 1, True
        if at_end:
            return len(buffer), True
        return max(row, buffer.rfind(b"\n", row) + 1), False

    def guesses(self, buffer: bytes, bound: int, at_end: bool) -> list[int]:
        """Return where the first row behind the buffer's first unit begins, if before `bound`; it is no guess."""
        row = buffer.find(b"\n", 0, bound - 1) + 1
        return [row] if row else []

    def open_quote(self, buffer: bytes, row: int) -> int | None:
        """Return None: no row reaches over a line end."""
        return None
