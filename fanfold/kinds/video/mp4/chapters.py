"""Chapters of a file, as players look for them: Apple's as a track of texts, which the others refer to (QuickTime File
Format, Chapter lists), those of others as Nero's list, which has no more than 255.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from math import floor
from typing import Any

from fanfold.kinds.video.mp4.boxes import box, full
from fanfold.kinds.video.mp4.muxing import Chunk, MuxTrack
from fanfold.kinds.video.samples import Samples

LISTED_LIMIT = 255
"""What a list counts in one byte."""

TIMESCALE = 10_000
"""Ticks a second of the track: at more than some 24,000 one chapter of 48 hours would last longer than 32 bits say."""

_UTF8 = box(b"encd", struct.pack(">I", 0x100))

_STYLE = struct.pack(">IiHHH4h8xHHxxxHHHB", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
"""Display flags, justification, background, box, font number and face, foreground, name of the font: none of it counts,
as nobody sees the texts themselves.
"""


def listed(chapters: Sequence[Mapping[str, Any]], origin: Fraction) -> bytes:
    """Return Nero's list, in units of 100 ns; nothing where there are no chapters."""
    found = [
        struct.pack(">QB", round(start * 10_000_000), len(title)) + title
        for start, title in _told(chapters, origin)[:LISTED_LIMIT]
    ]
    return full(b"chpl", 1, 0, struct.pack(">IB", 0, len(found)), *found) if found else b""


def track(chapters: Sequence[Mapping[str, Any]], origin: Fraction, duration: Fraction) -> tuple[MuxTrack, bytes] | None:
    """Return the track, its samples at the place 0, and their bytes; None where no chapter begins before the end."""
    end = floor(duration * TIMESCALE)
    found = [(floor(start * TIMESCALE), title) for start, title in _told(chapters, origin)]
    found = [(start, title) for start, title in found if start < end]
    if not found:
        return None
    pts = [start for start, _ in found]
    texts = [struct.pack(">H", len(title)) + title + _UTF8 for _, title in found]
    lengths = [after - before for before, after in pairwise([*pts, end])]
    samples = Samples(pts, lengths, [len(text) for text in texts], list(range(len(texts))))
    entry = box(b"text", bytes(6), struct.pack(">H", 1), _STYLE)
    return MuxTrack(b"text", TIMESCALE, entry, [Chunk(samples)], enabled=False), b"".join(texts)


def _told(chapters: Sequence[Mapping[str, Any]], origin: Fraction) -> list[tuple[Fraction, bytes]]:
    """Return when each chapter begins, in seconds of the presentation and in order, and its title, cut at a letter."""
    found = [(max(Fraction(one["start"]) - origin, Fraction(0)), str(one["title"])) for one in chapters]
    return [
        (start, title.encode("utf-8", "replace")[:255].decode("utf-8", "ignore").encode())
        for start, title in sorted(found, key=lambda one: one[0])
    ]
