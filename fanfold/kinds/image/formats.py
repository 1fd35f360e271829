"""Telling what an object is from its first bytes. Standard library only: the intake function asks here too."""

from __future__ import annotations

from typing import Literal

Format = Literal["jpeg", "png", "gif", "tiff", "webp", "avif", "heic"]

NAMES: tuple[Format, ...] = ("jpeg", "png", "gif", "tiff", "webp", "avif", "heic")

_MAGICS: tuple[tuple[bytes, Format], ...] = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0\x08\0\0\0", "tiff"),
    (b"MM\0+\0\x08\0\0", "tiff"),
)

_BRANDS: dict[bytes, Format] = {
    b"avif": "avif",
    b"avis": "avif",
    b"heic": "heic",
    b"heix": "heic",
    b"heim": "heic",
    b"heis": "heic",
    b"hevc": "heic",
    b"hevx": "heic",
}
"""ISO/IEC 23008-12 (HEIF), and AV1 Image File Format 1.1."""

_REFUSED = (
    (b"%PDF", "a PDF"),
    (b"8BPS", "a Photoshop document"),
    (b"BM", "a BMP image"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 image"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL image"),
    (b"\xff\x0a", "a JPEG XL image"),
    (b"\x1f\x8b", "gzip data"),
    (b"PK\x03\x04", "a zip archive"),
)


def format_of(head: bytes) -> Format | None:
    """Return the format of an object that begins with `head`, None if it is none that is read."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[4:8] == b"ftyp":
        return _heif(head)
    return next((name for magic, name in _MAGICS if head.startswith(magic)), None)


def _heif(head: bytes) -> Format | None:
    """Return the first brand that tells: the major one may be `mif1`, which only says that it is HEIF."""
    stop = min(int.from_bytes(head[:4], "big"), len(head))
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, stop - 3, 4))]
    return next((_BRANDS[brand] for brand in brands if brand in _BRANDS), None)


def sniff(head: bytes, key: str) -> bool:
    """Tell whether an object that begins with `head` is an image that can be read; its name does not matter."""
    return format_of(head) is not None


def named(head: bytes) -> str:
    """Return what an object that is no image of ours seems to be, for an error."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"<svg") or (text.startswith((b"<?xml", b"<!DOCTYPE", b"<!--")) and b"<svg" in head):
        return "an SVG drawing"
    known = next((name for magic, name in _REFUSED if head.startswith(magic)), None)
    return known or f"unknown: it begins with {head[:12]!r}"
