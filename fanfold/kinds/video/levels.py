"""One description of pictures that were encoded in segments: an encoder chooses the level by each segment's own rate.

The level says how much a decoder must be ready for. Where segments differ in nothing else, the description with the
highest one is true of them all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from fanfold.errors import BrokenVideo
from fanfold.kinds.video.mp4.entries import of_picture

_SPS = 7
"""The type of a sequence parameter set (ITU-T H.264, table 7-1)."""

_HIGH = frozenset({100, 110, 122, 244, 44})
"""Profiles whose sequence parameter sets say how colours are stored (7.3.2.1.1)."""

_EXTENDED_SHAPE = 255
"""What stands for a shape of pixels that is written out (E.2.1)."""

_VPS_LEVEL, _SPS_LEVEL = 17, 14
"""Where parameter sets of HEVC say their level (ITU-T H.265, 7.3.2.1, 7.3.2.2, 7.3.3), without escapes."""


def shared(entries: Collection[bytes]) -> bytes | None:
    """Return the entry that describes the pictures of every entry, None where they differ in more than a level."""
    if len(entries) == 1:
        return next(iter(entries))
    told = {entry: _told(entry) for entry in entries}
    highest = max(entries, key=lambda entry: (told[entry][0], entry))
    return highest if len({rest for _, rest in told.values()}) == 1 else None


def _told(entry: bytes) -> tuple[int, bytes]:
    """Return the level that an entry says, and all that matters of the rest."""
    for name, split in (("avcC", _avc), ("hvcC", _hevc), ("vpcC", _vp9), ("av1C", _av1)):
        if config := of_picture(entry, name):
            level, rest = split(config)
            at = entry.index(config)
            # Without the sizes of the box and of the entry, which are as long as what is left out.
            return level, entry[4 : at - 8] + entry[at + len(config) :] + rest
    return 0, entry


def _avc(config: bytes) -> tuple[int, bytes]:
    """Tell of an AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1)."""
    units = list(_units(config, 5, masks=(31, 255)))
    rest = [_shape_of(unit) if unit[0] & 31 == _SPS else unit for unit in units]
    return config[3], config[:3] + config[4:5] + b"".join(rest) + config[6 + sum(2 + len(one) for one in units) + 1 :]


def _units(config: bytes, at: int, masks: tuple[int, ...]) -> Iterator[bytes]:
    """Yield the NAL units of lists that each begin with a count."""
    for mask in masks:
        count, at = config[at] & mask, at + 1
        for _ in range(count):
            size = int.from_bytes(config[at : at + 2], "big")
            yield config[at + 2 : at + 2 + size]
            at += 2 + size


def _shape_of(unit: bytes) -> bytes:
    """Return what a sequence parameter set of H.264 says before its level's limits: how pictures are read and shown.

    That is all of it (7.3.2.1.1) up to the clock of its VUI (E.1.1).
    """
    data = _plain(unit)
    bits = _Bits("".join(f"{byte:08b}" for byte in data[4:]))
    try:
        bits.number()
        if data[1] in _HIGH:
            if bits.number() == 3:
                bits.skip(1)
            bits.numbers(2)
            bits.skip(1)
            if bits.flag():
                return unit  # scaling lists, which no encoder here writes
        bits.number()
        if (order := bits.number()) == 1:
            return unit  # nor this order of pictures
        bits.numbers(0 if order else 1)
        bits.number()
        bits.skip(1)
        bits.numbers(2)
        bits.skip(1 if bits.flag() else 2)
        bits.numbers(4 if bits.flag() else 0)
        if bits.flag():
            if bits.flag() and bits.read(8) == _EXTENDED_SHAPE:
                bits.skip(32)
            bits.skip(1 if bits.flag() else 0)
            if bits.flag():
                bits.skip(4)
                bits.skip(24 if bits.flag() else 0)
            bits.numbers(2 if bits.flag() else 0)
    except (ValueError, IndexError) as error:
        raise BrokenVideo("a sequence parameter set ends too early") from error
    return data[1:3] + bits.seen.encode()


class _Bits:
    """Bits, read one after the other."""

    def __init__(self, bits: str) -> None:
        self._bits = bits
        self._at = 0

    @property
    def seen(self) -> str:
        return self._bits[: self._at]

    def skip(self, count: int) -> None:
        self._at += count

    def flag(self) -> bool:
        self._at += 1
        return self._bits[self._at - 1] == "1"

    def read(self, count: int) -> int:
        self._at += count
        return int(self._bits[self._at - count : self._at], 2)

    def number(self) -> int:
        """Read an Exp-Golomb code (9.1)."""
        zeros = self._bits.index("1", self._at) - self._at
        self._at += zeros
        return self.read(zeros + 1) - 1

    def numbers(self, count: int) -> None:
        for _ in range(count):
            self.number()


def _hevc(config: bytes) -> tuple[int, bytes]:
    """Tell of an HEVCDecoderConfigurationRecord (ISO/IEC 14496-15, 8.3.3.1)."""
    rest, at = config[:12] + config[13:23], 23
    for _ in range(config[22]):
        kind, count, at = config[at] & 63, int.from_bytes(config[at + 1 : at + 3], "big"), at + 3
        for _ in range(count):
            size = int.from_bytes(config[at : at + 2], "big")
            unit, at = _plain(config[at + 2 : at + 2 + size]), at + 2 + size
            place = {32: _VPS_LEVEL, 33: _SPS_LEVEL}.get(kind, len(unit))
            rest += unit[:place] + unit[place + 1 :]
    return config[12], rest


def _plain(unit: bytes) -> bytes:
    """Return a NAL unit without the bytes that keep start codes out of it (ITU-T H.264, 7.3.1)."""
    return unit.replace(b"\0\0\3", b"\0\0")


def _vp9(config: bytes) -> tuple[int, bytes]:
    """Tell of a VPCodecConfigurationRecord."""
    return config[5], config[:5] + config[6:]


def _av1(config: bytes) -> tuple[int, bytes]:
    """Tell of an AV1CodecConfigurationRecord; its sequence header stands before every keyframe too."""
    return config[1] & 31, bytes([config[0], config[1] & 0xE0, config[2] & 0x7F])
