"""Opus: how long a packet of it is, and how much of its beginning no decoder lets be heard."""

from __future__ import annotations

from fanfold.kinds.video.mp4.boxes import find

RATE = 48_000
"""Opus counts so many samples a second, whatever was encoded."""

PREROLL_SAMPLES = 3840
"""How much a decoder must have heard before what comes out of it is right (RFC 7845, 4.6)."""


def skipped(entry: bytes) -> int:
    """Return how many samples decoders leave out by themselves (RFC 7845, 4.2), 0 where `entry` is not of Opus."""
    found = find(entry, "dOps", 36) if entry[4:8] == b"Opus" else None
    return int.from_bytes(entry[found[0] + 2 : found[0] + 4], "big") if found else 0


def samples(packet: bytes | memoryview) -> int:
    """Return how many samples a packet decodes to (RFC 6716, 3.1 and 3.2), 0 where it is none."""
    head = bytes(packet[:2])
    if not head:
        return 0
    configuration, code = head[0] >> 3, head[0] & 3
    if configuration < 12:
        frame = (480, 960, 1920, 2880)[configuration & 3]
    elif configuration < 16:
        frame = (480, 960)[configuration & 1]
    else:
        frame = 120 << (configuration & 3)
    match code:
        case 0:
            return frame
        case 1 | 2:
            return 2 * frame
        case _:
            return (head[1] & 63) * frame if len(head) > 1 else 0
