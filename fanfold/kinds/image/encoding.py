"""From pixels to JPEG, PNG, WebP and AVIF."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import pyvips

from fanfold.kinds.image.pixels import carry, flattened, in_pillow

TYPES = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp", "avif": "image/avif"}

FULL_COLOUR_QUALITY = 90
"""From here on libvips keeps the colours of a JPEG at full resolution."""

_SOI, _JFIF_BYTES = b"\xff\xd8", 18
"""How a JPEG begins, and the length of the JFIF header that Pillow writes behind it (ITU-T T.871, 10.1)."""


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


def pieces(image: pyvips.Image, format: str, quality: int) -> Callable[[int, int], bytes]:
    """Return what encodes the columns from one to another; a JPEG's image has no alpha.

    Of small pieces libvips takes more time to begin a JPEG than to make it. Pillow does not, and with the same quality
    and subsampling its JPEG has the same bytes, but for the JFIF header that libvips leaves out with the metadata.
    """
    if format != "jpeg":
        return lambda left, right: encode(image.crop(left, 0, right - left, image.height), format, quality)
    whole = in_pillow(image)
    subsampling = "4:2:0" if image.bands == 3 and quality < FULL_COLOUR_QUALITY else "4:4:4"

    def piece(left: int, right: int) -> bytes:
        file = io.BytesIO()
        whole.crop((left, 0, right, whole.height)).save(file, "JPEG", quality=quality, subsampling=subsampling)
        made = file.getvalue()
        return made[: len(_SOI)] + made[len(_SOI) + _JFIF_BYTES :]

    return piece


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
