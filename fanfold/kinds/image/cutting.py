"""A rectangle of a large image: its tiles of several levels, and what is left of it when it was halved so often."""

from __future__ import annotations

from collections.abc import Mapping

import pyvips

from fanfold.kinds.image import rasters, tiles
from fanfold.kinds.image.pixels import flattened
from fanfold.kinds.image.places import FLAT, PLAIN, TALLY
from fanfold.kinds.image.pyramid import halve
from fanfold.kinds.image.recipe import ImageRecipe
from fanfold.kinds.image.supertiles import Box, Grid
from fanfold.kinds.image.tallies import Tally
from fanfold.model import Desk, Json, Source


def cut(source: Source, recipe: ImageRecipe, layout: Json, span: Box, desk: Desk) -> Mapping[str, Json]:
    """Write what one rectangle yields. Raises BrokenImage."""
    grid, level = Grid(**layout["grid"]), layout["level"]
    outer = grid.with_halo(span)
    pictures = {
        name: rasters.from_json(data, source, desk).region(*outer)
        for name, data in layout["levels"][str(level)].items()
    }
    if FLAT not in pictures and tiles.is_flat(recipe.tiles, pictures[PLAIN]):
        pictures[FLAT] = flattened(pictures[PLAIN]).copy_memory()
    if recipe.metadata and level == layout["top"]:
        left, top, right, bottom = span
        core = pictures[PLAIN].crop(left - outer[0], top - outer[1], right - left, bottom - top)
        desk.write(TALLY, Tally.of(core).to_bytes())
    made: list[tiles.Named] = []
    for times in range(grid.halvings):
        core, held = grid.halved(span, times), grid.halved(outer, times)
        if times and level - times in layout["keep"]:
            _keep(desk, f"{PLAIN}-{level - times}", pictures[PLAIN], core, held)
        if recipe.tiles:
            picture = pictures.get(FLAT, pictures[PLAIN])
            shown = tiles.grid(*grid.sides(times), recipe.tiles.size, recipe.tiles.overlap, core)
            made.extend(tiles.encoded(picture, shown, level - times, recipe.tiles, *held[:2]))
        pictures = {name: halve(picture) for name, picture in pictures.items()}
    core, held = grid.halved(span, grid.halvings), grid.halved(outer, grid.halvings)
    for name, picture in pictures.items():
        _keep(desk, f"{name}-{level - grid.halvings}", picture, core, held)
    bands = {name: picture.bands for name, picture in pictures.items()}
    return {"bands": bands, "outputs": [], "tiles": tiles.write(made, desk) if recipe.tiles else 0}


def _keep(desk: Desk, name: str, picture: pyvips.Image, core: Box, held: Box) -> None:
    """Write the plain pixels of a rectangle without its halo."""
    left, top, right, bottom = core
    cut = picture.crop(left - held[0], top - held[1], right - left, bottom - top)
    desk.write(name, bytes(cut.write_to_memory()))
