"""What a codec is called (RFC 6381), so that a player knows whether it plays a stream before it asks for it."""

from __future__ import annotations

import struct

from fanfold.kinds.video.mp4.entries import decoder_config, of_picture, of_sound

_ESCAPED = 31


def codec(entry: bytes) -> str:
    """Return the name of what a sample entry describes, empty where it is not told here."""
    name = entry[4:8].decode("latin-1")
    match name:
        case "avc1" | "avc3":
            record = of_picture(entry, "avcC")
            return f"{name}.{record[1:4].hex()}" if record else ""
        case "hvc1" | "hev1":
            record = of_picture(entry, "hvcC")
            return _hevc(name, record) if record else ""
        case "av01":
            record = of_picture(entry, "av1C")
            return _av1(record) if record else ""
        case "mp4a":
            record = of_sound(entry, "esds")
            return f"mp4a.40.{_object_type(decoder_config(record))}" if record else ""
        case _:
            return ""


def _hevc(name: str, record: bytes) -> str:
    """Describe an HEVC configuration (ISO/IEC 14496-15, annex E.3)."""
    space, tier, profile = record[1] >> 6, record[1] >> 5 & 1, record[1] & 31
    (flags,) = struct.unpack_from(">I", record, 2)
    reversed_flags = int(f"{flags:032b}"[::-1], 2)
    constraints = record[6:12].rstrip(b"\0")
    parts = [f"{('', 'A', 'B', 'C')[space]}{profile}", f"{reversed_flags:X}", f"{'LH'[tier]}{record[12]}"]
    return ".".join([name, *parts, *(f"{one:X}" for one in constraints)])


def _av1(record: bytes) -> str:
    """Describe an AV1 configuration (AV1 Codec ISO Media File Format Binding, 5)."""
    profile, level, tier = record[1] >> 5, record[1] & 31, record[2] >> 7
    depth = 8 if not record[2] >> 6 & 1 else 12 if record[2] >> 5 & 1 else 10
    return f"av01.{profile}.{level:02}{'MH'[tier]}.{depth:02}"


def _object_type(config: bytes) -> int:
    """Return which AAC it is (ISO/IEC 14496-3, 1.6.2.1)."""
    bits = int.from_bytes(config[:2].ljust(2, b"\0"), "big")
    return bits >> 11 if bits >> 11 != _ESCAPED else 32 + (bits >> 5 & 63)
