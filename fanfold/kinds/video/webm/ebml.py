"""Elements of EBML (RFC 8794): an ID, the size of what follows, and that."""

from __future__ import annotations

import struct

SIZE_BYTES = 8
"""How long a size can be (section 6)."""


def sized(value: int, width: int = 0) -> bytes:
    """Return a size as a variable-length number, the shortest, or one of `width` bytes.

    All ones would say that the size is not known (section 6.2). Raises OverflowError where it has no room.
    """
    width = width or next(
        (bytes_ for bytes_ in range(1, SIZE_BYTES + 1) if value < (1 << 7 * bytes_) - 1), SIZE_BYTES + 1
    )
    if width > SIZE_BYTES or not 0 <= value < (1 << 7 * width) - 1:
        raise OverflowError(f"{value:,} is no size of {width} bytes")
    return (value | 1 << 7 * width).to_bytes(width, "big")


def name(id: int) -> bytes:
    """Return an ID, which says its length itself (section 5)."""
    return id.to_bytes((id.bit_length() + 7) // 8, "big")


def element(id: int, *parts: bytes) -> bytes:
    """Return an element of parts: of other elements, or of bytes as they are."""
    return b"".join((name(id), sized(sum(map(len, parts))), *parts))


def unsigned(id: int, value: int, width: int = 0) -> bytes:
    """Return an unsigned integer (section 7.2), in as few bytes as it takes or in `width`."""
    return element(id, value.to_bytes(width or max(1, (value.bit_length() + 7) // 8), "big"))


def signed(id: int, value: int) -> bytes:
    """Return a signed integer (section 7.1)."""
    return element(id, value.to_bytes((value if value >= 0 else ~value).bit_length() // 8 + 1, "big", signed=True))


def real(id: int, value: float) -> bytes:
    """Return a float of 64 bits (section 7.3)."""
    return element(id, struct.pack(">d", value))


def text(id: int, value: str) -> bytes:
    """Return text (section 7.5)."""
    return element(id, value.encode("utf-8", "replace"))
