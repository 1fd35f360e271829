"""The engine that needs no service: models that come in packages, run by ONNX Runtime on one core."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from fanfold.errors import NotInstalled
from fanfold.recognition import FACES, TEXT, Found, Picture, Recogniser

try:
    import cv2
    import numpy as np

    from fanfold.kinds.image.recognition import faces, lines
except ImportError as error:
    raise NotInstalled(
        f"`engine: embedded` recognises with packages that are not all here ({error}): pip install 'fanfold[recognise]'"
    ) from error

# A worker has a core; threads of its own would cost more than they bring.
cv2.setNumThreads(1)


class Embedded:
    """Loads each model when it is first needed."""

    name = "embedded"
    version = f"{lines.VERSION}, {faces.VERSION}"

    def recognise(self, picture: Picture, what: Sequence[str]) -> Found:
        """Return what the models see."""
        pixels = np.frombuffer(picture.rgb, np.uint8).reshape(picture.height, picture.width, 3)
        return Found(
            texts=_lines().read(pixels) if TEXT in what else (),
            faces=_faces().find(pixels) if FACES in what else (),
        )


@cache
def _lines() -> lines.Lines:
    return lines.Lines()


@cache
def _faces() -> faces.Faces:
    return faces.Faces()


@cache
def recogniser() -> Recogniser:
    """Return the engine."""
    return Embedded()
