"""What a sample entry says (ISO/IEC 14496-12, 8.5.2): how the samples of a track are decoded and shown."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import floor

from fanfold.errors import BrokenVideo
from fanfold.kinds.video.mp4.boxes import box, find, walk

_PICTURE_BYTES = 86
"""Where its boxes begin, behind its fields (12.1.3)."""

_SOUND_BYTES = {0: 36, 1: 52, 2: 72}
"""The same for sound, by the version of its fields (12.2.3; QuickTime File Format, Sound Sample Descriptions)."""

_APERTURE = struct.Struct(">IIIIiIiI")

_SAME = Fraction(1, 1_000_000)

_ARRAYS_AT, _PARAMETER_SETS = 22, {32, 33, 34}
"""Where an HEVC configuration says how many arrays it has; those of VPS, SPS and PPS (ITU-T H.265, table 7-1)."""


def of_picture(entry: bytes, name: str) -> bytes:
    """Return the body of a box that describes pictures, empty where there is none."""
    return _body(entry, name, _PICTURE_BYTES)


def of_sound(entry: bytes, name: str) -> bytes:
    """Return the body of a box that describes a sound, empty where there is none; QuickTime has it in a `wave`."""
    version = int.from_bytes(entry[16:18], "big")
    start = _SOUND_BYTES.get(version, len(entry))
    return _body(entry, name, start) or _body(entry, f"wave/{name}", start)


def of_mp4(entry: bytes, channels: int, rate: int) -> bytes:
    """Return an entry of AAC as an MP4 has it (12.2.3, and ISO/IEC 14496-14, 5.6), any other one as it is.

    QuickTime's has more fields, and keeps what sets up the decoder in a `wave`: readers of MP4 do not find it there.
    """
    config = of_sound(entry, "esds") if entry[4:8] == b"mp4a" else b""
    if not config or entry[16:18] == b"\0\0":
        return entry
    fields = struct.pack(">8xHH4xI", channels, 16, rate << 16 & 0xFFFFFFFF)
    return box(b"mp4a", entry[8:16], fields, box(b"esds", config))


def _body(entry: bytes, name: str, start: int) -> bytes:
    found = find(entry, name, start)
    return entry[found[0] : found[1]] if found else b""


def coded_size(entry: bytes) -> tuple[int, int]:
    """Return the width and height of pictures, in the pixels that are coded."""
    width, height = struct.unpack_from(">HH", entry, 32)
    return width, height


@dataclass(frozen=True, slots=True)
class Margins:
    """How many pixels at each side of a picture are coded, and not shown."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    @property
    def across(self) -> int:
        return self.left + self.right

    @property
    def down(self) -> int:
        return self.top + self.bottom

    def __bool__(self) -> bool:
        return self.across + self.down > 0


def margins(entry: bytes) -> Margins:
    """Return what a clean aperture (12.1.4) cuts off, in whole pixels; of one that goes beyond the picture, nothing."""
    found = of_picture(entry, "clap")
    if len(found) < _APERTURE.size:
        return Margins()
    width, width_by, height, height_by, right, right_by, down, down_by = _APERTURE.unpack_from(found)
    if not (width > 0 < width_by and height > 0 < height_by and right_by > 0 < down_by):
        return Margins()
    coded_width, coded_height = coded_size(entry)
    before, behind = _margins(coded_width, Fraction(width, width_by), Fraction(right, right_by))
    above, below = _margins(coded_height, Fraction(height, height_by), Fraction(down, down_by))
    return Margins(before, above, behind, below) if min(before, above, behind, below) >= 0 else Margins()


def _margins(coded: int, shown: Fraction, moved: Fraction) -> tuple[int, int]:
    """Return what is before and behind the part of a side that is shown; its middle is moved from that of the side."""
    middle, half = Fraction(coded - 1, 2) + moved, (shown - 1) / 2
    return floor(middle - half), coded - 1 - floor(middle + half)


def shown_size(entry: bytes) -> tuple[int, int]:
    """Return the width and height of pictures, in the pixels that are shown."""
    width, height = coded_size(entry)
    cut = margins(entry)
    return width - cut.across, height - cut.down


def pixel_shape(entry: bytes) -> Fraction:
    """Return the width of a pixel for its height (12.1.4)."""
    found = of_picture(entry, "pasp")
    across, down = struct.unpack_from(">II", found) if len(found) >= 8 else (1, 1)
    return Fraction(across, down) if across and down else Fraction(1)


def shaped(entry: bytes, shape: Fraction) -> bytes:
    """Return an entry of pictures that says the shape of a pixel, as else the track or the container may alone."""
    if pixel_shape(entry) == shape:
        return entry
    boxes = [(name, entry[at - 8 : end]) for name, at, end in walk(entry, _PICTURE_BYTES)]
    said = box(b"pasp", struct.pack(">II", shape.numerator, shape.denominator))
    others = [made for name, made in boxes if name != b"pasp"]
    return box(entry[4:8], entry[8:_PICTURE_BYTES], *others, said)


def seems_narrow(entry: bytes, shape: Fraction) -> bool:
    """Tell whether pixels are square of which libavformat says another shape.

    It finds one by the sizes of the track and of what is coded, though a track is as large as its clean aperture.
    """
    (width, height), (coded_width, coded_height) = shown_size(entry), coded_size(entry)
    if not margins(entry) or of_picture(entry, "pasp") or min(width, height, coded_width, coded_height) < 1:
        return False
    return abs(Fraction(width * coded_height, height * coded_width) - shape) < _SAME


def decoder_config(esds: bytes) -> bytes:
    """Return what is private to the decoder from an elementary stream descriptor (ISO/IEC 14496-1, 7.2.6).

    Raises BrokenVideo.
    """
    at = 4
    while at + 2 < len(esds):
        tag, size, at = esds[at], 0, at + 1
        while True:
            size, more, at = size << 7 | esds[at] & 0x7F, esds[at] >> 7, at + 1
            if not more:
                break
        match tag:
            case 3:  # ES_Descriptor, here without any of what its flags announce
                at += 3
            case 4:  # DecoderConfigDescriptor
                at += 13
            case 5:  # DecoderSpecificInfo
                return esds[at : at + size]
            case _:
                at += size
    raise BrokenVideo("a sound's description does not say how to set up its decoder")


def out_of_band(entry: bytes) -> bytes:
    """Return an entry of HEVC that holds the parameter sets as `hvc1`, any other one as it is.

    `hev1` says that sets may lie among the samples (ISO/IEC 14496-15, 8.4.1), and what Apple makes does not play it,
    though ffmpeg calls by it whatever it copies.
    """
    record = of_picture(entry, "hvcC") if entry[4:8] == b"hev1" else b""
    arrays = list(_arrays(record))
    if not {record[at] & 0x3F for at in arrays} >= _PARAMETER_SETS:
        return entry
    complete = bytearray(record)
    for at in arrays:
        complete[at] |= 0x80
    return entry[:4] + b"hvc1" + entry[8:].replace(record, bytes(complete), 1)


def _arrays(record: bytes) -> Iterator[int]:
    """Yield where the arrays of an HEVC configuration begin that hold something (8.3.3.1)."""
    at = _ARRAYS_AT + 1
    for _ in range(record[_ARRAYS_AT] if len(record) > _ARRAYS_AT else 0):
        units = int.from_bytes(record[at + 1 : at + 3], "big")
        begins, at = at, at + 3
        for _ in range(units):
            at += 2 + int.from_bytes(record[at : at + 2], "big")
        if at > len(record):
            return
        if units:
            yield begins
