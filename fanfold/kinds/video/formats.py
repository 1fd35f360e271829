"""Telling which container an object is from its first bytes. Standard library only: Intake asks here too."""

from __future__ import annotations

from typing import Literal

Container = Literal["mp4", "matroska", "mpegts", "avi"]

NAMES: tuple[Container, ...] = ("mp4", "matroska", "mpegts", "avi")

DEMUXERS: dict[Container, str] = {"mp4": "mov", "matroska": "matroska", "mpegts": "mpegts", "avi": "avi"}
"""What libavformat calls them. It is never asked to guess: a playlist would be a format like any other to it."""

PACKET_BYTES = 188
"""Of an MPEG transport stream (ISO/IEC 13818-1, 2.4.3.2)."""

_LAYOUTS = ((PACKET_BYTES, 0), (192, 4))
"""How far packets lie apart, and where the first one begins: camcorders (AVCHD) and Blu-ray put a time before each."""

_BOXES = frozenset({b"ftyp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"styp", b"sidx", b"pnot"})
"""What the first box of an MP4 or QuickTime file may be."""

_IMAGES = frozenset({b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
"""Brands of images, which are kept in the same boxes."""

_REFUSED = (
    (b"#EXTM3U", "an HLS playlist"),
    (b"ffconcat", "a list of files to join"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x89PNG", "a PNG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF", "a PDF"),
    (b"\x1f\x8b", "gzip data"),
    (b"PK\x03\x04", "a zip archive"),
    (b"FLV\x01", "a Flash video"),
    (b"\x30\x26\xb2\x75", "a Windows Media file"),
    (b"OggS", "an Ogg file"),
)


def container_of(head: bytes) -> Container | None:
    """Return the container of an object that begins with `head`, None if it is none that is read."""
    if head[4:8] in _BOXES:
        return None if head[4:8] == b"ftyp" and head[8:12] in _IMAGES else "mp4"
    if head.startswith(b"\x1a\x45\xdf\xa3") and (b"matroska" in head[:128] or b"webm" in head[:128]):
        return "matroska"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    return "mpegts" if packets_apart(head) else None


def packets_apart(head: bytes) -> int | None:
    """Return how many bytes the packets of a transport stream lie apart, None for what is none."""
    for apart, first in _LAYOUTS:
        syncs = head[first : first + 5 * apart : apart]
        if len(syncs) == 5 and set(syncs) == {0x47}:
            return apart
    return None


def sniff(head: bytes, key: str) -> bool:
    """Tell whether an object that begins with `head` is a video that can be read; its name does not matter."""
    return container_of(head) is not None


def named(head: bytes) -> str:
    """Return what an object that is no video of ours seems to be, for an error."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"<?xml") and b"<MPD" in head:
        return "a DASH manifest"
    if text.startswith(b"<MPD"):
        return "a DASH manifest"
    known = next((name for magic, name in _REFUSED if text.startswith(magic)), None)
    return known or f"unknown: it begins with {head[:12]!r}"
