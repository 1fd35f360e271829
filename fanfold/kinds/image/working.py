"""The worker: one decode, and every output from it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyvips

from fanfold.kinds.image import encoding, renditions, tiles
from fanfold.kinds.image.headers import Header
from fanfold.kinds.image.pixels import decode, decoding
from fanfold.kinds.image.recipe import ImageRecipe, Tiles
from fanfold.model import Desk, Json, Line, Source

TILES, TILES_INDEX = "tiles", "tiles.json"
"""The objects of a part that hold tiles one behind the other, and their names and sizes in that order."""


def process(source: Source, recipe: ImageRecipe, layout: Json, line: Line, desk: Desk) -> Mapping[str, Json]:
    """Decode the image and write its outputs. Raises BrokenImage, NotAnImage, TooManyPixels, TooLargeForFormat."""
    header = Header(**layout)
    frames = decode(source.read(0, source.size_bytes), header.format, recipe)
    first = frames[0]
    outputs = []
    with decoding(header.format):
        if recipe.metadata:
            text = json.dumps(described(header, frames, source.size_bytes), indent=2, ensure_ascii=False) + "\n"
            desk.write("metadata.json", text.encode())
            outputs.append("metadata.json")
        for rendition in recipe.renditions:
            small = [renditions.shrink(frame, rendition) for frame in _kept(frames, rendition.format)]
            encoding.check(small[0].width, small[0].height, rendition.format, rendition.output)
            keep = rendition.metadata == "keep"
            data = encoding.encode_frames(small, rendition.format, rendition.quality, first, keep=keep)
            desk.write(rendition.output, data)
            outputs.append(rendition.output)
        if convert := recipe.convert:
            encoding.check(first.width, first.height, convert.format, convert.output)
            keep = convert.metadata == "keep"
            kept = _kept(frames, convert.format)
            data = encoding.encode_frames(kept, convert.format, convert.quality, first, keep=keep)
            desk.write(convert.output, data)
            outputs.append(convert.output)
        count = 0 if recipe.tiles is None else _write_tiles(first, recipe.tiles, desk)
    return {
        "width": first.width,
        "height": first.height,
        "frames": len(frames),
        "outputs": outputs,
        "tiles": count,
    }


def _kept(frames: Sequence[pyvips.Image], format: str) -> Sequence[pyvips.Image]:
    return frames if format == "webp" else frames[:1]


def _write_tiles(image: pyvips.Image, asked: Tiles, desk: Desk) -> int:
    """Write all tiles into one object: thousands of small ones would cost more to write than to make."""
    index, body = [], bytearray()
    for name, data in tiles.cut(image, asked):
        index.append([name, len(data)])
        body += data
    desk.write(TILES, bytes(body))
    desk.write(TILES_INDEX, json.dumps(index).encode())
    return len(index)


def described(header: Header, frames: Sequence[pyvips.Image], size_bytes: int) -> dict[str, Any]:
    """Return what `metadata.json` says of the image itself."""
    first = frames[0]
    return {
        "format": header.format,
        "bytes": size_bytes,
        "width": first.width,
        "height": first.height,
        "stored_width": header.width,
        "stored_height": header.height,
        "mode": {1: "grey", 2: "grey+alpha", 3: "rgb", 4: "rgb+alpha"}[first.bands],
        "pages": header.pages,
        "frames": len(frames),
    }
