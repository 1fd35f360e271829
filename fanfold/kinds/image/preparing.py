"""Preparation: an image that can only be decoded from the top down becomes plain pixels in the work bucket.

It is read once, by one worker, a few rows at a time. Whoever needs a rectangle of it then reads just that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyvips

from fanfold.errors import TooManyPixels
from fanfold.kinds.image import limits
from fanfold.kinds.image.headers import Header
from fanfold.kinds.image.pixels import decoding, loaded, normalised
from fanfold.kinds.image.places import BLOCK_WIDTH
from fanfold.kinds.image.rasters import in_memory
from fanfold.kinds.image.recipe import ImageRecipe
from fanfold.kinds.image.streams import of_source
from fanfold.model import Desk, Json, Source

STRIP_PIXELS = 8 << 20
"""What is written at once, at least one row."""


def prepare(source: Source, recipe: ImageRecipe, header: Header, desk: Desk) -> Mapping[str, Json]:
    """Write an image as strips of blocks. Raises BrokenImage, NotAnImage, TooManyPixels."""
    stream = of_source(source)
    with decoding(header.format, stream):
        opened = loaded(stream, header.format)
        limits.check(recipe, opened.width, opened.height, source.size_bytes)
        if not header.streams and opened.width * opened.height > limits.UNSTREAMED_PIXELS:
            raise TooManyPixels(limits.unstreamed(header.format, opened.width, opened.height))
        orientation = opened.get("orientation") if opened.get_typeof("orientation") else 1
        frames = opened.get("n-pages") if header.format in ("gif", "webp") and opened.get_typeof("n-pages") else 1
        image = normalised(opened)
        rows = max(1, min(image.height, STRIP_PIXELS // image.width))
        for number, strip in enumerate(_strips(image, rows)):
            desk.write(_name(number), strip)
    return {
        "width": image.width,
        "height": image.height,
        "bands": image.bands,
        "rows": rows,
        "orientation": orientation if 1 <= orientation <= 8 else 1,
        "frames": frames,
    }


def _name(number: int) -> str:
    return f"strip-{number:05}"


def _strips(image: pyvips.Image, rows: int) -> Iterator[bytes]:
    """Yield the pixels of so many rows at a time, as blocks one behind the other."""
    region = pyvips.Region.new(image)
    for top in range(0, image.height, rows):
        count = min(rows, image.height - top)
        pixels = region.fetch(0, top, image.width, count)
        if image.width <= BLOCK_WIDTH:
            yield bytes(pixels)
            continue
        strip = in_memory(pixels, image.width, count, image.bands)
        lefts = range(0, image.width, BLOCK_WIDTH)
        yield b"".join(
            strip.crop(left, 0, min(BLOCK_WIDTH, image.width - left), count).write_to_memory() for left in lefts
        )
