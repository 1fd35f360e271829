"""zstd, frame by frame: where a frame ends is told by its blocks' headers, and what it holds by Arrow's codec.

Frame, block and checksum: RFC 8878, sections 3.1.1 and 3.1.2.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from fanfold.kinds.table.opening.containers import OUT_BYTES, Break
from fanfold.kinds.table.opening.feed import Feed

FRAME = b"\x28\xb5\x2f\xfd"

BLOCK_MAX_BYTES = 128 << 10

WINDOW_LIMIT_BYTES = 128 << 20
"""What a frame may ask a decoder to remember; the `zstd` command asks for more under `--long` above 27 alone."""

_RAW, _RUN, _COMPRESSED = 0, 1, 2


def inflate(feed: Feed) -> Iterator[bytes]:
    """Yield what one frame inflates to, and leave the feed behind it; raise Break."""
    if feed.peek(4) != FRAME:
        _skip(feed)
        return
    begins = feed.position
    blocks = _Blocks(feed)
    stream = pa.CompressedInputStream(pa.PythonFile(blocks, mode="r"), "zstd")
    while True:
        try:
            made = stream.read(OUT_BYTES)
        except OSError as error:
            raise Break(begins, f"the frame does not inflate ({str(error).rpartition(': ')[2]})") from error
        if not made:
            break
        yield made
    blocks.finish()


def _skip(feed: Feed) -> None:
    begins = feed.position
    header = feed.take(8)
    size = int.from_bytes(header[4:], "little")
    if len(header) < 8 or feed.position + size > feed.size_bytes:
        raise Break(begins, "the data ends in the middle of a skippable frame", ends=True)
    feed.skip(size)


class _Blocks:
    """The bytes of one frame, as a file that Arrow reads; what lies behind the frame is never asked for."""

    closed = False

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._pieces = _pieces(feed)
        self._held = b""

    def read(self, count: int) -> bytes:
        while len(self._held) < count and (piece := next(self._pieces, b"")):
            self._held += piece
        found, self._held = self._held[:count], self._held[count:]
        return found

    def finish(self) -> None:
        """Go to the end of the frame, wherever the reader stopped asking."""
        for _ in self._pieces:
            pass

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True


def _taken(feed: Feed, count: int) -> bytes:
    at = feed.position
    found = feed.take(count)
    if len(found) < count:
        raise Break(at, "the data ends in the middle of a frame", ends=True)
    return found


def _pieces(feed: Feed) -> Iterator[bytes]:
    """Yield a frame's header, its blocks and its checksum, piece by piece."""
    begins = feed.position
    header = _taken(feed, 5)
    descriptor = header[4]
    single = bool(descriptor & 0x20)
    if descriptor & 0x08:
        raise Break(begins, "the frame's header sets a reserved bit")
    window = b"" if single else _taken(feed, 1)
    dictionary = _taken(feed, (0, 1, 2, 4)[descriptor & 3])
    size = _taken(feed, (1 if single else 0, 2, 4, 8)[descriptor >> 6])
    if int.from_bytes(dictionary, "little"):
        raise Break(begins, "the frame needs a dictionary, which is not in the object")
    needed = _window_bytes(window[0]) if window else int.from_bytes(size, "little")
    if needed > WINDOW_LIMIT_BYTES:
        raise Break(begins, f"the frame needs a window of {needed:,} bytes; the limit is {WINDOW_LIMIT_BYTES:,}")
    yield header + window + dictionary + size
    last = False
    while not last:
        at = feed.position
        head = _taken(feed, 3)
        block = int.from_bytes(head, "little")
        last, kind, length = bool(block & 1), block >> 1 & 3, block >> 3
        if kind not in (_RAW, _RUN, _COMPRESSED) or (kind != _RUN and length > BLOCK_MAX_BYTES):
            raise Break(at, "a block's header is not valid")
        yield head + _taken(feed, 1 if kind == _RUN else length)
    if descriptor & 0x04:
        yield _taken(feed, 4)


def _window_bytes(descriptor: int) -> int:
    base = 1 << (10 + (descriptor >> 3))
    return base + (base >> 3) * (descriptor & 7)
