"""The worker of one piece, and the fold of what all of them saw."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyvips

from fanfold.kinds.image import rasters
from fanfold.kinds.image.pixels import flattened
from fanfold.kinds.image.places import PLAIN, SEEN
from fanfold.kinds.image.pyramid import halve
from fanfold.kinds.image.recipe import ImageRecipe, Recognise
from fanfold.kinds.image.recognition import seams
from fanfold.kinds.image.recognition.seams import Piece
from fanfold.kinds.image.supertiles import Box
from fanfold.model import Desk, Json, PartObject, Source
from fanfold.recognition import Face, Found, Picture, Recogniser, Text, Word, engine

OUTPUT = "recognised.json"
READS_AT_ONCE = 16

LEAST_SIDE = 128
"""Pieces that are no larger than this are not cut again, however much there is in them."""


def recognise(source: Source, recipe: ImageRecipe, layout: Json, span: Json, desk: Desk) -> Mapping[str, Json]:
    """Have one piece recognised. Raises BrokenImage, NotInstalled, TransientError."""
    asked = recipe.recognise
    assert asked is not None
    recogniser = engine(asked.engine)
    box, times = span["recognise"], span["of"] - span["level"]
    raster = rasters.from_json(layout["levels"][str(span["of"])][PLAIN], source, desk)
    edges = [edge << times for edge in box]
    image = raster.region(edges[0], edges[1], min(edges[2], raster.width), min(edges[3], raster.height))
    for _ in range(times):
        image = halve(image)
    shown = flattened(image).colourspace("srgb").copy_memory()
    whole, scale = (layout["whole"][0], layout["whole"][1]), 1 << (layout["top"] - span["level"])
    looked = list(_looked(recogniser, shown, asked.what, (box[0], box[1], box[2], box[3])))
    seen = [placed(found, at, scale, whole, asked.min_confidence) for at, found in looked]
    said = {"engine": {"name": recogniser.name, "version": recogniser.version}, "pieces": list(map(_to_json, seen))}
    desk.write(SEEN, json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode())
    return {"pictures": len(seen)}


def _looked(recogniser: Recogniser, image: pyvips.Image, what: Sequence[str], box: Box) -> Iterator[tuple[Box, Found]]:
    """Yield what is found in a piece, and in quarters of it where that may not be all."""
    picture = Picture(image.width, image.height, bytes(image.write_to_memory()))
    yield box, (found := recogniser.recognise(picture, what))
    if found.is_full and max(image.width, image.height) > LEAST_SIDE:
        for top, bottom in _halves(image.height):
            for left, right in _halves(image.width):
                at = box[0] + left, box[1] + top, box[0] + right, box[1] + bottom
                yield from _looked(recogniser, image.crop(left, top, right - left, bottom - top), what, at)


def _halves(length: int) -> list[tuple[int, int]]:
    """Return two ranges that cover a length and overlap by a quarter of it; one, if it is short."""
    if length <= LEAST_SIDE:
        return [(0, length)]
    side = -(-length * 5 // 8)
    return [(0, side), (length - side, length)]


def placed(found: Found, box: Sequence[int], scale: int, whole: tuple[int, int], least: float) -> Piece:
    """Return what was found in a piece, in pixels of the image, without what scores less than asked for."""

    def x(at: float) -> float:
        return round(min(max(0.0, (box[0] + at) * scale), whole[0]), 1)

    def y(at: float) -> float:
        return round(min(max(0.0, (box[1] + at) * scale), whole[1]), 1)

    def moved(one: Sequence[float]) -> tuple[float, float, float, float]:
        return x(one[0]), y(one[1]), x(one[2]), y(one[3])

    texts = []
    for text in found.texts:
        if text.score >= least:
            first, second, third, fourth = ((x(at), y(of)) for at, of in text.corners)
            words = tuple(Word(word.text, moved(word.box)) for word in text.words)
            texts.append(Text(text.text, text.score, (first, second, third, fourth), words))
    faces = [Face(face.score, moved(face.box)) for face in found.faces if face.score >= least]
    left, top, right, bottom = (edge * scale for edge in box)
    return Piece((left, top, min(right, whole[0]), min(bottom, whole[1])), scale, Found(texts, faces))


def fold(recipe: ImageRecipe, layout: Json, desk: Desk) -> Mapping[str, Json]:
    """Write `recognised.json` from what was seen in all pieces."""
    assert recipe.recognise is not None
    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        said = [json.loads(data) for data in pool.map(lambda one: desk.read(PartObject(*one)), layout["seen"])]
    whole = layout["whole"][0], layout["whole"][1]
    found = seams.without((_from_json(piece) for one in said for piece in one["pieces"]), whole)
    described = _described(recipe.recognise, found)
    head = {"engine": said[0]["engine"], "width": whole[0], "height": whole[1]}
    desk.write(OUTPUT, _text(head, described))
    return {"outputs": [OUTPUT], "recognised": {name: len(seen) for name, seen in described.items()}}


def _text(head: Mapping[str, Json], lists: Mapping[str, Sequence[Json]]) -> bytes:
    """Return the object that says it; what was recognised takes a line each."""
    parts = [f'  "{name}": {json.dumps(value)}' for name, value in head.items()]
    for name, seen in lists.items():
        rows = ",\n".join(f"    {json.dumps(one, ensure_ascii=False)}" for one in seen)
        parts.append(f'  "{name}": [\n{rows}\n  ]' if seen else f'  "{name}": []')
    return ("{\n" + ",\n".join(parts) + "\n}\n").encode()


def _described(asked: Recognise, found: Found) -> dict[str, list[Any]]:
    """Return what people read: whole pixels, rounded outwards."""
    texts = [
        {
            "text": text.text,
            "score": round(text.score, 3),
            "box": _pixels(text.box),
            "corners": [[round(x), round(y)] for x, y in text.corners],
            "words": [{"text": word.text, "box": _pixels(word.box)} for word in text.words],
        }
        for text in found.texts
    ]
    faces = [{"score": round(face.score, 3), "box": _pixels(face.box)} for face in found.faces]
    return {name: {"text": texts, "faces": faces}[name] for name in asked.what}


def _pixels(box: Sequence[float]) -> list[int]:
    return [math.floor(box[0]), math.floor(box[1]), math.ceil(box[2]), math.ceil(box[3])]


def _to_json(piece: Piece) -> dict[str, Any]:
    texts = [
        [text.text, text.score, text.corners, [[word.text, word.box] for word in text.words]]
        for text in piece.found.texts
    ]
    faces = [[face.score, face.box] for face in piece.found.faces]
    return {"box": piece.box, "scale": piece.scale, "texts": texts, "faces": faces}


def _from_json(data: Json) -> Piece:
    found = Found(list(_texts(data["texts"])), [Face(score, tuple(box)) for score, box in data["faces"]])
    return Piece(tuple(data["box"]), data["scale"], found)


def _texts(data: Json) -> Iterator[Text]:
    for text, score, corners, words in data:
        first, second, third, fourth = (tuple(corner) for corner in corners)
        yield Text(text, score, (first, second, third, fourth), tuple(Word(word, tuple(box)) for word, box in words))
