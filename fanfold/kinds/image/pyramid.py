"""Halving: the one way in which an image becomes smaller before its last resampling.

It is libvips' own (`dzsave`, region shrink `mean`): the mean of 2 × 2 pixels, rounded to nearest; at odd edges the last
row or column counts twice. With alpha the colours are weighted by it, and both are rounded down.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyvips
from PIL import Image

_MODES = {1: "L", 3: "RGB"}


def halve(image: pyvips.Image) -> pyvips.Image:
    """Return an image of half the width and height, rounded up; in memory."""
    return _halve_weighted(image) if image.hasalpha() else _halve_plain(image)


def _halve_plain(image: pyvips.Image) -> pyvips.Image:
    pixels = image.write_to_memory()
    half = Image.frombuffer(_MODES[image.bands], (image.width, image.height), pixels, "raw", _MODES[image.bands], 0, 1)
    half = half.reduce(2)
    made = pyvips.Image.new_from_memory(half.tobytes(), half.width, half.height, image.bands, "uchar")
    return made.copy(interpretation=image.interpretation)


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


def levels(image: pyvips.Image) -> Iterator[pyvips.Image]:
    """Yield an image and its halves, down to one pixel."""
    yield image
    while max(image.width, image.height) > 1:
        image = halve(image)
        yield image
