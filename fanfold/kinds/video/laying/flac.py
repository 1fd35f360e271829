"""FLAC (RFC 9639): how many samples a packet of it has."""

from __future__ import annotations

import struct

_STREAMINFO_BYTES = 34


def block_samples(header: bytes) -> int:
    """Return how many samples every packet but the last has, as the header says (8.2), 0 where that differs."""
    if len(header) < _STREAMINFO_BYTES:
        return 0
    least, most = struct.unpack_from(">HH", header)
    return most if least == most else 0


def samples(packet: memoryview) -> int:
    """Return how many samples a packet has (9.1), 0 where it is none."""
    head = bytes(packet[:16])
    if len(head) < 16 or head[0] != 0xFF or head[1] & 0xFE != 0xF8:
        return 0
    # The number of the packet follows, which has as many bytes as bits are set before the first 0, and 1 if none is.
    number_bytes = max(1, 8 - (head[4] ^ 0xFF).bit_length())
    match head[2] >> 4:
        case 0:
            return 0
        case 1:
            return 192
        case 6:
            return head[4 + number_bytes] + 1
        case 7:
            return int(struct.unpack_from(">H", head, 4 + number_bytes)[0]) + 1
        case code if code < 6:
            return 144 << code
        case code:
            return 1 << code
