"""Bytes of the source that grow as they are needed, and their one-byte-per-unit shadow."""

from __future__ import annotations

from fanfold.kinds.table.encodings import shadow
from fanfold.model import Source


class Window:
    """The bytes of a source from `start` on. Positions in `shadow` count code units from `start`."""

    def __init__(self, source: Source, start: int, stop: int, encoding: str, unit: int) -> None:
        self._source = source
        self._encoding = encoding
        self.unit = unit
        self.start = start
        self.raw = self.shadow = b""
        self.guesses: list[int] = []
        """Positions where the first row may begin, the likeliest first; none where that is known."""
        self.grow(stop)

    @property
    def stop(self) -> int:
        return self.start + len(self.raw)

    @property
    def size_bytes(self) -> int:
        """Of the whole object."""
        return self._source.size_bytes

    @property
    def at_end(self) -> bool:
        """True where the window reaches the end of the object."""
        return self.stop >= self._source.size_bytes

    def grow(self, stop: int) -> None:
        """Read on to `stop` and the end of its code unit, or to the end of the object."""
        stop = min(stop + (self.start - stop) % self.unit, self._source.size_bytes)
        if stop <= self.stop:
            return
        more = self._source.read(self.stop, stop)
        self.raw = self.raw + more if self.raw else more
        # For single bytes the shadow is the bytes themselves, and costs nothing.
        self.shadow = self.raw if self.unit == 1 else self.shadow + shadow(more, self._encoding)

    def offset(self, position: int) -> int:
        """Return the byte offset in the object of a position in the shadow."""
        return self.start + position * self.unit

    def position(self, offset: int) -> int:
        """Return the position in the shadow of a byte offset in the object."""
        return (offset - self.start) // self.unit

    def bytes(self, start: int, stop: int) -> bytes:
        """Return the source's bytes between two positions of the shadow."""
        return self.raw[start * self.unit : stop * self.unit]
