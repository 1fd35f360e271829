"""From pixels to JPEG, PNG, WebP and AVIF."""

from __future__ import annotations

from collections.abc import Sequence

import pyvips

from fanfold.errors import TooLargeForFormat
from fanfold.kinds.image.pixels import carry, flattened

SIDES = {"jpeg": 65_500, "png": 2_147_483_647, "webp": 16_383, "avif": 16_384}
"""The longest side that each encoder takes."""

TYPES = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp", "avif": "image/avif"}


def check(width: int, height: int, format: str, output: str) -> None:
    """Raise TooLargeForFormat where a format cannot hold an image."""
    if max(width, height) > SIDES[format]:
        raise TooLargeForFormat(
            f"`{output}` would have {width:,} × {height:,} pixels; {format.upper()} holds at most {SIDES[format]:,}"
        )


def encode(image: pyvips.Image, format: str, quality: int, keep: str = "none") -> bytes:
    """Return an image in a format; `keep`: which metadata stays, in libvips' words. PNG has no quality."""
    match format:
        case "jpeg":
            made = flattened(image).jpegsave_buffer(Q=quality, keep=keep)
        case "png":
            made = image.pngsave_buffer(keep=keep)
        case "webp":
            made = image.webpsave_buffer(Q=quality, keep=keep)
        case _:
            made = image.heifsave_buffer(Q=quality, compression="av1", effort=2, keep=keep)
    return bytes(made)


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
    return encode(made, format, quality, "exif|xmp|iptc" if keep else "none")
