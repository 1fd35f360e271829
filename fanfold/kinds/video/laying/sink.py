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


class Data:
    """Samples one behind the other, written to the desk as objects of the part."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._held = bytearray()
        self._written = self._objects = 0

    def put(self, data: bytes | bytearray) -> int:
        """Take samples; return where they begin in what all objects hold together."""
        at = self._written + len(self._held)
        self._held += data
        if len(self._held) >= OBJECT_BYTES:
            self.flush()
        return at

    def flush(self) -> None:
        """Write what is held as one object of the part."""
        if self._held:
            self._desk.write(f"{DATA}{self._objects:05}", bytes(self._held))
            self._objects += 1
            self._written += len(self._held)
            self._held.clear()


class Sink(io.RawIOBase):
    """Takes a fragmented MP4 as it is written: keeps its index, and hands on what is in its `mdat`s."""

    def __init__(self, data: Data) -> None:
        self._data = data
        self._held = bytearray()
        self._at = 0
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
                self._bodies.append((self._at + 8, self._data.put(self._held[8:size])))
            self._at += size
            del self._held[:size]
        return len(data)

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
