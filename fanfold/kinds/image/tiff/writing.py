"""A TIFF made of tags and tiles: of those of another TIFF, or of plain pixels that are still to come."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from fanfold.kinds.image.tiff import reading
from fanfold.kinds.image.tiff.reading import LONG, LONG8, SHORT, TYPE_BYTES, Page, Window

Values = Mapping[int, tuple[int, bytes]]
"""Type and bytes of the value of each tag."""


def head(order: str, values: Values, offsets_tag: int, sizes: Sequence[int]) -> bytes:
    """Return all of a BigTIFF that stands before its tiles, which follow in order and have these sizes."""
    packed = struct.pack(f"{order}{len(sizes)}Q", *sizes)
    counts_tag = reading.TILE_COUNTS if offsets_tag == reading.TILE_OFFSETS else reading.STRIP_COUNTS
    entries = {**values, counts_tag: (LONG8, packed), offsets_tag: (LONG8, packed)}
    body_at = 16 + 8 + 20 * len(entries) + 8
    places, body = {}, 0
    for tag, (_, data) in sorted(entries.items()):
        if len(data) > 8:
            places[tag] = body_at + body
            body += len(data) + len(data) % 2
    at, offsets = body_at + body, []
    for size in sizes:
        offsets.append(at)
        at += size
    entries[offsets_tag] = LONG8, struct.pack(f"{order}{len(offsets)}Q", *offsets)
    made = bytearray((b"II" if order == "<" else b"MM") + struct.pack(order + "HHHQQ", 43, 8, 0, 16, len(entries)))
    tail = bytearray()
    for tag, (type, data) in sorted(entries.items()):
        made += struct.pack(order + "HHQ", tag, type, len(data) // TYPE_BYTES[type])
        made += struct.pack(order + "Q", places[tag]) if tag in places else data.ljust(8, b"\0")
        if tag in places:
            tail += data + b"\0" * (len(data) % 2)
    return bytes(made + bytes(8) + tail)


def of_window(page: Page, tiles: Window, data: Sequence[bytes]) -> bytes:
    """Return a TIFF of a window of another one's tiles, which are given row by row."""
    width = min(tiles.right * page.tile_width, page.width) - tiles.left * page.tile_width
    height = min(tiles.bottom * page.tile_height, page.height) - tiles.top * page.tile_height
    values = dict(page.carried) | _longs(page.order, {reading.WIDTH: width, reading.HEIGHT: height})
    if page.is_tiled:
        sides = {reading.TILE_WIDTH: page.tile_width, reading.TILE_HEIGHT: page.tile_height}
    else:
        sides = {reading.ROWS_PER_STRIP: page.tile_height}
    tag = reading.TILE_OFFSETS if page.is_tiled else reading.STRIP_OFFSETS
    sizes = [len(tile) for tile in data]
    return head(page.order, values | _longs(page.order, sides), tag, sizes) + b"".join(data)


def of_pixels(width: int, height: int, bands: int, rows_per_strip: int) -> bytes:
    """Return what stands before plain pixels of 8 bits a band, row by row; of 2 and 4 bands the last is alpha."""
    colours = 1 if bands < 3 else 3
    values = {
        reading.BITS: (SHORT, struct.pack(f"<{bands}H", *[8] * bands)),
        reading.COMPRESSION: (SHORT, struct.pack("<H", 1)),
        reading.PHOTOMETRIC: (SHORT, struct.pack("<H", 1 if colours == 1 else 2)),
        reading.SAMPLES: (SHORT, struct.pack("<H", bands)),
        reading.PLANAR: (SHORT, struct.pack("<H", 1)),
    }
    if bands > colours:
        values[338] = SHORT, struct.pack("<H", 2)
    sides = {reading.WIDTH: width, reading.HEIGHT: height, reading.ROWS_PER_STRIP: rows_per_strip}
    sizes = [width * bands * (min(top + rows_per_strip, height) - top) for top in range(0, height, rows_per_strip)]
    return head("<", values | _longs("<", sides), reading.STRIP_OFFSETS, sizes)


def _longs(order: str, given: Mapping[int, int]) -> dict[int, tuple[int, bytes]]:
    return {tag: (LONG, struct.pack(order + "I", value)) for tag, value in given.items()}
