"""What is in memory already, read as an object is."""

from __future__ import annotations


class Held:
    """Bytes in memory: a `Source`."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def size_bytes(self) -> int:
        return len(self._data)

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes in [start, stop), cut at the end."""
        return self._data[start:stop]
