"""What is recognised in a picture, and who can recognise it. Standard library only.

An engine is a module with a function `recogniser() -> Recogniser`; `ENGINES` names it. docs/recognition.md adds one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, cast

Point = tuple[float, float]
"""x and y, in pixels."""

Box = tuple[float, float, float, float]
"""Left, top, right and bottom, in pixels."""

TEXT, FACES = "text", "faces"

ENGINES = {
    "embedded": "fanfold.kinds.image.recognition.embedded",
    "rekognition": "fanfold.aws.rekognition",
}
"""By the name that a recipe gives: the module."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A piece of an image: 8 bits a channel, sRGB, row by row."""

    width: int
    height: int
    rgb: bytes


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a line: what stands between two spaces."""

    text: str
    box: Box


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text."""

    text: str
    score: float
    """From 0 to 1: how sure the engine is of the characters."""
    corners: tuple[Point, Point, Point, Point]
    """As the text is read, whichever way it is turned: top left, top right, bottom right, bottom left."""
    words: tuple[Word, ...]
    """In the order in which they are read; joined by spaces they are the text. May be left out."""

    @property
    def box(self) -> Box:
        return around(self.corners)


@dataclass(frozen=True, slots=True)
class Face:
    """A face."""

    score: float
    """From 0 to 1: how sure the engine is that it is one."""
    box: Box


@dataclass(frozen=True, slots=True)
class Found:
    """What an engine sees in one picture, in pixels of that picture."""

    texts: Sequence[Text] = ()
    faces: Sequence[Face] = ()
    is_full: bool = False
    """True where there may be more than the engine could tell: the picture is then cut, and its pieces looked at."""


class Recogniser(Protocol):
    """An engine, ready to work."""

    name: str
    version: str
    """Of all that a result depends on: code and models."""

    def recognise(self, picture: Picture, what: Sequence[str]) -> Found:
        """Find what is asked for, TEXT or FACES or both, whatever its score. The same picture gives the same result.

        The picture is a piece of 1 to 896 pixels in width and height. Raises TransientError.
        """
        ...


def engine(name: str) -> Recogniser:
    """Return the recogniser called `name`, one of ENGINES; raise NotInstalled where its packages are not there."""
    return cast(Recogniser, import_module(ENGINES[name]).recogniser())


def around(points: Sequence[Point]) -> Box:
    """Return the smallest box that holds all points."""
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)
