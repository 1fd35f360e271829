"""One list of what all pieces saw: no seam in it, and nothing twice.

What touches a seam is not trusted: it lies whole in another piece, of this level or of a coarser one (see `pieces`).
Lines that are long and thin are joined (see `joining`). Of what is left, the best of those that show the same stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fanfold.kinds.image.recognition.joining import Strip, area, joined, letters, seen, shared_area
from fanfold.kinds.image.recognition.shelf import Shelf
from fanfold.recognition import Box, Face, Found, Text

SAME = 0.5
"""The share of a line that others cover which shows nothing new, and of a face that another one shares."""

WITHIN = 0.6
"""The share of a line that lies in a larger one which shows it."""

MORE = 1.2
"""How much more a line says than those within it, if it takes their place."""

FACE_EDGE = 0.02
"""How near to a seam, measured by the piece, a face may be cut."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What was seen in a piece of an image, in pixels of the image."""

    box: Box
    scale: int
    """Pixels of the image for each of the piece, in width and in height."""
    found: Found


def without(pieces: Iterable[Piece], whole: tuple[int, int]) -> Found:
    """Return what all pieces saw of an image of this width and height, from the top down."""
    strips: list[Strip] = []
    faces: list[Face] = []
    for piece in pieces:
        seams = _seams(piece.box, whole)
        strips += filter(None, (seen(text, piece.scale, seams) for text in piece.found.texts))
        faces += [face for face in piece.found.faces if not _is_cut(face, piece, seams)]
    return Found(
        sorted(_texts([*strips, *joined(strips)]), key=lambda text: (*text.box[1::-1], text.text)),
        sorted(_faces(faces), key=lambda face: (*face.box[1::-1], face.score)),
    )


def _seams(box: Box, whole: tuple[int, int]) -> list[float | None]:
    """Return the edges of a piece that are not edges of the image."""
    return [edge if 0 < edge < side else None for edge, side in zip(box, (*whole, *whole), strict=True)]


def _is_cut(face: Face, piece: Piece, seams: Sequence[float | None]) -> bool:
    near = FACE_EDGE * max(piece.box[2] - piece.box[0], piece.box[3] - piece.box[1])
    return any(seam is not None and abs(edge - seam) < near for edge, seam in zip(face.box, seams, strict=True))


def _texts(strips: Sequence[Strip]) -> list[Text]:
    """Take lines from the best to the worst: whole ones first, then by score, then those that show it larger."""
    kept: dict[int, Text] = {}
    shelf: Shelf[int] = Shelf()
    ranked = sorted(strips, key=lambda one: (one.is_cut, -round(one.text.score, 2), one.scale, one.text.box))
    for number, strip in enumerate(ranked):
        text, box = strip.text, strip.text.box
        near = [(one, kept[one]) for one in shelf.over(box)]
        within = [(one, other) for one, other in near if shared_area(box, other.box) >= WITHIN * area(other.box)]
        if within:
            if letters(text) <= MORE * sum(letters(other) for _, other in within):
                continue
            for one, other in within:
                shelf.take(other.box, one)
                del kept[one]
        elif sum(shared_area(box, other.box) for _, other in near) >= SAME * area(box):
            continue
        kept[number] = text
        shelf.put(box, number)
    return list(kept.values())


def _faces(faces: Sequence[Face]) -> list[Face]:
    kept: list[Face] = []
    shelf: Shelf[Face] = Shelf()
    for face in sorted(faces, key=lambda one: (-one.score, one.box)):
        if not any(
            shared_area(face.box, other.box) >= SAME * min(area(face.box), area(other.box))
            for other in shelf.over(face.box)
        ):
            kept.append(face)
            shelf.put(face.box, face)
    return kept
