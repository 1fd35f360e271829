"""A large image as rectangles, each of which yields several levels of the pyramid by itself.

A rectangle is `size << halvings` pixels wide and high: halved that often, it is one tile. With a halo of
`overlap << halvings` pixels around it, every tile of these levels is in it whole, overlap and all. What remains of all
rectangles is the image, halved as often: small enough to be finished by one worker, or cut again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from fanfold.kinds.image import fitting, limits
from fanfold.kinds.image.recipe import ImageRecipe

Box = tuple[int, int, int, int]
"""Left, top, right and bottom, in pixels."""


@dataclass(frozen=True, slots=True)
class Grid:
    """How one level of an image is cut."""

    width: int
    height: int
    halvings: int
    span_width: int
    span_height: int
    halo: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def spans(self) -> Iterator[Box]:
        """Yield the rectangles, row by row."""
        for top in range(0, self.height, self.span_height):
            for left in range(0, self.width, self.span_width):
                right, bottom = left + self.span_width, top + self.span_height
                yield left, top, min(right, self.width), min(bottom, self.height)

    def sides(self, times: int) -> tuple[int, int]:
        """Return width and height of the level once it was halved so often."""
        return -(-self.width >> times), -(-self.height >> times)

    def with_halo(self, span: Box) -> Box:
        left, top, right, bottom = span
        return (
            max(0, left - self.halo),
            max(0, top - self.halo),
            min(self.width, right + self.halo),
            min(self.height, bottom + self.halo),
        )

    def halved(self, span: Box, times: int) -> Box:
        """Return where a rectangle lies once the image was halved so often."""
        left, top, right, bottom = span
        return left >> times, top >> times, -(-right >> times), -(-bottom >> times)


def grid(recipe: ImageRecipe, width: int, height: int, *, rows: bool = False, columns: bool = False) -> Grid:
    """Return how an image, or a level of it, is cut; `rows`: into bands as wide as it is, `columns`: as high."""
    size, overlap = recipe.tile_size, recipe.tiles.overlap if recipe.tiles else 0
    halvings = max(1, (limits.SPAN_SIDE // size).bit_length() - 1)
    across = width if rows else height if columns else 0
    while halvings > 1 and across * (size << halvings) > limits.SPAN_SIDE**2:
        halvings -= 1
    halvings = min(halvings, fitting.levels(width, height) - 1)
    side = size << halvings
    return Grid(width, height, halvings, width if rows else side, height if columns else side, overlap << halvings)
