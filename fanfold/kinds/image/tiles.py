"""A Deep Zoom pyramid: which tiles a level has, and how one is cut.

The layout, names and bytes are those of libvips' `dzsave`; the format is Microsoft's Deep Zoom Image.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

import pyvips

from fanfold.kinds.image.encoding import pieces
from fanfold.kinds.image.pyramid import Levels
from fanfold.kinds.image.recipe import EXTENSIONS, Tiles
from fanfold.kinds.image.supertiles import Box
from fanfold.model import Desk

TILES, TILES_INDEX = "tiles", "tiles.json"
"""The objects of a part that hold tiles one behind the other, and their names and sizes in that order."""

Named = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile of a level, and the pixels of the level that are in it."""

    x: int
    y: int
    left: int
    top: int
    right: int
    bottom: int


def grid(width: int, height: int, size: int, overlap: int, shown: Box | None = None) -> Iterator[Tile]:
    """Yield the tiles of a level, row by row; inside the level each is larger by the overlap on every side.

    shown: yield those alone that lie in a rectangle, whose sides lie between tiles or at the level's own.
    """
    left, top, right, bottom = shown or (0, 0, width, height)
    for y in range(top // size, -(-bottom // size)):
        for x in range(left // size, -(-right // size)):
            yield Tile(
                x,
                y,
                max(0, x * size - overlap),
                max(0, y * size - overlap),
                min(width, (x + 1) * size + overlap),
                min(height, (y + 1) * size + overlap),
            )


def is_flat(tiles: Tiles | None, image: pyvips.Image) -> bool:
    """Tell whether an image loses its alpha in the tiles: it is put on white before it is halved."""
    return tiles is not None and tiles.format == "jpeg" and image.hasalpha()


def cut(levels: Levels, tiles: Tiles) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the bytes of every tile of an image and of all levels below it, largest first.

    The image is on white already where the tiles have no alpha: see `is_flat`.
    """
    pyramid = list(levels)
    for level, picture in zip(range(len(pyramid) - 1, -1, -1), pyramid, strict=True):
        shown = grid(picture.width, picture.height, tiles.size, tiles.overlap)
        yield from encoded(picture, shown, level, tiles)


def encoded(
    picture: pyvips.Image, shown: Iterable[Tile], level: int, tiles: Tiles, left: int = 0, top: int = 0
) -> Iterator[Named]:
    """Yield the name and the bytes of tiles, given row by row; `picture` begins at (left, top) of its level."""
    for _, several in groupby(shown, key=attrgetter("y")):
        row = list(several)
        first, last = row[0], row[-1]
        strip = picture.crop(first.left - left, first.top - top, last.right - first.left, first.bottom - first.top)
        piece = pieces(strip, tiles.format, tiles.quality)
        for tile in row:
            name = f"tiles_files/{level}/{tile.x}_{tile.y}.{EXTENSIONS[tiles.format]}"
            yield name, piece(tile.left - first.left, tile.right - first.left)


def write(made: Iterable[Named], desk: Desk) -> int:
    """Write tiles into one object, and say in another where they lie; return how many there are.

    Thousands of small objects would cost more to write than to make.
    """
    index, body = [], bytearray()
    for name, data in made:
        index.append([name, len(data)])
        body += data
    desk.write(TILES, bytes(body))
    desk.write(TILES_INDEX, json.dumps(index).encode())
    return len(index)


def descriptor(width: int, height: int, tiles: Tiles) -> bytes:
    """Return `tiles.dzi`."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Image xmlns="http://schemas.microsoft.com/deepzoom/2008"\n'
        f'  Format="{EXTENSIONS[tiles.format]}"\n  Overlap="{tiles.overlap}"\n  TileSize="{tiles.size}"\n  >\n'
        f'  <Size \n    Height="{height}"\n    Width="{width}"\n  />\n</Image>\n'
    ).encode()
