"""The worker: of a small image one decode, and every output from it; of a large one, whatever its line asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from fanfold.kinds.image import (
    cutting,
    encoding,
    finishing,
    limits,
    metadata,
    preparing,
    renditions,
    tiles,
)
from fanfold.kinds.image.headers import Header
from fanfold.kinds.image.pixels import decode, decoding, flattened
from fanfold.kinds.image.pyramid import Levels
from fanfold.kinds.image.recipe import SMALL, ImageRecipe
from fanfold.kinds.image.recognition import pieces
from fanfold.kinds.image.tallies import Tally
from fanfold.model import Desk, Json, Line, Source

One = TypeVar("One")


def process(source: Source, recipe: ImageRecipe, layout: Json, line: Line, desk: Desk) -> Mapping[str, Json]:
    """Work on one line. Raises BrokenImage, NotAnImage, TooManyPixels, TooLargeForFormat."""
    match line.span:
        case {"prepare": True}:
            return preparing.prepare(source, recipe, Header(**layout["header"]), desk)
        case {"cut": box}:
            return cutting.cut(source, recipe, layout, box, desk)
        case {"recognise": _}:
            # The functions of every other role have no models in their packages.
            from fanfold.kinds.image.recognition import working as recognition

            return recognition.recognise(source, recipe, layout, line.span, desk)
        case {"finish": "recognised"}:
            from fanfold.kinds.image.recognition import working as recognition

            return recognition.fold(recipe, layout, desk)
        case {"finish": _}:
            return finishing.finish(source, recipe, layout, line.span, desk)
        case _:
            return _whole(source, recipe, layout, desk)


def _whole(source: Source, recipe: ImageRecipe, layout: Json, desk: Desk) -> Mapping[str, Json]:
    """Decode the image and write its outputs."""
    header = Header(**layout)
    frames = decode(source.read(0, source.size_bytes), header.format, recipe)
    first, pyramids = frames[0], [Levels(frame) for frame in frames]
    outputs = []
    with decoding(header.format):
        if recipe.metadata:
            small = renditions.shrink(pyramids[0], SMALL)
            sides = first.width, first.height
            said = metadata.described(source, header, sides, len(frames), Tally.of(first), small)
            desk.write("metadata.json", metadata.text(said))
            outputs.append("metadata.json")
        for rendition in recipe.renditions:
            small = [renditions.shrink(one, rendition) for one in _kept(pyramids, rendition.format)]
            limits.check_output(small[0].width, small[0].height, rendition.format, rendition.output)
            keep = rendition.metadata == "keep"
            data = encoding.encode_frames(small, rendition.format, rendition.quality, first, keep=keep)
            desk.write(rendition.output, data)
            outputs.append(rendition.output)
        if convert := recipe.convert:
            limits.check_output(first.width, first.height, convert.format, convert.output)
            keep = convert.metadata == "keep"
            kept = _kept(frames, convert.format)
            data = encoding.encode_frames(kept, convert.format, convert.quality, first, keep=keep)
            desk.write(convert.output, data)
            outputs.append(convert.output)
        count = 0
        if recipe.tiles:
            is_flat = tiles.is_flat(recipe.tiles, first)
            shown = Levels(flattened(first).copy_memory()) if is_flat else pyramids[0]
            count = tiles.write(tiles.cut(shown, recipe.tiles), desk)
    facts = {
        "width": first.width,
        "height": first.height,
        "frames": len(frames),
        "outputs": outputs,
        "tiles": count,
    }
    return facts | {"levels": _left(pyramids[0], desk)} if recipe.recognise else facts


def _left(image: Levels, desk: Desk) -> list[Mapping[str, Json]]:
    """Write the pixels of every level that is recognised."""
    levels = pieces.levels(image[0].width, image[0].height)
    return [preparing.write(image[times], f"level-{times}", desk) for times, _ in enumerate(levels)]


def _kept(frames: Sequence[One], format: str) -> Sequence[One]:
    """Return what a format shows of an animation."""
    return frames if format == "webp" else frames[:1]
