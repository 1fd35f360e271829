"""Smaller copies. What one is, is said of the whole image, so that it is the same however the work was cut.

The image is halved (see `pyramid`) while both of its sides stay at least twice those of the copy; what is left is
resampled once, by libvips' `resize` with Lanczos 3, alpha premultiplied. An image is never enlarged.
"""

from __future__ import annotations

import pyvips

from fanfold.kinds.image.fitting import Fit, fit, halvings
from fanfold.kinds.image.pyramid import Levels
from fanfold.kinds.image.recipe import Rendition


def shrink(levels: Levels, rendition: Rendition) -> pyvips.Image:
    """Return a rendition's pixels, in memory."""
    width, height = levels[0].width, levels[0].height
    wanted = fit(width, height, rendition)
    return resampled(levels[halvings(width, height, wanted)], wanted).copy_memory()


def resampled(image: pyvips.Image, wanted: Fit) -> pyvips.Image:
    """Return what is left of the halving in its last size, and cut; made when its pixels are asked for."""
    if (image.width, image.height) != (wanted.width, wanted.height):
        alpha, space = image.hasalpha(), image.interpretation
        small = image.premultiply() if alpha else image
        small = small.resize(wanted.width / image.width, vscale=wanted.height / image.height)
        image = (small.unpremultiply().rint() if alpha else small).cast("uchar").copy(interpretation=space)
    return image.crop(wanted.left, wanted.top, wanted.crop_width, wanted.crop_height)
