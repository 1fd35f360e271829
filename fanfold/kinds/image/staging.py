"""The rounds of a large image: cut it, cut what is left while that is too large, then finish every output. Recognition
goes beside them, each level as soon as its pixels are there.

A stage is a level of the pyramid, the whole image first. Its layout says which level it is, how it is cut, and where
the pixels lie of this level and of others that outputs are made of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fanfold.kinds.image import fitting, limits
from fanfold.kinds.image.places import FLAT, PLAIN, of_blocks, of_levels
from fanfold.kinds.image.recipe import SMALL, ImageRecipe
from fanfold.kinds.image.recognition import pieces
from fanfold.kinds.image.supertiles import Grid, grid
from fanfold.model import Json, Line, Part

ROLE, RECOGNISE = "pixels", "recognise"

TILES, METADATA, CONVERTED, RECOGNISED = "tiles", "metadata", "converted", "recognised"
"""What is finished besides renditions; none of those can be called so."""


def first(recipe: ImageRecipe, header: Json, raster: Json, width: int, height: int, bands: str) -> Json:
    """Return the layout of the first stage; `bands`: `rows` or `columns` it is stored in, or `any`."""
    cut = grid(recipe, width, height, rows=bands == "rows", columns=bands == "columns")
    top = fitting.levels(width, height) - 1
    return _layout(recipe, header, (width, height), top, {str(top): {PLAIN: raster}}, cut)


def after(recipe: ImageRecipe, layout: Json, parts: Sequence[Part]) -> Json:
    """Return the layout of the stage behind one whose rectangles are all cut."""
    cut = Grid(**layout["grid"])
    base = layout["level"] - cut.halvings
    levels = {}
    for level in (*layout["keep"], base):
        names = [name for name in (PLAIN, FLAT) if f"{name}-{level}" in parts[0].objects]
        levels[str(level)] = {name: _blocks(cut, layout["level"] - level, f"{name}-{level}", parts) for name in names}
    if layout["level"] == layout["top"] == level_of(recipe, METADATA, layout["whole"]):
        levels[str(layout["top"])] = layout["levels"][str(layout["top"])]
    width, height = cut.sides(cut.halvings)
    is_cut = width * height > limits.LEVEL_PIXELS
    return _layout(
        recipe, layout["header"], layout["whole"], base, levels, grid(recipe, width, height) if is_cut else None
    )


def _layout(
    recipe: ImageRecipe, header: Json, whole: Sequence[int], level: int, levels: Json, cut: Grid | None
) -> Json:
    asked = {level_of(recipe, what, whole) for what in _outputs(recipe)}
    if recipe.recognise:
        asked |= set(pieces.levels(whole[0], whole[1]))
    return {
        "header": header,
        "whole": list(whole),
        "top": fitting.levels(whole[0], whole[1]) - 1,
        "level": level,
        "levels": levels,
        "grid": cut and cut.to_json(),
        "keep": sorted(one for one in asked if cut and level - cut.halvings < one < level),
    }


def _blocks(cut: Grid, times: int, name: str, parts: Sequence[Part]) -> Json:
    """Return what the rectangles left of one level."""
    objects = [part.objects[name] for part in parts]
    _, _, *sides = cut.halved((0, 0, cut.span_width, cut.span_height), times)
    return of_blocks(cut.sides(times), parts[0].facts["bands"][name.partition("-")[0]], (sides[0], sides[1]), objects)


def lines(recipe: ImageRecipe, layout: Json, round: int) -> list[Line]:
    """Return the lines of a stage: its rectangles, and the outputs that its levels are enough for."""
    spans = list(_finished(recipe, layout))
    if layout["grid"]:
        spans = [*({"cut": list(span)} for span in Grid(**layout["grid"]).spans()), *spans]
    made = [Line(f"{round}-{number:05}", ROLE, span) for number, span in enumerate(spans)]
    return [*made, *recognised(recipe, layout, round, len(made))]


def recognised(recipe: ImageRecipe, layout: Json, round: int, first: int = 0) -> list[Line]:
    """Return the lines that recognise what a stage is the first, or the last, to have; `first`: the first's number."""
    spans = enumerate(_recognised(recipe, layout), start=first)
    return [Line(f"{round}-{number:05}", RECOGNISE, span) for number, span in spans]


def whole(recipe: ImageRecipe, header: Json, part: Part) -> Json:
    """Return the layout of the stage that recognises an image which was decoded at once: all its levels lie there."""
    sides = part.facts["width"], part.facts["height"]
    top = fitting.levels(*sides) - 1
    levels = {str(top - times): {PLAIN: raster} for times, raster in enumerate(of_levels(part))}
    return _layout(recipe, header, sides, top, levels, None)


def _finished(recipe: ImageRecipe, layout: Json) -> Iterator[Mapping[str, Any]]:
    levels = sorted(map(int, layout["levels"]))
    top, is_first, is_last = layout["top"], layout["level"] == layout["top"], layout["grid"] is None
    for what in _outputs(recipe):
        level = level_of(recipe, what, layout["whole"])
        # Metadata need what the rectangles counted; everything else of the whole was made beside them.
        if is_first if what == METADATA else level == top and not is_first:
            continue
        if level in levels:
            yield {"finish": what, "level": level}
        elif is_last and level < levels[0]:
            yield {"finish": what, "level": levels[0]}
    if is_last and recipe.tiles:
        yield {"finish": TILES, "level": levels[0]}


def _recognised(recipe: ImageRecipe, layout: Json) -> Iterator[Mapping[str, Any]]:
    """Yield the pieces of the levels that this stage is the first, or the last, to have."""
    if not recipe.recognise:
        return
    there = sorted(map(int, layout["levels"]))
    is_first, is_last = layout["level"] == layout["top"], layout["grid"] is None
    for level in pieces.levels(*layout["whole"]):
        is_new = level in there and (is_first or level != layout["top"])
        if is_new or (is_last and level < there[0]):
            times = layout["top"] - level
            width, height = (-(-side >> times) for side in layout["whole"])
            of = level if level in there else there[0]
            yield from ({"recognise": list(box), "level": level, "of": of} for box in pieces.pieces(width, height))


def _outputs(recipe: ImageRecipe) -> list[str]:
    names = [one.name for one in recipe.renditions]
    return [*names, *([CONVERTED] if recipe.convert else []), *([METADATA] if recipe.metadata else [])]


def level_of(recipe: ImageRecipe, what: str, whole: Sequence[int]) -> int:
    """Return the level of the pyramid that an output is made of."""
    width, height = whole
    top = fitting.levels(width, height) - 1
    if what == CONVERTED:
        return top
    rendition = SMALL if what == METADATA else next(one for one in recipe.renditions if one.name == what)
    return top - fitting.halvings(width, height, fitting.fit(width, height, rendition))
