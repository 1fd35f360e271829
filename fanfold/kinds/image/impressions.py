"""What an image looks like at a glance: a hash that alike images share, and a blur to show while one loads."""

from __future__ import annotations

from typing import Any

import pyvips

from fanfold.kinds.image.pixels import flattened

ACROSS, DOWN = 4, 3
"""The components of a blurhash."""


def described(small: pyvips.Image) -> dict[str, Any]:
    """Return the hashes of an image, given as its rendition `recipe.SMALL`."""
    import blurhash

    shown = flattened(small)
    rgb = shown if shown.bands == 3 else shown.bandjoin([shown, shown])
    pixels = bytes(rgb.write_to_memory())
    rows = [
        [list(pixels[at : at + 3]) for at in range(row * 3 * rgb.width, (row + 1) * 3 * rgb.width, 3)]
        for row in range(rgb.height)
    ]
    return {"dhash": dhash(shown), "blurhash": blurhash.encode(rows, ACROSS, DOWN)}


def dhash(image: pyvips.Image) -> str:
    """Return 64 bits in hexadecimal: row by row of 9 × 8 grey pixels, whether each is brighter than the one before."""
    grey = image.colourspace("b-w").resize(9 / image.width, vscale=8 / image.height).cast("uchar")
    pixels = bytes(grey.write_to_memory())
    bits = 0
    for row in range(8):
        for at in range(row * 9, row * 9 + 8):
            bits = bits << 1 | (pixels[at + 1] > pixels[at])
    return f"{bits:016x}"
