"""Boxes of the ISO base media file format (ISO/IEC 14496-12, 4.2): walked, and made."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from fanfold.errors import BrokenVideo

BOXES_LIMIT = 100_000
"""The most boxes that one walk sees."""


def walk(data: bytes, start: int = 0, stop: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Yield type, start of the body and end of each box in [start, stop). Raises BrokenVideo."""
    stop = len(data) if stop is None else stop
    for _ in range(BOXES_LIMIT):
        if stop - start < 8:
            return
        size, name = struct.unpack_from(">I4s", data, start)
        body = start + 8
        if size == 1:
            if stop - start < 16:
                break
            (size,) = struct.unpack_from(">Q", data, body)
            body += 8
        elif size == 0:
            size = stop - start
        if size < body - start or start + size > stop:
            break
        yield name, body, start + size
        start += size
    raise BrokenVideo(f"a box at byte {start:,} of its parent is larger than what it lies in")


def find(data: bytes, path: str, start: int = 0, stop: int | None = None) -> tuple[int, int] | None:
    """Return the body of the first box at a path such as `mdia/minf/stbl`, None where there is none."""
    first, _, rest = path.partition("/")
    for name, body, end in walk(data, start, stop):
        if name == first.encode("latin-1"):
            return find(data, rest, body, end) if rest else (body, end)
    return None


def box(name: bytes, *parts: bytes) -> bytes:
    """Return a box of a type and its body."""
    size = 8 + sum(map(len, parts))
    return struct.pack(">I4s", size, name) + b"".join(parts)


def full(name: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    """Return a box with a version and flags (4.2)."""
    return box(name, struct.pack(">I", version << 24 | flags), *parts)
