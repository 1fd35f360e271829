"""Halving: the one way in which an image becomes smaller before its last resampling.

It is libvips' own (`dzsave`, region shrink `mean`): the mean of 2 × 2 pixels, rounded to nearest; at odd edges the last
row or column counts twice. With alpha the colours are weighted by it, and both are rounded down.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyvips

from fanfold.kinds.image.pixels import in_memory, in_pillow

STRIP_BYTES = 4 << 20
"""What is halved at once: as much as memory near the core holds, and at least two rows."""


def halve(image: pyvips.Image) -> pyvips.Image:
    """Return an image of half the width and height, rounded up; both are in memory."""
    return _halve_weighted(image) if image.hasalpha() else _halve_plain(image)


def _halve_plain(image: pyvips.Image) -> pyvips.Image:
    width = image.width
    rows = max(2, STRIP_BYTES // (width * image.bands) // 2 * 2)
    halves = []
    for top in range(0, image.height, rows):
        strip = image.crop(0, top, width, min(rows, image.height - top))
        halves.append(in_pillow(strip).reduce(2).tobytes())
    return in_memory(b"".join(halves), (width + 1) // 2, (image.height + 1) // 2, image.bands)


def _halve_weighted(image: pyvips.Image) -> pyvips.Image:
    width, height = image.width + image.width % 2, image.height + image.height % 2
    # One more row and column, so that the three shifted views are as large as the first.
    wider = image.embed(0, 0, width + 1, height + 1, extend="copy")
    four = [wider.crop(x, y, width, height).subsample(2, 2) for y in (0, 1) for x in (0, 1)]
    colours = image.bands - 1
    weights = [quarter[colours].cast("double") for quarter in four]
    alpha = pyvips.Image.sum(weights)
    parts = zip(four, weights, strict=True)
    weighted = pyvips.Image.sum([quarter.extract_band(0, n=colours) * weight for quarter, weight in parts])
    mean = (alpha == 0).ifthenelse(0, (weighted / alpha).floor())
    made = mean.bandjoin((alpha / 4).floor()).cast("uchar")
    return made.copy(interpretation=image.interpretation).copy_memory()


class Levels:
    """An image and its halves, each made once, when it is asked for first."""

    def __init__(self, image: pyvips.Image) -> None:
        self._made = [image]

    def __getitem__(self, times: int) -> pyvips.Image:
        """Return the image halved so often."""
        while len(self._made) <= times:
            self._made.append(halve(self._made[-1]))
        return self._made[times]

    def __iter__(self) -> Iterator[pyvips.Image]:
        """Yield all of them, the image first, down to one pixel."""
        times = 0
        while True:
            image = self[times]
            yield image
            if max(image.width, image.height) == 1:
                return
            times += 1
