"""What others wrote into an image: EXIF, XMP, IPTC and the name of the colour profile, as plain JSON.

All of it is hostile until it is read: each kind has a limit in bytes, and what does not parse is left out and named in
`unreadable`. CIPA DC-008 (Exif 3.0), ISO 16684-1 (XMP), IPTC-IIM 4.2, ICC.1:2022.
"""

from __future__ import annotations

import struct
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping
from typing import Any

from PIL import ExifTags, Image, TiffImagePlugin

LIMIT_BYTES = {"exif": 1 << 20, "xmp": 1 << 20, "iptc": 256 << 10, "icc": 16 << 20}
"""The most bytes of each that are read."""

TEXT_LIMIT = 1000
"""The most characters of one text, and the most values of one tag."""

TAGS_LIMIT = 500
"""The most tags of one kind."""

_EXIF_IFD, _GPS_IFD, _MAKER_NOTE = 0x8769, 0x8825, 0x927C


class Unreadable(Exception):
    """The data are not what they should be."""


def read(blobs: Mapping[str, bytes]) -> dict[str, Any]:
    """Return what an image carries, given as bytes by kind; only what there is."""
    found: dict[str, Any] = {}
    unreadable = []
    parsers: Mapping[str, Callable[[bytes], Any]] = {"exif": exif, "xmp": xmp, "iptc": iptc, "icc": icc}
    for kind, parse in parsers.items():
        if not (data := blobs.get(kind)):
            continue
        try:
            if len(data) > LIMIT_BYTES[kind]:
                raise Unreadable
            if said := parse(data):
                found[kind] = said
        except Unreadable:
            unreadable.append(kind)
    if exif_found := found.get("exif"):
        found |= {"gps": gps} if (gps := exif_found.pop("gps", None)) else {}
    return found | ({"unreadable": unreadable} if unreadable else {})


_BROKEN = (
    UserWarning,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    OverflowError,
    struct.error,
    OSError,
)
"""What Pillow's reader of EXIF says of bytes that are none."""


def exif(data: bytes) -> dict[str, Any]:
    """Return the tags by their names, rationals as numbers; under `gps` the place in degrees and metres."""
    tags = Image.Exif()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Pillow warns of what it cannot read, and goes on
            tags.load(data)
            plain, photo, place = dict(tags), tags.get_ifd(_EXIF_IFD), tags.get_ifd(_GPS_IFD)
    except _BROKEN as error:
        raise Unreadable from error
    found = {}
    for tag, value in [*plain.items(), *photo.items()][:TAGS_LIMIT]:
        name = ExifTags.TAGS.get(tag)
        if name and tag not in (_EXIF_IFD, _GPS_IFD, _MAKER_NOTE) and (said := _plain(value)) is not None:
            found[name] = said
    if gps := _place(place):
        found["gps"] = gps
    return found


def _plain(value: Any) -> Any:
    """Return a value as JSON has it, None for what is no text and no number."""
    if isinstance(value, TiffImagePlugin.IFDRational):
        return None if not value.denominator else _number(float(value))
    if isinstance(value, bool | int):
        return value if abs(value) < 1 << 63 else None
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bytes):
        text = value.rstrip(b"\0")
        return _text(text.decode()) if text.isascii() and text.decode().isprintable() and text else None
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value[:TEXT_LIMIT]]
    return None


def _number(value: float) -> float | int | None:
    if value != value or value in (float("inf"), float("-inf")):
        return None
    return int(value) if value.is_integer() and abs(value) < 1 << 53 else value


def _text(value: str) -> str:
    """Return a text without what ends it in C, and without halves of surrogate pairs."""
    return value.replace("\0", "")[:TEXT_LIMIT].encode(errors="replace").decode().strip()


def _place(tags: Mapping[int, Any]) -> dict[str, float]:
    """Return latitude, longitude and altitude (Exif 3.0, 4.6.6)."""
    found = {}
    for name, at, ref, negative, limit in (("latitude", 2, 1, "S", 90), ("longitude", 4, 3, "W", 180)):
        parts = [_plain(one) for one in _listed(tags.get(at))]
        if len(parts) == 3 and all(isinstance(part, int | float) for part in parts):
            degrees = parts[0] + parts[1] / 60 + parts[2] / 3600
            if 0 <= degrees <= limit:
                found[name] = round(-degrees if _plain(tags.get(ref)) == negative else degrees, 7)
    height = _plain(tags.get(6))
    if isinstance(height, int | float):
        below = tags.get(5) in (1, b"\x01")
        found["altitude"] = -height if below else height
    return found


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, tuple | list) else []


def xmp(data: bytes) -> dict[str, Any]:
    """Return the properties by prefix and name; lists as lists. A document type is refused, so nothing expands."""
    text = data.rstrip(b"\0 \n\r\t")
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise Unreadable
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - no document type, so no entities
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise Unreadable from error
    found: dict[str, Any] = {}
    rdf = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
    for description in root.iter(f"{rdf}Description"):
        for name, value in description.attrib.items():
            if not name.startswith(rdf):
                found[_short(name)] = _text(value)
        for child in description:
            items = [_text(item.text or "") for item in child.iter(f"{rdf}li")][:TEXT_LIMIT]
            said: Any = items or _text(child.text or "")
            if said:
                found[_short(child.tag)] = said
        if len(found) > TAGS_LIMIT:
            break
    return dict(list(found.items())[:TAGS_LIMIT])


_PREFIXES = {
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://ns.adobe.com/xap/1.0/": "xmp",
    "http://ns.adobe.com/xap/1.0/rights/": "xmpRights",
    "http://ns.adobe.com/xap/1.0/mm/": "xmpMM",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://ns.adobe.com/tiff/1.0/": "tiff",
    "http://ns.adobe.com/exif/1.0/": "exif",
    "http://ns.adobe.com/lightroom/1.0/": "lr",
    "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/": "Iptc4xmpCore",
}
"""The prefixes that the standards give these namespaces."""


def _short(name: str) -> str:
    namespace, _, local = name.removeprefix("{").rpartition("}")
    return f"{_PREFIXES[namespace]}:{local}" if namespace in _PREFIXES else f"{namespace}{local}"[:TEXT_LIMIT]


_IPTC = {
    5: "title",
    15: "category",
    25: "keywords",
    55: "date",
    60: "time",
    80: "byline",
    90: "city",
    95: "province",
    101: "country",
    105: "headline",
    110: "credit",
    115: "source",
    116: "copyright",
    120: "caption",
}
"""Data sets of record 2 (IPTC-IIM 4.2, chapter 6)."""

_REPEATED = frozenset({"keywords", "byline"})


def iptc(data: bytes) -> dict[str, Any]:
    """Return the data sets of record 2 by their names."""
    body = _resource(data)
    sets: list[tuple[int, bytes]] = []
    is_utf8, at = False, 0
    while at + 5 <= len(body) and body[at] == 0x1C and len(sets) < TAGS_LIMIT:
        record, number, size = body[at + 1], body[at + 2], int.from_bytes(body[at + 3 : at + 5], "big")
        value = body[at + 5 : at + 5 + size]
        if size & 0x8000 or len(value) < size:
            raise Unreadable
        is_utf8 |= (record, number, value) == (1, 90, b"\x1b%G")
        if record == 2:
            sets.append((number, value))
        at += 5 + size
    found: dict[str, Any] = {}
    for number, value in sets:
        if name := _IPTC.get(number):
            text = _text(value.decode("utf-8", "replace") if is_utf8 else _guessed(value))
            if name in _REPEATED:
                found.setdefault(name, []).append(text)
            else:
                found.setdefault(name, text)
    return found


def _guessed(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _resource(data: bytes) -> bytes:
    """Return IPTC's block among Photoshop's resources, or the data themselves where they are no such list."""
    at = data.find(b"8BIM")
    if at < 0:
        return data
    while data[at : at + 4] == b"8BIM":
        kind = int.from_bytes(data[at + 4 : at + 6], "big")
        name_bytes = data[at + 6] + 1 if len(data) > at + 6 else 1
        start = at + 6 + name_bytes + name_bytes % 2
        size = int.from_bytes(data[start : start + 4], "big")
        if kind == 0x0404:
            return data[start + 4 : start + 4 + size]
        at = start + 4 + size + size % 2
    return b""


def icc(data: bytes) -> dict[str, Any]:
    """Return the profile's colour space and the name that it gives itself (ICC.1, 7.2 and 9.2.41)."""
    if len(data) < 132:
        raise Unreadable
    found = {"space": _text(data[16:20].decode("latin-1"))}
    for number in range(min(int.from_bytes(data[128:132], "big"), TAGS_LIMIT)):
        entry = data[132 + 12 * number : 144 + 12 * number]
        if entry[:4] == b"desc" and len(entry) == 12:
            start, size = struct.unpack(">II", entry[4:])
            if name := _described(data[start : start + min(size, 1 << 16)]):
                found["name"] = name
            break
    return found


def _described(data: bytes) -> str:
    """Return the text of a `desc` (version 2) or `mluc` (version 4) value."""
    if data[:4] == b"desc":
        size = int.from_bytes(data[8:12], "big")
        return _text(data[12 : 12 + size].decode("latin-1"))
    if data[:4] == b"mluc" and len(data) >= 28:
        size, start = struct.unpack(">II", data[20:28])
        return _text(data[start : start + size].decode("utf-16-be", "replace"))
    return ""
