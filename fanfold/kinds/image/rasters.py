"""Pixels of an image that is too large to be decoded at once, one rectangle at a time.

All are normal already: see `pixels`. What lies where is told by JSON, so that a plan can carry it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import pyvips

from fanfold.kinds.image import restarts
from fanfold.kinds.image.pixels import decoding, in_memory, normalised
from fanfold.kinds.image.restarts import Groups
from fanfold.kinds.image.tiff import reading, writing
from fanfold.kinds.image.tiff.reading import Page
from fanfold.model import Desk, Json, PartObject, Source

GAP_BYTES = 4 << 10
"""What may lie between two tiles that are read in one request."""

RANGE_LIMIT_BYTES = 16 << 20
READS_AT_ONCE = 4


class Raster(Protocol):
    """A large image."""

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...

    @property
    def sides(self) -> tuple[int, int]:
        """Width and height of the rectangles that it is stored in."""
        ...

    def region(self, left: int, top: int, right: int, bottom: int) -> pyvips.Image:
        """Return the pixels of a rectangle, in memory; only what shows them is read. Raises BrokenImage."""
        ...


@dataclass(frozen=True, slots=True)
class TiffTiles:
    """A TIFF whose tiles, or strips, are read by ranges of the object."""

    source: Source
    page: Page

    @property
    def width(self) -> int:
        return self.page.width

    @property
    def height(self) -> int:
        return self.page.height

    @property
    def sides(self) -> tuple[int, int]:
        return self.page.tile_width, self.page.tile_height

    def _read(self, start: int, count: int) -> bytes:
        return self.source.read(start, start + count)

    def region(self, left: int, top: int, right: int, bottom: int) -> pyvips.Image:
        tiles = reading.window(self.page, left, top, right, bottom)
        ranges = reading.ranges(self.page, self._read, self.source.size_bytes, tiles)
        data = writing.of_window(self.page, tiles, read_ranges(self.source, ranges))
        with decoding("tiff"):
            opened = pyvips.Image.tiffload_buffer(data, fail_on="error")
            x, y = left - tiles.left * self.page.tile_width, top - tiles.top * self.page.tile_height
            return normalised(opened.crop(x, y, right - left, bottom - top)).copy_memory()


def read_ranges(source: Source, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
    """Return the bytes of ranges, given as (start, size) in any order; neighbours are read in one request."""
    joined: list[list[int]] = []
    for at, size in sorted(set(ranges)):
        if joined and at - joined[-1][1] <= GAP_BYTES and at + size - joined[-1][0] <= RANGE_LIMIT_BYTES:
            joined[-1][1] = max(joined[-1][1], at + size)
        else:
            joined.append([at, at + size])
    found: dict[tuple[int, int], bytes] = {}
    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        blocks = list(pool.map(lambda both: source.read(*both), joined))
    block = 0
    for at, size in sorted(set(ranges)):
        while at + size > joined[block][1]:
            block += 1
        begin = at - joined[block][0]
        found[at, size] = blocks[block][begin : begin + size]
    return [found[one] for one in ranges]


@dataclass(frozen=True, slots=True)
class RestartGroups:
    """A JPEG whose rows are read by ranges of the object, between restart markers."""

    source: Source
    desk: Desk
    groups: Groups
    places: PartObject

    @property
    def width(self) -> int:
        return self.groups.width

    @property
    def height(self) -> int:
        return self.groups.height

    @property
    def sides(self) -> tuple[int, int]:
        return self.groups.width, self.groups.rows

    def region(self, left: int, top: int, right: int, bottom: int) -> pyvips.Image:
        first, last = restarts.window(self.groups, top, bottom)
        packed = self.desk.read(self.places, 8 * first, 8 * (last + 1))
        places = struct.unpack(f"<{last + 1 - first}Q", packed)
        data = restarts.of_range(self.groups, first, last, self.source.read(places[0], places[-1]))
        with decoding("jpeg"):
            opened = pyvips.Image.jpegload_buffer(data, fail_on="error")
            y = top - first * self.groups.rows
            return normalised(opened.crop(left, y, right - left, bottom - top)).copy_memory()


@dataclass(frozen=True, slots=True)
class Blocks:
    """Plain pixels in the work bucket, cut into rectangles: each is stored row by row, for itself."""

    desk: Desk
    width: int
    height: int
    bands: int
    block_width: int
    block_height: int
    objects: Sequence[PartObject]
    """In rows: one for each block, or one for each row of blocks, which it holds one behind the other."""

    @property
    def sides(self) -> tuple[int, int]:
        return self.block_width, self.block_height

    @property
    def across(self) -> int:
        return -(-self.width // self.block_width)

    @property
    def down(self) -> int:
        return -(-self.height // self.block_height)

    def _place(self, x: int, y: int) -> tuple[PartObject, int]:
        """Return the object that holds a block, and where in it the block begins."""
        if len(self.objects) == self.down:
            rows = min(self.block_height, self.height - y * self.block_height)
            return self.objects[y], x * self.block_width * rows * self.bands
        return self.objects[y * self.across + x], 0

    def region(self, left: int, top: int, right: int, bottom: int) -> pyvips.Image:
        row_bytes = (right - left) * self.bands
        pixels = bytearray(row_bytes * (bottom - top))

        def copy(x: int, y: int) -> None:
            """Copy what a block shows of the rectangle; of its rows only those are read."""
            begins, stops = x * self.block_width, min((x + 1) * self.block_width, self.width)
            above, below = y * self.block_height, min((y + 1) * self.block_height, self.height)
            first, last = max(top, above), min(bottom, below)
            stored_bytes = (stops - begins) * self.bands
            part_object, at = self._place(x, y)
            start, stop = at + (first - above) * stored_bytes, at + (last - above) * stored_bytes
            found = memoryview(self.desk.read(part_object, start, stop))
            skipped = max(0, left - begins) * self.bands
            shown = (min(right, stops) - max(left, begins)) * self.bands
            to = (first - top) * row_bytes + max(0, begins - left) * self.bands
            for row in range(last - first):
                place = to + row * row_bytes
                pixels[place : place + shown] = found[skipped + row * stored_bytes :][:shown]

        with ThreadPoolExecutor(READS_AT_ONCE) as pool:
            copied = [
                pool.submit(copy, x, y)
                for y in range(top // self.block_height, -(-bottom // self.block_height))
                for x in range(left // self.block_width, -(-right // self.block_width))
            ]
            for one in copied:
                one.result()
        return in_memory(pixels, right - left, bottom - top, self.bands)


_TURNS: Mapping[int, tuple[str, ...]] = {
    1: (),
    2: ("fliphor",),
    3: ("rot180",),
    4: ("flipver",),
    5: ("rot90", "fliphor"),
    6: ("rot90",),
    7: ("rot270", "fliphor"),
    8: ("rot270",),
}
"""What makes an image upright that is stored with an orientation (TIFF 6.0, page 36; Exif 3.0, 4.6.5.1.6)."""


def turned(image: pyvips.Image, orientation: int) -> pyvips.Image:
    """Return an image upright."""
    for turn in _TURNS[orientation]:
        image = getattr(image, turn)()
    return image


@dataclass(frozen=True, slots=True)
class Upright:
    """A raster that is stored with an orientation, as it is looked at."""

    stored: Raster
    orientation: int

    @property
    def width(self) -> int:
        return self.stored.height if self.orientation > 4 else self.stored.width

    @property
    def height(self) -> int:
        return self.stored.width if self.orientation > 4 else self.stored.height

    @property
    def sides(self) -> tuple[int, int]:
        width, height = self.stored.sides
        return (height, width) if self.orientation > 4 else (width, height)

    def region(self, left: int, top: int, right: int, bottom: int) -> pyvips.Image:
        corners = [self._stored(x, y) for x, y in ((left, top), (right - 1, bottom - 1))]
        (x0, x1), (y0, y1) = (sorted(pair) for pair in zip(*corners, strict=True))
        return turned(self.stored.region(x0, y0, x1 + 1, y1 + 1), self.orientation).copy_memory()

    def _stored(self, x: int, y: int) -> tuple[int, int]:
        """Return where the pixel lies that is looked at here."""
        width, height = self.stored.width, self.stored.height
        if self.orientation > 4:
            x, y = y, x
        mirrored, upside_down = self.orientation in (2, 3, 7, 8), self.orientation in (3, 4, 6, 7)
        return width - 1 - x if mirrored else x, height - 1 - y if upside_down else y


def from_json(data: Json, source: Source, desk: Desk) -> Raster:
    """Return the raster that a layout describes."""
    if "tiff" in data:
        stored: Raster = TiffTiles(source, Page.from_json(data["tiff"]))
    elif "jpeg" in data:
        stored = RestartGroups(source, desk, Groups.from_json(data["jpeg"]), PartObject(*data["places"]))
    else:
        objects = [PartObject(*one) for one in data["objects"]]
        width, height, bands, *sides = data["blocks"]
        stored = Blocks(desk, width, height, bands, sides[0], sides[1], objects)
    orientation = data["orientation"]
    return stored if orientation == 1 else Upright(stored, orientation)
