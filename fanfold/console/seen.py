"""What was recognised in an image, to be drawn over it: a picture of the image, and boxes in its pixels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fanfold.aws.objects import Bucket
from fanfold.kinds.image.formats import format_of

NAME = "recognised.json"

SEEN_BYTES = 4 << 20
"""What is drawn at most of `recognised.json`; a larger one is shown as text."""

LINES_DRAWN, FACES_DRAWN = 2_000, 500

SOURCE_BYTES = 32 << 20
"""The largest source that is painted itself, where no rendition shows all of it."""

HEAD_BYTES = 64
"""What tells a format."""

PAINTED = {"jpeg", "png", "gif", "webp", "avif"}
"""Formats that browsers paint."""

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text: its corners as the points of a polygon, and its words."""

    text: str
    score: float
    points: str
    words: Sequence[tuple[str, Box]]


@dataclass(frozen=True, slots=True)
class Seen:
    """What is drawn over an image of `width` × `height` pixels. Boxes are left, top, width and height."""

    width: int
    height: int
    lines: Sequence[Line]
    faces: Sequence[tuple[float, Box]]
    left_out: int
    """What is not drawn, since there is so much."""


def seen(bucket: Bucket, key: str, size_bytes: int) -> Seen | None:
    """Return what an output says was recognised; None where it is too large, or says it in no way that can be drawn."""
    if size_bytes > SEEN_BYTES:
        return None
    try:
        return _seen(json.loads(bucket.read(key, 0, size_bytes)))
    except (ValueError, KeyError, TypeError):
        return None


def _seen(told: Mapping[str, Any]) -> Seen:
    width, height = int(told["width"]), int(told["height"])
    texts, faces = told.get("text", []), told.get("faces", [])
    return Seen(
        width,
        height,
        [
            Line(
                str(text["text"]),
                float(text["score"]),
                " ".join(f"{int(x)},{int(y)}" for x, y in text["corners"]),
                [(str(word["text"]), _box(word["box"])) for word in text["words"]],
            )
            for text in texts[:LINES_DRAWN]
        ],
        [(float(face["score"]), _box(face["box"])) for face in faces[:FACES_DRAWN]],
        max(0, len(texts) - LINES_DRAWN) + max(0, len(faces) - FACES_DRAWN),
    )


def _box(edges: Sequence[Any]) -> Box:
    left, top, right, bottom = map(int, edges)
    return left, top, right - left, bottom - top


def rendition(recipe: Mapping[str, Any], outputs: Mapping[str, Any]) -> str:
    """Return the name of the largest output that shows all of the image; empty where there is none."""
    asked = (recipe.get("image") or {}).get("renditions", [])
    whole = {one["name"]: max(one.get("width") or 0, one.get("height") or 0) for one in asked if one["fit"] != "cover"}
    made = {name.rpartition(".")[0]: name for name in outputs if "/" not in name}
    found = sorted((side, made[name]) for name, side in whole.items() if name in made)
    return found[-1][1] if found else next((name for name in outputs if name.startswith("converted.")), "")


def painted(head: bytes) -> str | None:
    """Return the type of an image that browsers paint, by its first bytes; None of anything else."""
    found = format_of(head)
    return f"image/{found}" if found in PAINTED else None
