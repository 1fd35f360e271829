"""Preparation: an image that can only be decoded from the top down becomes plain pixels in the work bucket.

It is read once, by one worker, a few rows at a time. Whoever needs a rectangle of it then reads just that.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyvips

from fanfold.errors import TooManyPixels
from fanfold.kinds.image import limits
from fanfold.kinds.image.headers import Header
from fanfold.kinds.image.pixels import decoding, loaded, normalised
from fanfold.kinds.image.places import BLOCK_WIDTH
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
        _write(image, rows, desk)
    return {
        "width": image.width,
        "height": image.height,
        "bands": image.bands,
        "rows": rows,
        "orientation": orientation if 1 <= orientation <= 8 else 1,
        "frames": frames,
    }


def _write(image: pyvips.Image, rows: int, desk: Desk) -> None:
    """Write the pixels of so many rows at a time, as blocks one behind the other."""
    row_bytes, block_bytes = image.width * image.bands, BLOCK_WIDTH * image.bands
    held, written = bytearray(), 0
    failure: Exception | None = None

    def take(data: bytes) -> int:
        nonlocal failure, written
        try:
            held.extend(data)
            while len(held) >= rows * row_bytes:
                desk.write(_name(written), _blocks(held[: rows * row_bytes], row_bytes, block_bytes))
                del held[: rows * row_bytes]
                written += 1
        except Exception as error:  # noqa: BLE001 - libvips calls this: what is raised here would be lost
            failure = error
            return -1
        return len(data)

    target = pyvips.TargetCustom()
    target.on_write(take)
    try:
        image.rawsave_target(target)
    finally:
        if failure:
            raise failure
    if held:
        desk.write(_name(written), _blocks(held, row_bytes, block_bytes))


def _name(number: int) -> str:
    return f"strip-{number:05}"


def _blocks(strip: bytearray, row_bytes: int, block_bytes: int) -> bytes:
    """Return whole rows cut into blocks."""
    pixels = memoryview(strip)
    return b"".join(
        pixels[start + left : start + min(left + block_bytes, row_bytes)]
        for left in range(0, row_bytes, block_bytes)
        for start in range(0, len(strip), row_bytes)
    )
