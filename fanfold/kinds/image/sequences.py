"""Animations that libvips does not read as such, PNG and AVIF, by Pillow."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pyvips
from PIL import Image

from fanfold.errors import BrokenImage
from fanfold.kinds.image.formats import Format

_READERS = {"png": "PNG", "avif": "AVIF"}

_WRONG = (
    *(ArithmeticError, LookupError, OSError, RuntimeError, SyntaxError, ValueError),
    *(struct.error, Warning, Image.DecompressionBombError),
)
"""What Pillow raises for data that breaks."""

_MOST = (1 << 31) - 1
"""What libvips holds of milliseconds and of loops."""


def is_sequence(data: bytes, format: Format) -> bool:
    """Tell whether an image in memory is a sequence of frames that only Pillow reads as one."""
    if format == "avif":
        return b"avis" in data[8 : int.from_bytes(data[:4], "big")]
    return format == "png" and _frames_of_png(data) > 1


def _frames_of_png(data: bytes) -> int:
    """Return how many frames a PNG declares before its picture (PNG, third edition, 11.3.6.1), 0 if it does not."""
    at = 8
    while at + 12 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        if name == b"acTL" and size == 8:
            return int.from_bytes(data[at + 8 : at + 12], "big")
        if name == b"IDAT":
            break
        at += 12 + size
    return 0


class Sequence:
    """The frames of an animation, counted and not yet decoded."""

    def __init__(self, data: bytes, format: Format) -> None:
        """Raises BrokenImage."""
        self._format = format
        with self._decoding():
            self._image = Image.open(io.BytesIO(data), formats=[_READERS[format]])
            # A picture that is no frame is for viewers that show no animations.
            self._first = int(bool(self._image.info.get("default_image")))
            self.frames = int(getattr(self._image, "n_frames", 1)) - self._first
        self.width, self.height = self._image.size

    def decoded(self) -> pyvips.Image:
        """Return all frames, one below the other, as libvips holds an animation. Raises BrokenImage."""
        mode = "RGBA" if self._image.has_transparency_data or self._image.mode in ("RGBA", "LA", "PA") else "RGB"
        bands = len(mode)
        frame_bytes = self.width * self.height * bands
        pixels = bytearray(frame_bytes * self.frames)
        delays_ms = []
        with self._decoding():
            for number in range(self.frames):
                self._image.seek(self._first + number)
                pixels[number * frame_bytes : (number + 1) * frame_bytes] = self._image.convert(mode).tobytes()
                delays_ms.append(min(round(self._image.info.get("duration", 0)), _MOST))
            told = self._image.info
        made = pyvips.Image.new_from_memory(pixels, self.width, self.height * self.frames, bands, "uchar")
        made = made.copy(interpretation="srgb")
        number = pyvips.GValue.gint_type
        made.set_type(number, "n-pages", self.frames)
        made.set_type(number, "page-height", self.height)
        made.set_type(number, "loop", min(int(told.get("loop", 0)), _MOST))
        made.set_type(pyvips.GValue.array_int_type, "delay", delays_ms)
        for name, field in (("icc_profile", "icc-profile-data"), ("exif", "exif-data"), ("xmp", "xmp-data")):
            if told.get(name):
                made.set_type(pyvips.GValue.blob_type, field, told[name])
        return made

    @contextmanager
    def _decoding(self) -> Iterator[None]:
        """Name what Pillow finds wrong, what it only warns of too: it would show another picture instead."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                yield
        except _WRONG as error:
            why = " ".join(str(error).split())[:200]
            raise BrokenImage(f"the {self._format.upper()} does not decode as a whole: {why}") from error
