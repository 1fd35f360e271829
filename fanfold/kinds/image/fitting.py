"""How large copies and levels become, in exact integers. No pixel is touched here: the splitter asks, too."""

from __future__ import annotations

from dataclasses import dataclass

from fanfold.kinds.image.recipe import Rendition


def levels(width: int, height: int) -> int:
    """Return how many levels an image has."""
    return (max(width, height) - 1).bit_length() + 1


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
