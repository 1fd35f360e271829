"""Smaller copies. What one is, is said of the whole image, so that it is the same however the work was cut.

The image is halved (see `pyramid`) while both of its sides stay at least twice those of the copy; what is left is
resampled once, by libvips' `resize` with Lanczos 3, alpha premultiplied. An image is never enlarged.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyvips

from fanfold.kinds.image.pyramid import halve
from fanfold.kinds.image.recipe import Rendition


@dataclass(frozen=True, slots=True)
class Fit:
    """What becomes of the sides of an image."""

    width: int
    height: int
    """What the whole image is resampled to."""
    left: int = 0
    top: int = 0
    crop_width: int = 0
    crop_height: int = 0
    """What is kept of that."""


def fit(width: int, height: int, rendition: Rendition) -> Fit:
    """Return the size of a rendition: inside the box, or (`cover`) cut from the middle to fill it. Exact integers."""
    box_width, box_height = rendition.width or width, rendition.height or height
    if rendition.fit == "contain":
        made = _inside(width, height, box_width, box_height)
        return Fit(*made, 0, 0, *made)
    if width * box_height > height * box_width:
        tall = min(box_height, height)
        made = (max(1, _rounded(width * tall, height)), tall)
    else:
        wide = min(box_width, width)
        made = (wide, max(1, _rounded(height * wide, width)))
    keep_width, keep_height = min(box_width, made[0]), min(box_height, made[1])
    return Fit(*made, (made[0] - keep_width) // 2, (made[1] - keep_height) // 2, keep_width, keep_height)


def _inside(width: int, height: int, box_width: int, box_height: int) -> tuple[int, int]:
    if width <= box_width and height <= box_height:
        return width, height
    if width * box_height > height * box_width:
        return box_width, max(1, _rounded(height * box_width, width))
    return max(1, _rounded(width * box_height, height)), box_height


def _rounded(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)


def halvings(width: int, height: int, wanted: Fit) -> int:
    """Return how often an image is halved before it is resampled."""
    count = 0
    while (width + 1) // 2 >= 2 * wanted.width and (height + 1) // 2 >= 2 * wanted.height:
        width, height, count = (width + 1) // 2, (height + 1) // 2, count + 1
    return count


def shrink(image: pyvips.Image, rendition: Rendition) -> pyvips.Image:
    """Return a rendition's pixels, in memory."""
    wanted = fit(image.width, image.height, rendition)
    for _ in range(halvings(image.width, image.height, wanted)):
        image = halve(image)
    return resample(image, wanted)


def resample(image: pyvips.Image, wanted: Fit) -> pyvips.Image:
    """Return what is left of the halving in its last size, and cut."""
    if (image.width, image.height) != (wanted.width, wanted.height):
        alpha, space = image.hasalpha(), image.interpretation
        small = image.premultiply() if alpha else image
        small = small.resize(wanted.width / image.width, vscale=wanted.height / image.height)
        image = (small.unpremultiply().rint() if alpha else small).cast("uchar").copy(interpretation=space)
    return image.crop(wanted.left, wanted.top, wanted.crop_width, wanted.crop_height).copy_memory()
