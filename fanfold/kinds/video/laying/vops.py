"""The pictures of MPEG-4 Visual, which it calls video object planes (ISO/IEC 14496-2, 6.2.3 and 6.2.5)."""

from __future__ import annotations

INTRA, BETWEEN, OTHER, NONE = "I", "B", "P", ""
"""One that stands for itself; one that is shown when it is decoded, before one that was decoded earlier; another; and
one that is not coded: the one before it is shown on."""

_PLANE, _LAYERS = b"\0\0\1\xb6", range(0x20, 0x30)
_START = b"\0\0\1"

_HEADER_BYTES = 64
"""More than a header has whose fields are read."""


class _Bits:
    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, "big"), len(data) * 8

    def take(self, count: int) -> int:
        """Return the next bits as a number; behind the end all are 0."""
        self._left -= count
        return (self._value >> self._left if self._left >= 0 else 0) & ((1 << count) - 1)


def time_bits(data: bytes) -> int:
    """Return how many bits a plane says its time in, as a layer's header has it; 0 where there is none in `data`."""
    at = data.find(_START)
    while at >= 0 and at + 3 < len(data) and data[at + 3] not in _LAYERS:
        at = data.find(_START, at + 1)
    if at < 0 or at + 3 >= len(data):
        return 0
    bits = _Bits(data[at + 4 : at + 4 + _HEADER_BYTES])
    version = 1
    bits.take(9)
    if bits.take(1):
        version = bits.take(4)
        bits.take(3)
    if bits.take(4) == 15:
        bits.take(16)
    if bits.take(1):
        bits.take(3)
        if bits.take(1):
            bits.take(79)
    if bits.take(2) == 3 and version != 1:
        bits.take(4)
    bits.take(1)
    return max(1, (bits.take(16) - 1).bit_length())


def kinds(data: bytes, bits: int) -> list[str]:
    """Return the kind of each plane in a packet; `bits`: see `time_bits`, and a header before a plane is read again."""
    found = []
    at = data.find(_PLANE)
    if at > 0:
        bits = time_bits(data[:at]) or bits
    while at >= 0:
        header = _Bits(data[at + 4 : at + 4 + _HEADER_BYTES])
        coding = header.take(2)
        while header.take(1):
            pass
        header.take(1 + bits + 1)
        is_coded = not bits or header.take(1)
        found.append((INTRA, OTHER, BETWEEN, OTHER)[coding] if is_coded else NONE)
        at = data.find(_PLANE, at + 4)
    return found
