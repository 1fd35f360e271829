"""The splitter: the header tells whether the image is within its limits, and how it can be cut. No pixel is read."""

from __future__ import annotations

from fanfold.kinds.image import limits, staging
from fanfold.kinds.image.fitting import fit
from fanfold.kinds.image.headers import Reader, read_header
from fanfold.kinds.image.places import of_page, of_preparation
from fanfold.kinds.image.recipe import ImageRecipe, Rendition
from fanfold.kinds.image.recognition import pieces
from fanfold.kinds.image.staging import ROLE
from fanfold.kinds.image.supertiles import grid
from fanfold.kinds.image.tiff.reading import Page, read_page
from fanfold.model import Again, Forecast, Json, Line, Part, Plan, Source

TILE_PIXELS = 16 << 20
"""The most pixels of one tile of a TIFF, or of two strips: a worker decodes several."""

PIXELS_A_SECOND = 40e6
"""What one worker decodes."""

ENCODED_A_SECOND = {"jpeg": 100e6, "png": 15e6, "webp": 10e6, "avif": 3e6}
"""Pixels that one worker encodes; orders of magnitude, measured on one core of a shared machine."""

RECOGNISED_A_SECOND = {"text": 0.5e6, "faces": 3e6}
"""Pixels of pieces that one worker recognises with the embedded engine: text, where there is much of it."""

AROUND_CHUNK_S = 0.5


def plan(source: Source, recipe: ImageRecipe) -> Plan:
    """Plan one line for a small image; of a large one its rectangles, or first its preparation.

    Raises NotAnImage, BrokenImage, TooManyPixels, TooLargeForFormat.
    """
    header = read_header(source)
    limits.check(recipe, header.width, header.height, source.size_bytes)
    if header.pixels <= limits.WHOLE_PIXELS and source.size_bytes <= limits.WHOLE_BYTES:
        return Plan(header.to_json(), [Line("0-00000", ROLE, {"whole": True})])
    if not header.streams:
        limits.check_unstreamed(header.format, header.width, header.height)
    page = read_page(Reader(source).read) if header.format == "tiff" else None
    if page and (bands := _stored(recipe, page)):
        layout = _first(recipe, header.to_json(), of_page(page), page.orientation, bands)
        return Plan(layout, staging.lines(recipe, layout, 0))
    return Plan({"header": header.to_json()}, [Line("0-00000", ROLE, {"prepare": True})], prepares=True)


def prepared(recipe: ImageRecipe, layout: Json, part: Part) -> Again:
    """Plan an image that was prepared. Raises TooLargeForFormat."""
    header = layout["header"] | {name: part.facts[name] for name in ("width", "height")}
    orientation = part.facts["orientation"]
    bands = "any" if "groups" not in part.facts else "columns" if orientation in (5, 6, 7, 8) else "rows"
    made = _first(recipe, header, of_preparation(part), orientation, bands)
    return Again(staging.lines(recipe, made, 1), made, plans=True)


def _first(recipe: ImageRecipe, header: Json, raster: Json, orientation: int, bands: str) -> Json:
    sides = header["width"], header["height"]
    width, height = reversed(sides) if orientation in (5, 6, 7, 8) else sides
    for rendition in recipe.renditions:
        wanted = fit(width, height, rendition)
        limits.check_output(wanted.crop_width, wanted.crop_height, rendition.format, rendition.output)
    if recipe.convert:
        limits.check_output(width, height, recipe.convert.format, recipe.convert.output)
    return staging.first(recipe, header, raster, width, height, bands)


def _stored(recipe: ImageRecipe, page: Page) -> str | None:
    """Return how a page's tiles are best read: `rows` or `columns` of strips, or any; None if it is to be prepared."""
    pixels = page.tile_width * page.tile_height
    if page.is_tiled:
        return "any" if pixels <= TILE_PIXELS else None
    if pixels * 2 > TILE_PIXELS or page.width * recipe.tile_size * 2 > TILE_PIXELS:
        return None
    return "columns" if page.orientation in (5, 6, 7, 8) else "rows"


def forecast(source: Source, recipe: ImageRecipe, plan: Plan) -> Forecast:
    """Tell what a plan will come to, by speeds measured before."""
    header = plan.layout.get("header", plan.layout)
    pixels = header["width"] * header["height"]
    encoding_s = pixels * 4 / 3 / ENCODED_A_SECOND[recipe.tiles.format] if recipe.tiles else 0.0
    finishing_s = [_rendition_s(rendition, header) for rendition in recipe.renditions]
    if recipe.convert:
        finishing_s.append(pixels / ENCODED_A_SECOND[recipe.convert.format])
    seen = _pieces(recipe, header["width"], header["height"])
    piece_s = _piece_s(recipe, header)
    # What was seen is folded in a round of its own.
    seen_s = [-(-seen // recipe.concurrency) * piece_s, 0.1] if seen else []
    if header is plan.layout:
        seconds = pixels / PIXELS_A_SECOND + encoding_s + sum(finishing_s)
        waits_s = sum(AROUND_CHUNK_S + one for one in [seconds, *seen_s])
        return Forecast(1, source.size_bytes, 1 + seen + bool(seen), seconds + seen * piece_s, waits_s)
    preparing_s = pixels / PIXELS_A_SECOND if plan.prepares else 0.0
    cutting_s = pixels / PIXELS_A_SECOND + encoding_s
    chunks = _rectangles(recipe, header["width"], header["height"])
    if not plan.prepares:
        chunks = sum(line.role == ROLE for line in plan.lines)
    at_once = -(-chunks // recipe.concurrency)
    longest = [preparing_s, at_once * cutting_s / chunks, max(finishing_s, default=0.0), *seen_s]
    return Forecast(
        chunks,
        source.size_bytes // chunks,
        chunks + plan.prepares + seen + bool(seen),
        preparing_s + cutting_s + sum(finishing_s) + seen * piece_s,
        sum(AROUND_CHUNK_S + seconds for seconds in longest if seconds),
    )


def _rendition_s(rendition: Rendition, header: Json) -> float:
    width, height = int(header["width"]), int(header["height"])
    sides = (rendition.width or width) * (rendition.height or height)
    return min(sides, width * height) / ENCODED_A_SECOND[rendition.format]


def _pieces(recipe: ImageRecipe, width: int, height: int) -> int:
    return pieces.count(width, height) if recipe.recognise else 0


def _piece_s(recipe: ImageRecipe, header: Json) -> float:
    if recipe.recognise is None:
        return 0.0
    pixels = min(header["width"], pieces.SIDE) * min(header["height"], pieces.SIDE)
    return float(pixels * sum(1 / RECOGNISED_A_SECOND[what] for what in recipe.recognise.what))


def _rectangles(recipe: ImageRecipe, width: int, height: int) -> int:
    return sum(1 for _ in grid(recipe, width, height).spans())
