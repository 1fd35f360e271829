"""The bytes of a source in order, read a few MiB at a time."""

from __future__ import annotations

from fanfold.model import Source

READ_BYTES = 4 << 20


class Feed:
    """Reads a source on from a byte."""

    def __init__(self, source: Source, start: int) -> None:
        self._source = source
        self._buffer = b""
        self._at = 0
        self._read_to = start

    @property
    def position(self) -> int:
        """Where the next byte lies in the source."""
        return self._read_to - len(self._buffer) + self._at

    @property
    def size_bytes(self) -> int:
        """Of the whole source."""
        return self._source.size_bytes

    def peek(self, count: int) -> bytes:
        """Return the next bytes and stay before them; fewer at the end of the source."""
        while len(self._buffer) - self._at < count and self._read_to < self._source.size_bytes:
            stop = min(self._read_to + max(READ_BYTES, count), self._source.size_bytes)
            self._buffer = self._buffer[self._at :] + self._source.read(self._read_to, stop)
            self._at, self._read_to = 0, stop
        return self._buffer[self._at : self._at + count]

    def take(self, count: int) -> bytes:
        """Return the next bytes; fewer at the end of the source."""
        found = self.peek(count)
        self._at += len(found)
        return found

    def give_back(self, count: int) -> None:
        """Go back over bytes that were taken last."""
        self._at -= count

    def skip(self, count: int) -> None:
        """Go on without reading; up to the end of the source at most."""
        target = min(self.position + count, self._source.size_bytes)
        if target < self._read_to:
            self._at += target - self.position
        else:
            self._buffer, self._at, self._read_to = b"", 0, target
