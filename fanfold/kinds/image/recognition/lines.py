"""Lines of text, read by the models of PP-OCRv6 that RapidOCR carries.

A line is read as it is found. Where that is unsure, it is read turned by half a circle too, and the better reading
counts: it may stand upside down, or run from the bottom to the top.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rapidocr
from rapidocr.utils.process_img import get_rotate_crop_image

from fanfold.recognition import Point, Text, Word, around

VERSION = f"rapidocr {version('rapidocr')} (PP-OCRv6 small)"

_MODELS = Path(rapidocr.__file__).parent / "models"

SURE = 0.9
"""The score from which on a reading is taken as it is."""

_TALL = 1.5
"""From this ratio of height to width on a line is taken to run from the top to the bottom, as RapidOCR takes it."""


class Lines:
    """Finds lines and reads them, on one core."""

    def __init__(self) -> None:
        self._ocr: Any = rapidocr.RapidOCR(
            params={
                # With a path given, nothing is ever fetched.
                "Det.model_path": str(_MODELS / "PP-OCRv6_det_small.onnx"),
                "Rec.model_path": str(_MODELS / "PP-OCRv6_rec_small.onnx"),
                # A batch is as wide as its widest line, and takes that much memory for each.
                "Rec.rec_batch_num": 1,
                "EngineConfig.onnxruntime.intra_op_num_threads": 1,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
                "Global.return_word_box": True,
                "Global.log_level": "critical",
            }
        )

    def read(self, pixels: Any) -> list[Text]:
        """Return the lines of a picture of shape (height, width, 3), RGB."""
        pixels = np.ascontiguousarray(pixels[:, :, ::-1])
        quads = self._ocr(pixels, use_det=True, use_cls=False, use_rec=False).boxes
        return [line for quad in (quads if quads is not None else ()) if (line := self._line(pixels, quad))]

    def _line(self, pixels: Any, quad: Any) -> Text | None:
        shown = get_rotate_crop_image(pixels, quad.astype(np.float32))
        points: list[Point] = [(float(x), float(y)) for x, y in quad]
        height = max(np.linalg.norm(quad[0] - quad[3]), np.linalg.norm(quad[1] - quad[2]))
        width = max(np.linalg.norm(quad[0] - quad[1]), np.linalg.norm(quad[2] - quad[3]))
        if int(height) >= _TALL * int(width):
            points = [*points[1:], points[0]]
        found = self._reading(shown, points)
        if found is None or found.score < SURE:
            turned = self._reading(cv2.rotate(shown, cv2.ROTATE_180), [*points[2:], *points[:2]])
            if turned and (found is None or turned.score > found.score):
                return turned
        return found

    def _reading(self, shown: Any, corners: Sequence[Point]) -> Text | None:
        read = self._ocr.recognize_txt([shown])
        text, score, places = read.txts[0], float(read.scores[0]), read.word_results[0]
        if not text.strip():
            return None
        centres = [(place + 0.5) / places.line_txt_len for places_of in places.word_cols for place in places_of]
        first, second, third, fourth = corners
        made = _words(text.split(), centres, corners)
        return Text(" ".join(word.text for word in made), score, (first, second, third, fourth), made)


def _words(texts: Sequence[str], centres: Sequence[float], corners: Sequence[Point]) -> tuple[Word, ...]:
    """Place words on their line. `centres`: of each character that is no space, from 0 at the line's beginning to 1."""
    half = _pitch(texts, centres) / 2
    made, at = [], 0
    for text in texts:
        start, stop = centres[at] - half, centres[at + len(text) - 1] + half
        at += len(text)
        made.append(Word(text, around([_on(corners, share, edge) for share in (start, stop) for edge in (0, 1)])))
    return tuple(made)


def _pitch(texts: Sequence[str], centres: Sequence[float]) -> float:
    """Return how far the characters of a word are apart."""
    steps, at = [], 0
    for text in texts:
        steps += [centres[number + 1] - centres[number] for number in range(at, at + len(text) - 1)]
        at += len(text)
    return sum(steps) / len(steps) if steps else 1 / max(1, len(" ".join(texts)))


def _on(corners: Sequence[Point], share: float, edge: int) -> Point:
    """Return the point at a share of a line's length, on its upper (0) or lower edge (1)."""
    (x0, y0), (x1, y1) = (corners[3], corners[2]) if edge else (corners[0], corners[1])
    share = min(1.0, max(0.0, share))
    return x0 + share * (x1 - x0), y0 + share * (y1 - y0)
