"""What one worker makes of a large image: of a level of it that is small enough, or of all of it, row by row."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from typing import Any

import pyvips

from fanfold.kinds.image import encoding, fitting, limits, metadata, pyramid, rasters, renditions, tiles
from fanfold.kinds.image.headers import Header
from fanfold.kinds.image.pixels import carry, decoding, loaded
from fanfold.kinds.image.places import FLAT, PLAIN
from fanfold.kinds.image.rasters import Raster
from fanfold.kinds.image.recipe import SMALL, Convert, ImageRecipe, Rendition
from fanfold.kinds.image.staging import CONVERTED, METADATA, TILES
from fanfold.kinds.image.streaming import of_raster
from fanfold.kinds.image.streams import Stream, of_source
from fanfold.kinds.image.tallies import Tally
from fanfold.model import Desk, Json, PartObject, Source


def finish(source: Source, recipe: ImageRecipe, layout: Json, span: Json, desk: Desk) -> Mapping[str, Json]:
    """Make one output, or the rest of the tiles. Raises BrokenImage."""
    what, level = span["finish"], span["level"]
    held = {name: rasters.from_json(data, source, desk) for name, data in layout["levels"][str(level)].items()}
    if what == METADATA:
        desk.write("metadata.json", metadata.text(_described(source, layout, _whole(held[PLAIN]), level, desk)))
        return {"outputs": ["metadata.json"], "tiles": 0}
    if what == TILES and recipe.tiles:
        whole = pyramid.Levels(_whole(held.get(FLAT, held[PLAIN])))
        return {"outputs": [], "tiles": tiles.write(tiles.cut(whole, recipe.tiles), desk)}
    asked = recipe.convert if what == CONVERTED else next(one for one in recipe.renditions if one.name == what)
    assert asked is not None
    _write(source, layout, asked, held[PLAIN], level, desk)
    return {"outputs": [asked.output], "tiles": 0}


def _whole(raster: Raster) -> pyvips.Image:
    """Return all of a raster, in memory."""
    return raster.region(0, 0, raster.width, raster.height)


def _described(source: Source, layout: Json, image: pyvips.Image, level: int, desk: Desk) -> dict[str, Any]:
    width, height = layout["whole"]
    small = _shrunk(image, layout, SMALL, level).copy_memory()
    tally = Tally.summed(Tally.from_bytes(desk.read(PartObject(*stored))) for stored in layout["tallies"])
    return metadata.described(source, Header(**layout["header"]), (width, height), layout["frames"], tally, small)


def _shrunk(image: pyvips.Image, layout: Json, rendition: Rendition, level: int) -> pyvips.Image:
    """Return a rendition's pixels, given those of a level that is large enough for it."""
    width, height = layout["whole"]
    wanted = fitting.fit(width, height, rendition)
    made_of = layout["top"] - fitting.halvings(width, height, wanted)
    for _ in range(level - made_of):
        image = pyramid.halve(image)
    return renditions.resampled(image, wanted)


def _write(source: Source, layout: Json, asked: Rendition | Convert, raster: Raster, level: int, desk: Desk) -> None:
    header = Header(**layout["header"])
    stream: Stream | None = None
    if raster.width * raster.height <= limits.LEVEL_PIXELS:
        image = _whole(raster)
    else:
        stream = of_raster(raster, raster.region(0, 0, 1, 1).bands)
        with decoding(header.format, stream):
            image = loaded(stream, "tiff").copy(xres=1, yres=1)
    if isinstance(asked, Rendition):
        image = _shrunk(image, layout, asked, level)
    keep = asked.metadata == "keep" and header.format != "heic"
    with (
        tempfile.NamedTemporaryFile(suffix=asked.output) as file,
        decoding(header.format, given := of_source(source)),
        decoding(header.format, stream),
    ):
        if keep:
            image = carry(loaded(given, header.format), image)
        encoding.save(image, file.name, asked.format, asked.quality, encoding.kept(keep))
        desk.write(asked.output, file)
