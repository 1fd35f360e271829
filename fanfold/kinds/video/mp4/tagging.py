"""Titles and such of a file, as players look for them: Apple's list of metadata."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from fanfold.kinds.video.mp4.boxes import box, full

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


def user_data(tags: Mapping[str, str], others: bytes = b"") -> bytes:
    """Return the box that holds it (`udta`), and other boxes behind; nothing where there is neither."""
    if items := [_item(NAMES[name.lower()], text) for name, text in tags.items() if name.lower() in NAMES]:
        handler = full(b"hdlr", 0, 0, bytes(4), b"mdir", b"appl", bytes(9))
        others = full(b"meta", 0, 0, handler, box(b"ilst", *items)) + others
    return box(b"udta", others) if others else b""


def _item(name: bytes, text: str) -> bytes:
    return box(name, box(b"data", struct.pack(">II", 1, 0), text.encode("utf-8", "replace")))
