"""How large an image may be: what its recipe allows, and what one worker holds in memory."""

from __future__ import annotations

from fanfold.errors import TooLargeForFormat, TooManyPixels
from fanfold.kinds.image.recipe import ImageRecipe

WHOLE_PIXELS = 48 << 20
"""The most pixels, of all frames together, that are decoded at once: 192 MiB with alpha, and a third to work with."""

WHOLE_BYTES = 64 << 20
"""The most bytes of an object that a worker reads at once."""

UNSTREAMED_PIXELS = {"avif": 160 << 20, "heic": 160 << 20} | dict.fromkeys(("jpeg", "png", "webp", "gif"), 224 << 20)
"""The most pixels of an image that its format makes a worker decode as a whole: measured, that takes up to 17 bytes
each of AVIF and HEIC, and 12 of the others; a worker has 3 GB."""

LEVEL_PIXELS = 16 << 20
"""The most pixels of a level of a large image that one worker holds."""

SPAN_SIDE = 4096
"""The side of the rectangle that one worker cuts of a large image: 48 MiB of pixels, and twice that to work with."""


SIDE = 1 << 20
"""The longest side of an image: each row of a wider one would be held, and a narrow one has tiles without end."""

SIDES = {"jpeg": 65_500, "png": 2_147_483_647, "webp": 16_383, "avif": 16_384}
"""The longest side that each encoder takes."""

_WHOLE = frozenset({"webp", "avif"})
"""What is encoded with all of its pixels in memory."""


def check_output(width: int, height: int, format: str, output: str) -> None:
    """Raise TooLargeForFormat where a format cannot hold an image, or only by holding all of it in memory."""
    if max(width, height) > SIDES[format]:
        raise TooLargeForFormat(
            f"`{output}` would have {width:,} × {height:,} pixels; {format.upper()} holds at most {SIDES[format]:,}"
        )
    if format in _WHOLE and width * height > WHOLE_PIXELS:
        raise TooLargeForFormat(
            f"`{output}` would have {width:,} × {height:,} pixels; {format.upper()} is made of at most {WHOLE_PIXELS:,}"
        )


def check(recipe: ImageRecipe, width: int, height: int, size_bytes: int, frames: int = 1) -> None:
    """Raise TooManyPixels where an image is larger than its recipe allows."""
    if max(width, height) > SIDE:
        raise TooManyPixels(f"the image has {width:,} × {height:,} pixels; the longest side is at most {SIDE:,}")
    pixels = width * height * frames
    shown = f"{width:,} × {height:,}" + (f" × {frames:,} frames" if frames > 1 else "")
    if pixels > recipe.pixels:
        raise TooManyPixels(f"the image has {shown} pixels, {pixels:,} in all; `pixels` allows {recipe.pixels:,}")
    if pixels > recipe.pixels_per_byte * size_bytes:
        raise TooManyPixels(
            f"the image has {shown} pixels in {size_bytes:,} bytes, {pixels // max(size_bytes, 1):,} in each; "
            f"`pixels_per_byte` allows {recipe.pixels_per_byte:,}"
        )


def check_unstreamed(format: str, width: int, height: int) -> None:
    """Raise TooManyPixels where an image is too large for a format that is decoded as a whole."""
    if width * height <= UNSTREAMED_PIXELS[format]:
        return
    raise TooManyPixels(
        f"the {format.upper()} has {width:,} × {height:,} pixels and is decoded as a whole, as progressive, interlaced "
        f"and compressed frames are; such an image has at most {UNSTREAMED_PIXELS[format]:,} pixels"
    )
