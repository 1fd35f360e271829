"""From pixels to JPEG, PNG, WebP and AVIF."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyvips

from fanfold.kinds.image.pixels import carry, flattened

TYPES = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp", "avif": "image/avif"}


def _saver(format: str, quality: int) -> tuple[str, dict[str, Any]]:
    """Return libvips' name for what makes a format, and what it is told. PNG has no quality."""
    match format:
        case "jpeg":
            return "jpegsave", {"Q": quality}
        case "png":
            return "pngsave", {}
        case "webp":
            return "webpsave", {"Q": quality}
        case _:
            return "heifsave", {"Q": quality, "compression": "av1", "effort": 2}


def kept(keep: bool) -> str:
    """Return which metadata stay, in libvips' words."""
    return "exif|xmp|iptc" if keep else "none"


def encode(image: pyvips.Image, format: str, quality: int, keep: str = "none") -> bytes:
    """Return an image in a format; `keep`: which metadata stays, in libvips' words."""
    saver, options = _saver(format, quality)
    made = flattened(image) if format == "jpeg" else image
    return bytes(getattr(made, f"{saver}_buffer")(**options, keep=keep))


def save(image: pyvips.Image, path: str, format: str, quality: int, keep: str) -> None:
    """Write an image to a file, which may be larger than memory; else as `encode`."""
    saver, options = _saver(format, quality)
    made = flattened(image) if format == "jpeg" else image
    getattr(made, saver)(path, **options, keep=keep)


def encode_frames(
    frames: Sequence[pyvips.Image], format: str, quality: int, given: pyvips.Image, *, keep: bool
) -> bytes:
    """Return an animation where the format holds one, else its first frame.

    given: the first frame as it was decoded, which has the times and, with `keep`, the metadata that stay.
    """
    made = frames[0]
    if format == "webp" and len(frames) > 1:
        roll = pyvips.Image.arrayjoin(list(frames), across=1).copy()
        roll.set_type(pyvips.GValue.gint_type, "page-height", made.height)
        for name in ("delay", "loop"):
            if given.get_typeof(name):
                roll.set_type(given.get_typeof(name), name, given.get(name))
        made = roll
    if keep:
        made = carry(given, made)
    return encode(made, format, quality, kept(keep))
