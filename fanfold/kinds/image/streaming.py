"""A raster as libvips reads it from the top down: as the bytes of a plain TIFF, made when they are asked for."""

from __future__ import annotations

from fanfold.kinds.image.rasters import Raster
from fanfold.kinds.image.streams import Stream
from fanfold.kinds.image.tiff.writing import of_pixels

STRIP_PIXELS = 4 << 20
"""What is fetched of a raster at once, at least one row."""


def of_raster(raster: Raster, bands: int) -> Stream:
    """Return a raster as a stream: of a plain TIFF, whose strips are made when they are read."""
    width, height = raster.width, raster.height
    step = raster.sides[1]
    rows = step if step * width <= 8 * STRIP_PIXELS else max(1, STRIP_PIXELS // width)
    rows = min(height, max(1, STRIP_PIXELS // width // rows) * rows)
    head = of_pixels(width, height, bands, rows)
    row_bytes = width * bands

    def block(at: int) -> tuple[int, bytes]:
        if at < len(head):
            return 0, head
        top = (at - len(head)) // (rows * row_bytes) * rows
        pixels = raster.region(0, top, width, min(top + rows, height)).write_to_memory()
        return len(head) + top * row_bytes, pixels

    return Stream(len(head) + height * row_bytes, block)
