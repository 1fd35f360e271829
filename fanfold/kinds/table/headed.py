"""A source whose first bytes are read once, however often a splitter asks for them."""

from __future__ import annotations

from fanfold.model import Source


class Headed:
    """A source that keeps its first bytes."""

    def __init__(self, source: Source, head_bytes: int) -> None:
        self._source = source
        self._head = source.read(0, head_bytes)

    @property
    def size_bytes(self) -> int:
        return self._source.size_bytes

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes in [start, stop), cut at the end of the object; no request for those that are kept."""
        kept = self._head[start:stop]
        start += len(kept)
        return kept + self._source.read(start, stop) if start < min(stop, self.size_bytes) else kept
