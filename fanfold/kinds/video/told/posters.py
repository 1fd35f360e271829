"""A sheet of small pictures, one every few seconds, and WebVTT that says which part of it shows which seconds.

Media players show it while people seek: a cue's text is the sheet's name and a media fragment,
https://www.w3.org/TR/media-frags/#naming-space.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import ceil, sqrt
from typing import TYPE_CHECKING, Any

from fanfold.kinds.video.told import webvtt

if TYPE_CHECKING:
    import av
    import numpy as np
    import numpy.typing as npt

SHEET, INDEX = "posters.jpg", "posters.vtt"

MOST = 1000
"""How many pictures a sheet has at most; of a longer video one is taken every 2, 3, … times as long."""

SHEET_PIXELS = 64 << 20
SHEET_SIDE = 16_384
"""How large a sheet is at most, and how wide and high: what browsers decode everywhere."""

QUALITY = 4
"""The scale of FFmpeg's JPEG encoder, from 2, the best, to 31."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """How a sheet is laid out; found once, from the whole video."""

    count: int
    every_ms: int
    width: int
    height: int
    """Of one picture, in pixels: even, as JPEG halves colour."""

    @property
    def columns(self) -> int:
        """As many as make the sheet about as wide as high."""
        square = round(sqrt(self.count * self.height / self.width))
        least = ceil(self.count / (SHEET_SIDE // self.height))
        return max(least, min(self.count, square, SHEET_SIDE // self.width), 1)

    @property
    def rows(self) -> int:
        return ceil(self.count / self.columns)

    def place(self, number: int) -> tuple[int, int]:
        """Return the left and top of a picture, in pixels."""
        row, column = divmod(number, self.columns)
        return column * self.width, row * self.height

    def numbers(self, start: Fraction | None, stop: Fraction | None) -> range:
        """Return which pictures are of the segment [start, stop), in seconds; None: the first, or the last segment."""
        first = 0 if start is None else max(0, ceil(start * 1000 / self.every_ms))
        return range(first, self.count if stop is None else min(self.count, max(0, ceil(stop * 1000 / self.every_ms))))

    def index(self, duration: Fraction) -> str:
        """Return the WebVTT that tells which part of the sheet shows which seconds."""
        edges = [*(number * self.every_ms for number in range(self.count)), round(duration * 1000)]
        places = map(self.place, range(self.count))
        return webvtt.text(
            webvtt.Cue(start, stop, f"{SHEET}#xywh={left},{top},{self.width},{self.height}")
            for (start, stop), (left, top) in zip(pairwise(edges), places, strict=True)
        )


def laid_out(duration: Fraction, every_ms: int, width: int, shape: Fraction) -> Sheet:
    """Return the sheet of a video; `shape`: its width by its height, as it is looked at."""
    width = max(2, width // 2 * 2)
    height = min(max(2, round(width / shape / 2) * 2), SHEET_SIDE)
    most = min(MOST, SHEET_PIXELS // (width * height), (SHEET_SIDE // width) * (SHEET_SIDE // height))
    wanted = max(1, ceil(duration * 1000 / every_ms))
    every_ms *= ceil(wanted / max(1, most))
    return Sheet(max(1, ceil(duration * 1000 / every_ms)), every_ms, width, height)


class Shown:
    """Picks, of the frames of a segment, those that are on the screen when a picture is taken."""

    def __init__(self, sheet: Sheet, numbers: range, rotation: int) -> None:
        self._sheet = sheet
        self._numbers = iter(numbers)
        self._rotation = rotation
        self._next = next(self._numbers, None)
        self._before: av.VideoFrame | None = None
        self.pictures: dict[int, bytes] = {}

    @property
    def is_done(self) -> bool:
        return self._next is None

    def see(self, frame: av.VideoFrame, begins: Fraction) -> None:
        """Take in the frame that is shown from `begins` on, in seconds."""
        while self._before and self._next is not None and self._next * self._sheet.every_ms < begins * 1000:
            self._take(self._before)
        self._before = frame

    def finish(self) -> dict[int, bytes]:
        """Return the pictures by their numbers, as plain RGB: the last frame stays until the segment ends."""
        while self._before and self._next is not None:
            self._take(self._before)
        return self.pictures

    def _take(self, frame: av.VideoFrame) -> None:
        assert self._next is not None
        self.pictures[self._next] = picture(frame, self._sheet, self._rotation)
        self._next = next(self._numbers, None)


def picture(frame: av.VideoFrame, sheet: Sheet, rotation: int) -> bytes:
    """Return a frame in the size of a picture, turned by `rotation` degrees clockwise, as rows of RGB."""
    import numpy as np

    sides = (sheet.width, sheet.height) if rotation % 180 == 0 else (sheet.height, sheet.width)
    made = frame.reformat(*sides, "rgb24", interpolation="AREA", dst_color_range="JPEG").to_ndarray()
    return np.ascontiguousarray(np.rot90(made, -rotation // 90)).tobytes()


def assembled(sheet: Sheet, pictures: Iterable[tuple[int, bytes]]) -> bytes:
    """Return the sheet as JPEG; where there is no picture it is black."""
    import numpy as np

    canvas = np.zeros((sheet.rows * sheet.height, sheet.columns * sheet.width, 3), np.uint8)
    for number, data in pictures:
        left, top = sheet.place(number)
        made = np.frombuffer(data, np.uint8).reshape(sheet.height, sheet.width, 3)
        canvas[top : top + sheet.height, left : left + sheet.width] = made
    return b"".join(_jpeg(canvas))


def _jpeg(canvas: npt.NDArray[np.uint8]) -> Iterator[bytes]:
    import av

    height, width = canvas.shape[:2]
    encoder: Any = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height = width, height
    encoder.pix_fmt, encoder.time_base = "yuv420p", Fraction(1, 25)
    encoder.color_range = 2
    encoder.qmin = encoder.qmax = QUALITY
    frame = av.VideoFrame.from_ndarray(canvas, "rgb24")
    frame = frame.reformat(format="yuv420p", dst_colorspace="ITU601", dst_color_range="JPEG")
    yield from map(bytes, [*encoder.encode(frame), *encoder.encode(None)])
