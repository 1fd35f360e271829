"""A reader of Matroska's elements, from RFC 8794 and RFC 9559 alone: it shares nothing with fanfold's writer."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

MASTERS = {
    "18538067": "Segment",
    "114D9B74": "SeekHead",
    "4DBB": "Seek",
    "1549A966": "Info",
    "1654AE6B": "Tracks",
    "AE": "TrackEntry",
    "E0": "Video",
    "55B0": "Colour",
    "55D0": "MasteringMetadata",
    "1C53BB6B": "Cues",
    "BB": "CuePoint",
    "B7": "CueTrackPositions",
    "1F43B675": "Cluster",
    "A0": "BlockGroup",
}
"""The elements that hold others, by the hexadecimal digits of their IDs."""


@dataclass(frozen=True)
class Element:
    """An element: its ID as hexadecimal digits, or its name, and what it holds."""

    name: str
    offset: int
    stop: int
    data: bytes
    children: tuple[Element, ...]

    @property
    def unsigned(self) -> int:
        return int.from_bytes(self.data, "big")

    @property
    def signed(self) -> int:
        return int.from_bytes(self.data, "big", signed=True)

    @property
    def real(self) -> float:
        return float(struct.unpack(">d", self.data)[0])

    def all(self, name: str) -> list[Element]:
        return [one for one in self.children if one.name == name]

    def one(self, *path: str) -> Element:
        """Return the first element at a path."""
        found = self
        for name in path:
            found = found.all(name)[0]
        return found


def elements(data: bytes, start: int = 0, stop: int | None = None) -> Iterator[Element]:
    """Yield the elements in [start, stop); each ends within it."""
    stop = len(data) if stop is None else stop
    while start < stop:
        offset = start
        # The zeros before the first one say how many bytes follow the first (RFC 8794, 4 and 5).
        length = 9 - data[start].bit_length()
        assert length <= 4
        id = data[start : start + length].hex().upper()
        start += length
        size, start = variable(data, start)
        assert start + size <= stop
        name = MASTERS.get(id, id)
        children = tuple(elements(data, start, start + size)) if id in MASTERS else ()
        yield Element(name, offset, start + size, data[start : start + size], children)
        start += size


def variable(data: bytes, at: int) -> tuple[int, int]:
    """Return a variable-length number, and where it ends; one that says that it is not known is an error here."""
    length = 9 - data[at].bit_length()
    bits = "".join(f"{byte:08b}" for byte in data[at : at + length])[length:]
    assert len(bits) == 7 * length
    assert "0" in bits
    return int(bits, 2), at + length
