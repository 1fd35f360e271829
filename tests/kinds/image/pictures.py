"""Pictures made of seeds, and the oracle for pyramids."""

from __future__ import annotations

import io
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyvips
from PIL import Image, ImageDraw, ImageFont


def picture(width: int, height: int, mode: str = "RGB", seed: int = 0) -> Image.Image:
    """Return noise over a gradient: neighbours are alike, and no two rows are."""
    bands = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4}[mode]
    noise = random.Random(seed).randbytes(width * height * bands)
    rows = [
        bytes((x * 3 + y * 5 + 40 * band + noise[(y * width + x) * bands + band] // 3) % 256
              for x in range(width) for band in range(bands))
        for y in range(height)
    ]  # fmt: skip
    return Image.frombytes(mode, (width, height), b"".join(rows))


def written(
    size: tuple[int, int], lines: Sequence[tuple[int, int, int, str]], background: str = "white"
) -> Image.Image:
    """Return a picture with lines: where each begins, how large it is, and what it says."""
    image = Image.new("RGB", size, background)
    pen = ImageDraw.Draw(image)
    for left, top, height, text in lines:
        pen.text((left, top), text, fill="black", font=ImageFont.load_default(height))
    return image


def saved(image: Image.Image, format: str, **options: Any) -> bytes:
    made = io.BytesIO()
    image.save(made, format, **options)
    return made.getvalue()


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def dzsave(image: pyvips.Image, size: int, overlap: int, suffix: str) -> dict[str, bytes]:
    """Return what libvips itself writes, by name."""
    with tempfile.TemporaryDirectory() as folder:
        image.dzsave(f"{folder}/tiles", tile_size=size, overlap=overlap, suffix=suffix)
        found = {str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*.*")}
    found.pop("tiles_files/vips-properties.xml")
    return found
