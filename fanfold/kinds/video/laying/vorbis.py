"""How many samples a packet of Vorbis has: one of three numbers, which the milliseconds of a container tell apart."""

from __future__ import annotations

_IDENTIFICATION = b"\x01vorbis"

_BLOCK_SIZES_AT = 28
"""Where the identification header says the sizes of its blocks, as two powers of two (Vorbis I, 4.2.2)."""


def counts(headers: bytes) -> list[int]:
    """Return what a packet may have: a quarter of its block and of the one before it, of which each is short or long.

    None, where the headers do not say it.
    """
    at = headers.find(_IDENTIFICATION) + _BLOCK_SIZES_AT
    if at < _BLOCK_SIZES_AT or at >= len(headers):
        return []
    short, long = 1 << (headers[at] & 15), 1 << (headers[at] >> 4)
    return sorted({short // 2, (short + long) // 4, long // 2})
