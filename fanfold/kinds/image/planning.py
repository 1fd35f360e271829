"""The splitter: the header tells whether the image is within its limits. No pixel is read."""

from __future__ import annotations

from fanfold.errors import TooManyPixels
from fanfold.kinds.image.headers import read_header
from fanfold.kinds.image.limits import WHOLE_BYTES, WHOLE_PIXELS, check
from fanfold.kinds.image.recipe import ImageRecipe
from fanfold.model import Forecast, Line, Plan, Source

ROLE = "pixels"

PIXELS_A_SECOND = 40e6
"""What one worker decodes."""

ENCODED_A_SECOND = {"jpeg": 100e6, "png": 15e6, "webp": 10e6, "avif": 3e6}
"""Pixels that one worker encodes; orders of magnitude, measured on one core of a shared machine."""

AROUND_CHUNK_S = 0.5


def plan(source: Source, recipe: ImageRecipe) -> Plan:
    """Plan one line, which decodes the image whole. Raises NotAnImage, BrokenImage, TooManyPixels."""
    header = read_header(source)
    check(recipe, header.width, header.height, source.size_bytes)
    if header.pixels > WHOLE_PIXELS or source.size_bytes > WHOLE_BYTES:
        raise TooManyPixels(
            f"the image has {header.width:,} × {header.height:,} pixels in {source.size_bytes:,} bytes; an image that "
            f"is decoded at once has at most {WHOLE_PIXELS:,} pixels and {WHOLE_BYTES:,} bytes"
        )
    return Plan(header.to_json(), [Line("0-00000", ROLE, {"whole": True})])


def forecast(source: Source, recipe: ImageRecipe, plan: Plan) -> Forecast:
    """Tell what a plan will come to, by speeds measured before."""
    pixels = plan.layout["width"] * plan.layout["height"]
    seconds = pixels / PIXELS_A_SECOND
    if recipe.tiles:
        seconds += pixels * 4 / 3 / ENCODED_A_SECOND[recipe.tiles.format]
    if recipe.convert:
        seconds += pixels / ENCODED_A_SECOND[recipe.convert.format]
    for rendition in recipe.renditions:
        sides = (rendition.width or plan.layout["width"]) * (rendition.height or plan.layout["height"])
        seconds += min(sides, pixels) / ENCODED_A_SECOND[rendition.format]
    return Forecast(1, source.size_bytes, 1, seconds, AROUND_CHUNK_S + seconds)
