"""Compressed data as a chain of units: how one begins, how a search finds one, and how one is inflated.

Standard library only, but for zstd: the intake function, which has no codec, asks here what an object is.
"""

from __future__ import annotations

import bz2
import re
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Protocol

from fanfold.kinds.held import Held
from fanfold.kinds.table.opening.feed import Feed
from fanfold.model import Source

IN_BYTES, OUT_BYTES = 64 << 10, 4 << 20
"""How much is given to a codec at once, and how much it gives at once: a bomb is met in small steps."""


class Break(Exception):
    """Compressed data ends or breaks where it should go on."""

    def __init__(self, position: int, reason: str, *, ends: bool = False) -> None:
        super().__init__(reason)
        self.position = position
        self.reason = reason
        self.ends = ends
        """True where nothing is wrong but that the data ends."""


class Container(Protocol):
    """One format of compressed data."""

    name: str
    unit: str
    """What the format calls its units."""
    begins: re.Pattern[bytes]
    """Matches where a unit begins, at a place where one must."""
    likely: re.Pattern[bytes]
    """Finds where one is likely to begin, among any bytes."""

    def inflate(self, feed: Feed) -> Iterator[bytes]:
        """Yield what one unit inflates to, and leave the feed behind it; raise Break."""
        ...


class Gzip:
    """RFC 1952. A unit is a member; BGZF, which bgzip writes, is a chain of small ones."""

    name, unit = "gzip", "member"
    begins = re.compile(rb"\x1f\x8b")
    # Deflate; no reserved flag; any time; a level and a system that are in use.
    likely = re.compile(rb"\x1f\x8b\x08[\0-\x1f].{4}[\0\x02\x04][\0-\x0d\xff]", re.DOTALL)

    def inflate(self, feed: Feed) -> Iterator[bytes]:
        engine = zlib.decompressobj(16 + zlib.MAX_WBITS)
        while not engine.eof:
            begins = feed.position
            data = feed.take(IN_BYTES)
            if not data:
                raise Break(begins, "the data ends in the middle of a member", ends=True)
            while True:
                try:
                    made = engine.decompress(data, OUT_BYTES)
                except zlib.error as error:
                    raise Break(begins, str(error).partition(": ")[2] or str(error)) from error
                if made:
                    yield made
                data = engine.unconsumed_tail
                if engine.eof or (not data and len(made) < OUT_BYTES):
                    break
        feed.give_back(len(engine.unused_data))


class Bzip2:
    """A unit is a stream; pbzip2 and lbzip2 write many, bzip2 one."""

    name, unit = "bzip2", "stream"
    begins = re.compile(rb"BZh")
    # The level; then what begins a block, or an empty stream's end.
    likely = re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)")

    def inflate(self, feed: Feed) -> Iterator[bytes]:
        engine = bz2.BZ2Decompressor()
        begins = feed.position
        while not engine.eof:
            data = b""
            if engine.needs_input:
                begins = feed.position
                data = feed.take(IN_BYTES)
                if not data:
                    raise Break(begins, "the data ends in the middle of a stream", ends=True)
            try:
                made = engine.decompress(data, OUT_BYTES)
            except (OSError, ValueError) as error:
                raise Break(begins, str(error)[:1].lower() + str(error)[1:]) from error
            if made:
                yield made
        feed.give_back(len(engine.unused_data))


class Zstd:
    """RFC 8878. A unit is a frame; skippable frames, a seek table among them, inflate to nothing."""

    name, unit = "zstd", "frame"
    begins = likely = re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")

    def inflate(self, feed: Feed) -> Iterator[bytes]:
        from fanfold.kinds.table.opening.zstd_frames import inflate

        return inflate(feed)


CONTAINERS: dict[str, Container] = {made.name: made for made in (Gzip(), Bzip2(), Zstd())}

ENDINGS = (".gz", ".bgz", ".bz2", ".zst", ".zstd")


def of(head: bytes) -> Container | None:
    """Return the container of an object that begins with `head`, None where it is not compressed."""
    return next((found for found in CONTAINERS.values() if found.likely.match(head)), None)


def beginning(container: Container, head: bytes, count: int) -> bytes:
    """Return up to about `count` bytes of what an object that begins with `head` inflates to: what `head` tells."""
    feed = Feed(Held(head), 0)
    made = bytearray()
    with suppress(Break):
        while len(made) < count and container.begins.match(feed.peek(4)):
            for data in container.inflate(feed):
                made += data
                if len(made) >= count:
                    break
    return bytes(made[:count])


def holds(container: Container, data: bytes, at: int, count: int) -> bool:
    """Tell whether a unit begins in `data` at a place, by about the first `count` bytes that it inflates to."""
    source: Source = Held(data)
    feed = Feed(source, at)
    made = 0
    try:
        for piece in container.inflate(feed):
            made += len(piece)
            if made >= count:
                return True
    except Break as found:
        return found.ends
    return not feed.peek(1) or container.begins.match(feed.peek(4)) is not None or not feed.peek(4).strip(b"\0")
