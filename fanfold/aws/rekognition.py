"""The engine that asks Amazon Rekognition: DetectText and DetectFaces.

Limits: https://docs.aws.amazon.com/rekognition/latest/dg/limits.html
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from botocore.exceptions import ClientError

from fanfold.aws.account import Account
from fanfold.aws.faults import code, translated
from fanfold.errors import PermanentError
from fanfold.recognition import FACES, TEXT, Box, Face, Found, Picture, Point, Recogniser, Text, Word

LEAST_SIDE = 80
"""The shortest side of a picture that is taken; a smaller one is sent on white."""

MOST_FOUND = 100
"""The most words, and faces, that one answer holds."""

# A piece has at most 896 × 896 pixels: as PNG, which changes none, less than the 5 MB that a request may send.

_UNKNOWN = {"400", "404", "UnknownOperationException"}
"""What an endpoint answers that has no Rekognition; one that stands in for AWS may give no code but the HTTP status."""


class Rekognition:
    """Sends each piece as it is."""

    name = "rekognition"

    def __init__(self, client: Any) -> None:
        self._client = client
        self.version: str = client.meta.service_model.api_version

    def recognise(self, picture: Picture, what: Sequence[str]) -> Found:
        """Return what Rekognition sees. Raises TransientError, AccessDenied, PermanentError."""
        sides = max(picture.width, LEAST_SIDE), max(picture.height, LEAST_SIDE)
        sent = _png(picture, sides)
        texts: list[Text] = []
        faces: list[Face] = []
        is_full = False
        if TEXT in what:
            found = self._asked("detect_text", sent)["TextDetections"]
            texts = list(_texts(found, sides))
            is_full = sum(one["Type"] == "WORD" for one in found) >= MOST_FOUND
        if FACES in what:
            found = self._asked("detect_faces", sent)["FaceDetails"]
            faces = [Face(one["Confidence"] / 100, _box(one["BoundingBox"], sides)) for one in found]
            is_full = is_full or len(faces) >= MOST_FOUND
        return Found(texts, faces, is_full)

    def _asked(self, operation: str, sent: bytes) -> Any:
        try:
            with translated(f"asking Rekognition to {operation.replace('_', ' ')}"):
                return getattr(self._client, operation)(Image={"Bytes": sent})
        except ClientError as error:
            if code(error) in _UNKNOWN:
                raise PermanentError(
                    f"there is no Rekognition at {self._client.meta.endpoint_url} ({code(error)}): "
                    "use `engine: embedded`, or a region of AWS that has it"
                ) from error
            raise


@cache
def recogniser() -> Recogniser:
    """Return the engine, for the account and region of the environment."""
    return Rekognition(Account().client("rekognition"))


def _png(picture: Picture, sides: tuple[int, int]) -> bytes:
    from PIL import Image

    image = Image.frombytes("RGB", (picture.width, picture.height), picture.rgb)
    if image.size != sides:
        wider = Image.new("RGB", sides, "white")
        wider.paste(image)
        image = wider
    made = io.BytesIO()
    image.save(made, "PNG", compress_level=1)
    return made.getvalue()


def _texts(found: Sequence[Any], sides: tuple[int, int]) -> Iterator[Text]:
    words: dict[int, list[Word]] = {}
    for one in found:
        if one["Type"] == "WORD":
            word = Word(one["DetectedText"], _box(one["Geometry"]["BoundingBox"], sides))
            words.setdefault(one["ParentId"], []).append(word)
    for one in found:
        if one["Type"] == "LINE":
            first, second, third, fourth = (_point(at, sides) for at in one["Geometry"]["Polygon"])
            of_line = tuple(words.get(one["Id"], ()))
            yield Text(one["DetectedText"], one["Confidence"] / 100, (first, second, third, fourth), of_line)


def _point(at: Any, sides: tuple[int, int]) -> Point:
    return at["X"] * sides[0], at["Y"] * sides[1]


def _box(at: Any, sides: tuple[int, int]) -> Box:
    width, height = sides
    left, top = at["Left"] * width, at["Top"] * height
    return left, top, left + at["Width"] * width, top + at["Height"] * height
