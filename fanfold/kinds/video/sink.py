"""Where an MP4 is written to of which the samples go to the work bucket, and the index is kept.

Memory is bounded by one object of the part.
"""

from __future__ import annotations

import io
import struct
from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

from fanfold.errors import BrokenVideo
from fanfold.model import Desk

OBJECT_BYTES = 32 << 20
"""How large the objects are that the samples are kept in."""

DATA = "data-"
"""What they are called; a number follows."""


class Sink(io.RawIOBase):
    """Takes a fragmented MP4 as it is written: keeps its index, and writes what is in its `mdat`s to the desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._held, self._data = bytearray(), bytearray()
        self._at = self._written = self._objects = 0
        self._kept: list[tuple[int, bytes]] = []
        self._bodies: list[tuple[int, int]] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._held += data
        while len(self._held) >= 8:
            size, name = struct.unpack_from(">I4s", self._held)
            if size < 8:
                # A fragment of 4 GiB, which is packets of many hours, or of times that make no sense.
                raise BrokenVideo("the packets of the object cannot be brought into an order of time")
            if len(self._held) < size:
                break
            kept = 8 if name == b"mdat" else size
            self._kept.append((self._at, bytes(self._held[:kept])))
            if name == b"mdat":
                self._bodies.append((self._at + 8, self._written + len(self._data)))
                self._data += self._held[8:size]
                if len(self._data) >= OBJECT_BYTES:
                    self.flush_data()
            self._at += size
            del self._held[:size]
        return len(data)

    def flush_data(self) -> None:
        """Write what is held as one object of the part."""
        if self._data:
            self._desk.write(f"{DATA}{self._objects:05}", bytes(self._data))
            self._objects += 1
            self._written += len(self._data)
            self._data.clear()

    @property
    def size_bytes(self) -> int:
        return self._at

    def read_index(self, start: int, stop: int) -> bytes:
        """Return bytes of what was written, of which only the index is known."""
        at, kept = self._kept[bisect_right(self._kept, start, key=lambda one: one[0]) - 1]
        return kept[start - at : stop - at]

    def place(self, offset: int) -> int:
        """Return where in the data lies what was written at an offset."""
        body, placed = self._bodies[bisect_right(self._bodies, offset, key=lambda one: one[0]) - 1]
        return offset - body + placed


@dataclass(frozen=True, slots=True)
class Index:
    """What a sink kept, as a source."""

    sink: Sink

    @property
    def size_bytes(self) -> int:
        return self.sink.size_bytes

    def read(self, start: int, stop: int) -> bytes:
        return self.sink.read_index(start, stop)
