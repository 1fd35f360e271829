"""Chapters and titles of a file, as players look for them: Nero's list of chapters, and Apple's of metadata."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from fanfold.kinds.video.boxes import box, full

CHAPTERS_LIMIT = 255
"""What a list of chapters counts in one byte."""

NAMES = {
    "title": b"\xa9nam",
    "artist": b"\xa9ART",
    "album": b"\xa9alb",
    "date": b"\xa9day",
    "comment": b"\xa9cmt",
    "genre": b"\xa9gen",
    "copyright": b"cprt",
    "description": b"desc",
}


def user_data(chapters: Sequence[Mapping[str, Any]], tags: Mapping[str, str], origin: Fraction) -> bytes:
    """Return the box that holds both (`udta`), nothing where there is neither."""
    parts = []
    if items := [_item(NAMES[name.lower()], text) for name, text in tags.items() if name.lower() in NAMES]:
        handler = full(b"hdlr", 0, 0, bytes(4), b"mdir", b"appl", bytes(9))
        parts.append(full(b"meta", 0, 0, handler, box(b"ilst", *items)))
    if chapters:
        listed = [_chapter(one, origin) for one in chapters[:CHAPTERS_LIMIT]]
        parts.append(full(b"chpl", 1, 0, struct.pack(">IB", 0, len(listed)), *listed))
    return box(b"udta", *parts) if parts else b""


def _item(name: bytes, text: str) -> bytes:
    return box(name, box(b"data", struct.pack(">II", 1, 0), text.encode("utf-8", "replace")))


def _chapter(chapter: Mapping[str, Any], origin: Fraction) -> bytes:
    """Return where a chapter begins, in units of 100 ns, and its title, cut at a letter."""
    title = str(chapter["title"]).encode("utf-8", "replace")[:255].decode("utf-8", "ignore").encode()
    start = max(Fraction(chapter["start"]) - origin, Fraction(0))
    return struct.pack(">QB", round(start * 10_000_000), len(title)) + bytes(title)
