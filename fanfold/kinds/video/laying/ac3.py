"""AC-3 and E-AC-3 (ETSI TS 102 366): how many samples a packet of them has."""

from __future__ import annotations

BLOCK_SAMPLES = 256

FRAME_SAMPLES = 6 * BLOCK_SAMPLES
"""Of AC-3 every frame has so many (4.1)."""

_BLOCKS = (1, 2, 3, 6)

COUNTS = [blocks * BLOCK_SAMPLES for blocks in _BLOCKS]
"""Of E-AC-3 one has one of these (E.1.3.1.4)."""

_DEPENDENT = 1
"""The type of a frame that adds channels to the one before it."""


def samples(packet: memoryview) -> int:
    """Return how many samples a packet has, which is one frame or more; 0 where it is none."""
    found = at = 0
    while at + 6 <= len(packet) and bytes(packet[at : at + 2]) == b"\x0b\x77":
        if packet[at + 5] >> 3 <= 10:
            # The size of a frame of AC-3 is in a table; a packet is no more than one.
            return found + FRAME_SAMPLES
        first, rate = packet[at + 2], packet[at + 4] >> 6
        if first >> 6 != _DEPENDENT and not first >> 3 & 7:
            found += BLOCK_SAMPLES * (6 if rate == 3 else _BLOCKS[packet[at + 4] >> 4 & 3])
        at += 2 * (((first & 7) << 8 | packet[at + 3]) + 1)
    return found
