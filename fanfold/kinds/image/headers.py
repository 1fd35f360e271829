"""What an image's header says, by ranged reads: its size, before anything is decoded. Standard library only.

At most `HEAD_LIMIT_BYTES` are read, in few requests, whatever the header claims.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from fanfold.errors import BrokenImage, NotAnImage
from fanfold.kinds.image.formats import Format, format_of, named
from fanfold.kinds.image.tiff.reading import HEIGHT, WIDTH, Form, numbers
from fanfold.model import Source

READ_BYTES = 64 << 10
HEAD_LIMIT_BYTES = 1 << 20
IFDS_LIMIT = 4096
"""The most pages of a TIFF that are counted."""

NAMED_PAGES = 100
"""The most pages of a TIFF whose sizes are told."""

ENTRIES_LIMIT = 4096
"""The most tags of a TIFF's page."""

BOXES_LIMIT = 4096
"""The most boxes of a HEIF header."""


@dataclass(frozen=True, slots=True)
class Header:
    """What is known of an image before it is decoded."""

    format: Format
    width: int
    height: int
    """As stored: an orientation may turn them."""
    pages: int = 1
    """The pages of a TIFF; frames of an animation are counted when it is decoded."""
    other_pages: Sequence[Sequence[int]] = ()
    """Width and height of the pages of a TIFF behind the first, so many as are named."""
    streams: bool = True
    """Whether it is decoded from the top down, a few rows at a time; else all of its pixels are in memory at once."""

    @property
    def pixels(self) -> int:
        return self.width * self.height

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class Reader:
    """Small reads at any place, served from few larger ones."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._blocks: dict[int, bytes] = {}

    @property
    def size_bytes(self) -> int:
        return self._source.size_bytes

    def read(self, start: int, count: int) -> bytes:
        """Return `count` bytes from `start`; raise BrokenImage where the object ends before, or too much was read."""
        found = b""
        for number in range(start // READ_BYTES, -(-(start + count) // READ_BYTES)):
            found += self._block(number)
        begin = start % READ_BYTES
        if len(found) < begin + count:
            raise BrokenImage(
                f"the header ends too early: it goes on to byte {start + count:,}, the object has {self.size_bytes:,}"
            )
        return found[begin : begin + count]

    def _block(self, number: int) -> bytes:
        if number not in self._blocks:
            if len(self._blocks) * READ_BYTES >= HEAD_LIMIT_BYTES:
                raise BrokenImage(f"the header is larger than {HEAD_LIMIT_BYTES:,} bytes, or scattered more widely")
            start = number * READ_BYTES
            self._blocks[number] = self._source.read(start, start + READ_BYTES) if start < self.size_bytes else b""
        return self._blocks[number]


def read_header(source: Source) -> Header:
    """Read an image's header. Raises NotAnImage and BrokenImage."""
    reader = Reader(source)
    head = reader.read(0, min(4096, source.size_bytes))
    match format_of(head):
        case None:
            raise NotAnImage(f"the object is {named(head)}; what is read is JPEG, PNG, TIFF, WebP, GIF, AVIF and HEIC")
        case "jpeg":
            header = _jpeg(reader)
        case "png":
            width, height, interlace = struct.unpack(">II4xB", reader.read(16, 13))
            header = Header("png", width, height, streams=interlace == 0)
        case "gif":
            width, height = struct.unpack("<HH", reader.read(6, 4))
            header = Header("gif", width, height, streams=False)
        case "webp":
            header = _webp(reader)
        case "tiff":
            header = _tiff(reader)
        case "avif" | "heic" as name:
            header = _heif(reader, name)
    if not header.width or not header.height:
        raise BrokenImage(f"the {header.format} header says {header.width} × {header.height} pixels")
    return header


_SEQUENTIAL = (0xC0, 0xC1, 0xC9)
"""Frame headers of JPEGs whose scans go over the image once (ITU-T T.81, table B.1)."""


def _jpeg(reader: Reader) -> Header:
    """Walk the markers to the frame header (ITU-T T.81, B.2.2)."""
    at = 2
    while True:
        lead, code = reader.read(at, 2)
        if lead != 0xFF or code in (0x00, 0xFF):
            at += 1  # what is no marker is passed over, as decoders do
            continue
        if code == 0x01 or 0xD0 <= code <= 0xD8:
            at += 2
            continue
        if code in (0xD9, 0xDA):
            raise BrokenImage(f"the JPEG has no frame header before byte {at:,}")
        if 0xC0 <= code <= 0xCF and code not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", reader.read(at + 5, 4))
            return Header("jpeg", width, height, streams=code in _SEQUENTIAL)
        at += 2 + max(2, int.from_bytes(reader.read(at + 2, 2), "big"))


def _webp(reader: Reader) -> Header:
    """Read the first chunk (RFC 9649, 2.5 to 2.7)."""
    head = reader.read(12, 18)
    match head[:4]:
        case b"VP8X":
            width, height = (int.from_bytes(head[at : at + 3], "little") + 1 for at in (12, 15))
            return Header("webp", width, height, streams=False)
        case b"VP8 ":
            width, height = struct.unpack("<HH", head[14:18])
            return Header("webp", width & 0x3FFF, height & 0x3FFF, streams=False)
        case b"VP8L":
            bits = int.from_bytes(head[9:13], "little")
            return Header("webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, streams=False)
        case other:
            raise BrokenImage(f"the WebP begins with the chunk {other!r}; it must be VP8, VP8L or VP8X")


def _tiff(reader: Reader) -> Header:
    """Read the first page's size and count the pages (TIFF 6.0, section 2; BigTIFF)."""
    form = Form.read(reader.read)
    at = form.offset(reader.read, form.first_at)
    seen: set[int] = set()
    sizes: list[tuple[int, int]] = []
    while at:
        if at in seen:
            raise BrokenImage(f"the TIFF's directories are a loop: the one at byte {at:,} follows itself")
        if len(seen) == IFDS_LIMIT:
            raise BrokenImage(f"the TIFF has more than {IFDS_LIMIT:,} directories")
        count = form.count(reader.read, at)
        if not 1 <= count <= ENTRIES_LIMIT:
            raise BrokenImage(f"the TIFF's directory at byte {at:,} has {count:,} tags; the limit is {ENTRIES_LIMIT:,}")
        entries, following = form.entries(reader.read, at, count)
        if len(sizes) <= NAMED_PAGES:
            sides = {}
            for entry in entries:
                if entry.tag in (WIDTH, HEIGHT) and entry.size_bytes <= 8:
                    value = numbers(form.order, entry.type, reader.read(entry.at, entry.size_bytes))
                    sides[entry.tag] = value[0] if value else 0
            sizes.append((sides.get(WIDTH, 0), sides.get(HEIGHT, 0)))
        seen.add(at)
        at = following
    if not sizes:
        raise BrokenImage("the TIFF has no directory")
    return Header("tiff", *sizes[0], pages=len(seen), other_pages=sizes[1:])


_CONTAINERS = {b"meta": 12, b"iprp": 8, b"ipco": 8}
"""The boxes on the way to the sizes, and the bytes before what is in them."""


def _heif(reader: Reader, name: Format) -> Header:
    """Find the largest size that an item declares (ISO/IEC 23008-12, 6.5.3): the primary one is no larger."""
    largest = (0, 0)
    at, stops = 0, [reader.size_bytes]
    for _ in range(BOXES_LIMIT):
        while stops and at >= stops[-1]:
            stops.pop()
        if not stops or (len(stops) == 1 and largest != (0, 0)):
            return Header(name, largest[0], largest[1], streams=False)
        size, box = struct.unpack(">I4s", reader.read(at, 8))
        if size == 1:
            (size,) = struct.unpack(">Q", reader.read(at + 8, 8))
        stop = at + size if size else stops[-1]
        if size and (size < 8 or stop > stops[-1]):
            raise BrokenImage(f"the box {box!r} at byte {at:,} goes on to byte {stop:,}, behind what it is in")
        if box == b"ispe":
            found: tuple[int, int] = struct.unpack(">II", reader.read(at + 12, 8))
            largest = max(largest, found, key=lambda sides: sides[0] * sides[1])
        if box in _CONTAINERS and size != 1:
            stops.append(stop)
            at += _CONTAINERS[box]
        else:
            at = stop
    raise BrokenImage(f"the header has more than {BOXES_LIMIT:,} boxes")
