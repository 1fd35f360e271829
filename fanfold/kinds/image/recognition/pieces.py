"""Which pieces of an image are recognised. They depend on its width and height alone.

Engines look at pictures of some size: of a larger one they see less, and need memory for all of it. So an image is
recognised in pieces of at most SIDE pixels that overlap by OVERLAP at least, and so is its half, and the half of that,
down to a level that is a single piece. What is cut at a seam of one level lies whole in a piece of another.
"""

from __future__ import annotations

from collections.abc import Iterator

from fanfold.kinds.image import fitting
from fanfold.kinds.image.supertiles import Box

SIDE = 896
"""The longest side of a piece: with it a worker of the embedded engine stays below 400 MB."""

OVERLAP = 256
"""The least that neighbours share. A face, or a line of text, that is no larger is in one of them whole."""


def levels(width: int, height: int) -> list[int]:
    """Return the levels of the pyramid that are recognised, the image itself first."""
    top = fitting.levels(width, height) - 1
    found = [top]
    while max(width, height) > SIDE:
        width, height = -(-width // 2), -(-height // 2)
        found.append(found[-1] - 1)
    return found


def pieces(width: int, height: int) -> Iterator[Box]:
    """Yield the pieces of a level, row by row."""
    for top, bottom in spread(height):
        for left, right in spread(width):
            yield left, top, right, bottom


def spread(length: int) -> list[tuple[int, int]]:
    """Return the ranges that cover a length: equal ones, as few as can be, spread evenly."""
    side = min(SIDE, length)
    gaps = -(-(length - side) // (SIDE - OVERLAP))
    starts = [(length - side) * number // gaps for number in range(gaps + 1)] if gaps else [0]
    return [(start, start + side) for start in starts]


def count(width: int, height: int) -> int:
    """Return how many pieces an image has on all levels."""
    found = 0
    for _ in levels(width, height):
        found += len(spread(width)) * len(spread(height))
        width, height = -(-width // 2), -(-height // 2)
    return found
