"""Compressed files as the tools of the field write them, cut into units anywhere."""

from __future__ import annotations

import bz2
import gzip
import struct
import zlib
from collections.abc import Callable, Sequence

import zstandard

Cut = Sequence[bytes]
"""A text in pieces; each becomes a unit."""


def gzip_members(pieces: Cut) -> bytes:
    return b"".join(gzip.compress(piece, mtime=0) for piece in pieces)


def gzip_stored(pieces: Cut) -> bytes:
    """Without compression: what a piece holds stands in the file as it is."""
    return b"".join(gzip.compress(piece, 0, mtime=0) for piece in pieces)


def gzip_named(pieces: Cut) -> bytes:
    """With every optional field of RFC 1952, section 2.3: extra, name, comment, header checksum."""
    made = b""
    for piece in pieces:
        header = b"\x1f\x8b\x08\x1e\0\0\0\0\0\x03" + struct.pack("<H", 6) + b"AB\x02\0xy" + b"a.csv\0" + b"a comment\0"
        made += header + struct.pack("<H", zlib.crc32(header) & 0xFFFF) + _deflated(piece) + _trailer(piece)
    return made


def bgzf(pieces: Cut) -> bytes:
    """As bgzip writes it: blocks of at most 64 KiB with their size in an extra field, and an empty one at the end."""
    blocks = [piece[at : at + 60_000] for piece in pieces for at in range(0, len(piece), 60_000)]
    made = b""
    for block in [*blocks, b""]:
        body = _deflated(block) + _trailer(block)
        size = 12 + 6 + len(body) - 1
        made += b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\0BC\x02\0" + struct.pack("<H", size) + body
    return made


def _deflated(data: bytes) -> bytes:
    engine = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return engine.compress(data) + engine.flush()


def _trailer(data: bytes) -> bytes:
    return struct.pack("<II", zlib.crc32(data), len(data))


def bzip2_streams(pieces: Cut) -> bytes:
    return b"".join(bz2.compress(piece) for piece in pieces)


def zstd_frames(pieces: Cut) -> bytes:
    return b"".join(zstandard.ZstdCompressor().compress(piece) for piece in pieces)


def zstd_checked(pieces: Cut) -> bytes:
    """With a checksum and without the size of what a frame holds, as the `zstd` command writes a stream."""
    made = b""
    for piece in pieces:
        engine = zstandard.ZstdCompressor(write_checksum=True, write_content_size=False).compressobj()
        made += engine.compress(piece) + engine.flush()
    return made


def zstd_seekable(pieces: Cut) -> bytes:
    """With a skippable frame before, and the seekable format's table of frames behind."""
    frames = [zstandard.ZstdCompressor().compress(piece) for piece in pieces]
    entries = b"".join(struct.pack("<II", len(frame), len(piece)) for frame, piece in zip(frames, pieces, strict=True))
    table = entries + struct.pack("<IBI", len(frames), 0, 0x8F92EAB1)
    note = b"\x50\x2a\x4d\x18" + struct.pack("<I", 5) + b"hello"
    return note + b"".join(frames) + b"\x5e\x2a\x4d\x18" + struct.pack("<I", len(table)) + table


WRITERS: dict[str, Callable[[Cut], bytes]] = {
    write.__name__: write
    for write in (
        gzip_members,
        gzip_stored,
        gzip_named,
        bgzf,
        bzip2_streams,
        zstd_frames,
        zstd_checked,
        zstd_seekable,
    )
}
