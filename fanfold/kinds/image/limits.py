"""How large an image may be: what its recipe allows, and what one worker holds in memory."""

from __future__ import annotations

from fanfold.errors import TooManyPixels
from fanfold.kinds.image.recipe import ImageRecipe

WHOLE_PIXELS = 64 << 20
"""The most pixels, of all frames together, that are decoded at once: 256 MiB with alpha, and as much to work with."""

WHOLE_BYTES = 256 << 20
"""The most bytes of an object that a worker reads at once."""


def check(recipe: ImageRecipe, width: int, height: int, size_bytes: int, frames: int = 1) -> None:
    """Raise TooManyPixels where an image is larger than its recipe allows."""
    pixels = width * height * frames
    shown = f"{width:,} × {height:,}" + (f" × {frames:,} frames" if frames > 1 else "")
    if pixels > recipe.pixels:
        raise TooManyPixels(f"the image has {shown} pixels, {pixels:,} in all; `pixels` allows {recipe.pixels:,}")
    if pixels > recipe.pixels_per_byte * size_bytes:
        raise TooManyPixels(
            f"the image has {shown} pixels in {size_bytes:,} bytes, {pixels // max(size_bytes, 1):,} in each; "
            f"`pixels_per_byte` allows {recipe.pixels_per_byte:,}"
        )
