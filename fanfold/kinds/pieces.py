"""What parts left in the work bucket, read as one object."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate

from fanfold.model import PartObject


class Pieces:
    """Ranged reads of objects that follow each other, as of one: a `Source`."""

    def __init__(self, pieces: Sequence[PartObject], read: Callable[[PartObject, int, int], bytes]) -> None:
        self._pieces = [piece for piece in pieces if piece.size_bytes]
        self._starts = [0, *accumulate(piece.size_bytes for piece in self._pieces)]
        self._read = read

    @property
    def size_bytes(self) -> int:
        return self._starts[-1]

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes in [start, stop), cut at the end; one request for each object that they lie in."""
        stop = min(stop, self.size_bytes)
        found = []
        number = bisect_right(self._starts, start) - 1
        while start < stop:
            begins, ends = self._starts[number], min(self._starts[number + 1], stop)
            found.append(self._read(self._pieces[number], start - begins, ends - begins))
            start, number = ends, number + 1
        return found[0] if len(found) == 1 else b"".join(found)
