"""Where the tiles or strips of a TIFF's first page lie, and which tags say how they are decoded.

TIFF 6.0 sections 2, 4, 8 and 15; BigTIFF; TIFF Technical Note 2 for JPEG. Standard library only.
"""

from __future__ import annotations

import struct
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from fanfold.errors import BrokenImage

Read = Callable[[int, int], bytes]
"""Reads `count` bytes from `start`."""

SHORT, LONG, LONG8 = 3, 4, 16

TYPE_BYTES = {1: 1, 2: 1, SHORT: 2, LONG: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, LONG8: 8, 17: 8}

_NUMBERS = {SHORT: "H", LONG: "I", LONG8: "Q"}

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
STRIP_OFFSETS, ORIENTATION, SAMPLES, ROWS_PER_STRIP, STRIP_COUNTS, PLANAR = 273, 274, 277, 278, 279, 284
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS = 322, 323, 324, 325

CARRIED = (BITS, COMPRESSION, PHOTOMETRIC, 266, SAMPLES, PLANAR, 317, 320, 332, 338, 339, 347, 529, 530, 532, 34675)
"""What a decoder must know of a page besides its size: also fill order, predictor, colour map, ink set, extra samples,
sample format, JPEG tables, YCbCr's coefficients, subsampling and range, and the ICC profile."""

CARRIED_LIMIT_BYTES = 256 << 10
"""The most bytes of one of these values."""

SPLITTABLE = {1: "none", 5: "LZW", 7: "JPEG", 8: "deflate", 32773: "packbits", 32946: "deflate"}
"""The compressions of which each tile or strip is whole in itself, and decoded by libvips' wheel."""

TABLE_READ_BYTES = 32 << 10
"""The most that is read of a table of offsets to spare a request."""


@dataclass(frozen=True, slots=True)
class Table:
    """A tag of many numbers, and where in the object they stand."""

    type: int
    count: int
    at: int

    @property
    def entry_bytes(self) -> int:
        return TYPE_BYTES[self.type]

    def read(self, read: Read, order: str, start: int, stop: int) -> tuple[int, ...]:
        """Return the numbers [start, stop) in one read; raise BrokenImage where the table is shorter."""
        if stop > self.count:
            raise BrokenImage(f"the TIFF lists {self.count:,} tiles or strips; its size needs at least {stop:,}")
        data = read(self.at + start * self.entry_bytes, (stop - start) * self.entry_bytes)
        return struct.unpack(f"{order}{stop - start}{_NUMBERS[self.type]}", data)


@dataclass(frozen=True, slots=True)
class Page:
    """The first page of a TIFF. A strip is a tile as wide as the image."""

    order: str
    width: int
    height: int
    tile_width: int
    tile_height: int
    is_tiled: bool
    offsets: Table
    counts: Table
    carried: Mapping[int, tuple[int, bytes]]
    """Type and bytes of the values of the tags that a decoder needs."""
    orientation: int

    @property
    def across(self) -> int:
        """How many tiles stand side by side."""
        return -(-self.width // self.tile_width)

    @property
    def raw_tile_bytes(self) -> int:
        """What a tile takes when it is not compressed."""
        bits = sum(self.numbers(BITS) or (1,))
        samples = (self.numbers(SAMPLES) or (1,))[0]
        if len(self.numbers(BITS)) == 1:
            bits *= samples
        return self.tile_height * -(-self.tile_width * bits // 8)

    def numbers(self, tag: int) -> tuple[int, ...]:
        """Return the numbers of a tag that is carried, none where the page does not have it."""
        type, data = self.carried.get(tag, (SHORT, b""))
        return numbers(self.order, type, data)

    def to_json(self) -> dict[str, Any]:
        carried = {str(tag): [type, b64encode(data).decode()] for tag, (type, data) in self.carried.items()}
        return asdict(self) | {"carried": carried}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Page:
        carried = {int(tag): (type, b64decode(text)) for tag, (type, text) in data["carried"].items()}
        tables = {name: Table(**data[name]) for name in ("offsets", "counts")}
        return cls(**{**data, "carried": carried, **tables})


def numbers(order: str, type: int, data: bytes) -> tuple[int, ...]:
    """Return the integers of a value; none where it has another type."""
    if type not in _NUMBERS:
        return ()
    return struct.unpack(f"{order}{len(data) // TYPE_BYTES[type]}{_NUMBERS[type]}", data)


@dataclass(frozen=True, slots=True)
class Entry:
    """One tag of a directory."""

    tag: int
    type: int
    count: int
    at: int
    """Where its value stands: in the directory itself, if it is small."""

    @property
    def size_bytes(self) -> int:
        return self.count * TYPE_BYTES.get(self.type, 1)


@dataclass(frozen=True, slots=True)
class Form:
    """How a TIFF writes its numbers: `order` is struct's, and `is_big` tells BigTIFF."""

    order: str
    is_big: bool

    @classmethod
    def read(cls, read: Read) -> Form:
        order = "<" if read(0, 1) == b"I" else ">"
        return cls(order, struct.unpack(order + "H", read(2, 2))[0] == 43)

    @property
    def first_at(self) -> int:
        return 8 if self.is_big else 4

    def offset(self, read: Read, at: int) -> int:
        """Return the offset that stands at a place."""
        return int(struct.unpack(self.order + ("Q" if self.is_big else "I"), read(at, 8 if self.is_big else 4))[0])

    def count(self, read: Read, at: int) -> int:
        """Return how many tags the directory at a place has."""
        return int(struct.unpack(self.order + ("Q" if self.is_big else "H"), read(at, 8 if self.is_big else 2))[0])

    def entries(self, read: Read, at: int, count: int) -> tuple[list[Entry], int]:
        """Return the tags of the directory at a place, and where the next directory stands, 0 for none."""
        count_bytes, entry_bytes, inline_bytes = (8, 20, 8) if self.is_big else (2, 12, 4)
        body = read(at + count_bytes, count * entry_bytes + inline_bytes)
        found = []
        for start in range(0, count * entry_bytes, entry_bytes):
            tag, type, number = struct.unpack_from(self.order + ("HHQ" if self.is_big else "HHI"), body, start)
            value_at = at + count_bytes + start + entry_bytes - inline_bytes
            entry = Entry(tag, type, number, value_at)
            if entry.size_bytes > inline_bytes:
                (value_at,) = struct.unpack_from(
                    self.order + ("Q" if self.is_big else "I"), body, start + entry_bytes - inline_bytes
                )
                entry = Entry(tag, type, number, value_at)
            found.append(entry)
        (following,) = struct.unpack_from(self.order + ("Q" if self.is_big else "I"), body, count * entry_bytes)
        return found, following


def read_page(read: Read) -> Page | None:
    """Return the first page if its tiles or strips can be read one by one, else None."""
    form = Form.read(read)
    at = form.offset(read, form.first_at)
    found, _ = form.entries(read, at, form.count(read, at))
    entries = {entry.tag: entry for entry in reversed(found)}

    def value(entry: Entry) -> bytes:
        return read(entry.at, entry.size_bytes)

    def one(tag: int, default: int) -> int:
        entry = entries.get(tag)
        if entry is None or entry.size_bytes > 8:
            return default
        return (numbers(form.order, entry.type, value(entry)) or (default,))[0]

    carried = {}
    for tag in CARRIED:
        if entry := entries.get(tag):
            if entry.size_bytes > CARRIED_LIMIT_BYTES or entry.type not in TYPE_BYTES:
                return None
            carried[tag] = entry.type, value(entry)
    is_tiled = TILE_OFFSETS in entries
    offsets, counts = (
        entries.get(tag) for tag in ((TILE_OFFSETS, TILE_COUNTS) if is_tiled else (STRIP_OFFSETS, STRIP_COUNTS))
    )
    if offsets is None or counts is None or not {offsets.type, counts.type} <= _NUMBERS.keys():
        return None
    width, height = one(WIDTH, 0), one(HEIGHT, 0)
    rows = min(one(ROWS_PER_STRIP, height), height)
    sides = (one(TILE_WIDTH, 0), one(TILE_HEIGHT, 0)) if is_tiled else (width, rows)
    if one(COMPRESSION, 1) not in SPLITTABLE or one(PLANAR, 1) != 1 or not min(*sides, width, height):
        return None
    return Page(
        order=form.order,
        width=width,
        height=height,
        tile_width=sides[0],
        tile_height=sides[1],
        is_tiled=is_tiled,
        offsets=Table(offsets.type, offsets.count, offsets.at),
        counts=Table(counts.type, counts.count, counts.at),
        carried=carried,
        orientation=one(ORIENTATION, 1),
    )


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of tiles, by their columns and rows."""

    left: int
    top: int
    right: int
    bottom: int


def window(page: Page, left: int, top: int, right: int, bottom: int) -> Window:
    """Return the tiles that show any of the pixels of a rectangle."""
    return Window(
        left // page.tile_width,
        top // page.tile_height,
        -(-right // page.tile_width),
        -(-bottom // page.tile_height),
    )


def ranges(page: Page, read: Read, size_bytes: int, tiles: Window) -> list[tuple[int, int]]:
    """Return where the tiles of a window lie, row by row, as (start, size); raise BrokenImage where that cannot be.

    size_bytes: the object's. A decoder shows tiles without bytes as black, and says nothing.
    """
    columns = tiles.right - tiles.left
    found: list[tuple[int, int]] = []
    for start, stop in _runs(page, tiles):
        offsets = page.offsets.read(read, page.order, start, stop)
        counts = page.counts.read(read, page.order, start, stop)
        for first in range(0, stop - start, page.across):
            row = slice(first, first + columns)
            found += zip(offsets[row], counts[row], strict=True)
    limit = 2 * page.raw_tile_bytes + (64 << 10)
    for at, size in found:
        if not size or at + size > size_bytes:
            raise BrokenImage(
                f"the TIFF has a tile or strip of {size:,} bytes at byte {at:,}; the object has {size_bytes:,}"
            )
        if size > limit:
            raise BrokenImage(
                f"the tile or strip at byte {at:,} has {size:,} bytes; of its pixels there are {page.raw_tile_bytes:,}"
            )
    return found


def _runs(page: Page, tiles: Window) -> Iterator[tuple[int, int]]:
    """Yield ranges of the tables that hold the rows of a window: of many rows at once, where that is little."""
    entry_bytes = max(page.offsets.entry_bytes, page.counts.entry_bytes)
    rows = max(1, TABLE_READ_BYTES // (page.across * entry_bytes))
    for top in range(tiles.top, tiles.bottom, rows):
        bottom = min(top + rows, tiles.bottom)
        yield top * page.across + tiles.left, (bottom - 1) * page.across + tiles.right
