"""Elements of EBML (RFC 8794): read by ranged reads, one header at a time; and Void, which a reader skips."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fanfold.model import Source

VOID, CRC = 0xEC, 0xBF
"""What may stand anywhere (11.3)."""

HEADER_BYTES = 12
"""The longest header: an id of 4 bytes and a size of 8 (RFC 9559, 5.1)."""

SHORT_VOID_BYTES = 2 + 126
"""The longest Void whose size is said in one byte."""


@dataclass(frozen=True, slots=True)
class Element:
    """An element, as its header says it."""

    id: int
    """With the bits that say how long it is, as specifications list it."""
    start: int
    body: int
    stop: int | None
    """None: whoever wrote it did not know how long it would be (RFC 8794, 6.2)."""


@dataclass(frozen=True, slots=True)
class Held:
    """Bytes of an object that are in memory, read at the places that they have in it."""

    start: int
    data: bytes

    @property
    def size_bytes(self) -> int:
        return self.start + len(self.data)

    def read(self, start: int, stop: int) -> bytes:
        return self.data[start - self.start : stop - self.start]


def element(source: Source, at: int) -> Element | None:
    """Return the element whose header is at an offset, None if there is none that can be read."""
    data = source.read(at, at + HEADER_BYTES)
    id_width = 9 - data[0].bit_length() if data else 9
    if id_width > 4 or len(data) <= id_width:
        return None
    size_width = 9 - data[id_width].bit_length()
    body = id_width + size_width
    if size_width > 8 or len(data) < body:
        return None
    ones = (1 << 7 * size_width) - 1
    size = int.from_bytes(data[id_width:body], "big") & ones
    stop = None if size == ones else at + body + size
    return Element(int.from_bytes(data[:id_width], "big"), at, at + body, stop)


def children(source: Source, start: int, stop: int) -> Iterator[Element]:
    """Yield the elements that lie in [start, stop), up to the first that does not end in it."""
    while start < stop and (found := element(source, start)) and found.stop is not None and found.stop <= stop:
        yield found
        start = found.stop


def number(source: Source, found: Element) -> int:
    """Return the unsigned integer that an element holds (7.2)."""
    assert found.stop is not None
    return int.from_bytes(source.read(found.body, min(found.stop, found.body + 8)), "big")


def void(length: int) -> bytes:
    """Return the header of a Void that takes `length` bytes with it, from 2 on."""
    if length <= SHORT_VOID_BYTES:
        return bytes([VOID, 0x80 | length - 2])
    return bytes([VOID, 1]) + (length - 9).to_bytes(7, "big")
