"""A Deep Zoom pyramid: which tiles a level has, and how one is cut.

The layout, names and bytes are those of libvips' `dzsave`; the format is Microsoft's Deep Zoom Image.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyvips

from fanfold.kinds.image.encoding import encode
from fanfold.kinds.image.pixels import flattened
from fanfold.kinds.image.pyramid import levels
from fanfold.kinds.image.recipe import EXTENSIONS, Tiles


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile of a level, and the pixels of the level that are in it."""

    x: int
    y: int
    left: int
    top: int
    right: int
    bottom: int


def grid(width: int, height: int, size: int, overlap: int) -> Iterator[Tile]:
    """Yield the tiles of a level, row by row; inside the level each is larger by the overlap on every side."""
    for y in range(-(-height // size)):
        for x in range(-(-width // size)):
            left, top = max(0, x * size - overlap), max(0, y * size - overlap)
            right, bottom = min(width, (x + 1) * size + overlap), min(height, (y + 1) * size + overlap)
            yield Tile(x, y, left, top, right, bottom)


def prepared(image: pyvips.Image, tiles: Tiles) -> pyvips.Image:
    """Return what the tiles are cut of: JPEG has no alpha."""
    return flattened(image).copy_memory() if tiles.format == "jpeg" and image.hasalpha() else image


def cut(image: pyvips.Image, tiles: Tiles) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the bytes of every tile of every level, largest level first."""
    extension = EXTENSIONS[tiles.format]
    pyramid = list(levels(prepared(image, tiles)))
    for level, picture in zip(range(len(pyramid) - 1, -1, -1), pyramid, strict=True):
        for tile in grid(picture.width, picture.height, tiles.size, tiles.overlap):
            piece = picture.crop(tile.left, tile.top, tile.right - tile.left, tile.bottom - tile.top)
            yield f"tiles_files/{level}/{tile.x}_{tile.y}.{extension}", encode(piece, tiles.format, tiles.quality)


def descriptor(width: int, height: int, tiles: Tiles) -> bytes:
    """Return `tiles.dzi`."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Image xmlns="http://schemas.microsoft.com/deepzoom/2008"\n'
        f'  Format="{EXTENSIONS[tiles.format]}"\n  Overlap="{tiles.overlap}"\n  TileSize="{tiles.size}"\n  >\n'
        f'  <Size \n    Height="{height}"\n    Width="{width}"\n  />\n</Image>\n'
    ).encode()
