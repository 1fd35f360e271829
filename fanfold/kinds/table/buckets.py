"""Rows for the index by a hash of their record's key, so that one worker meets all rows of a key.

Where a recipe names a sort key, two rows may have one key, and the later one is to stay. DynamoDB takes a condition
for one item at a time only; so all rows of a key go to one worker, which writes the last of them and no other.

A part writes its rows in blocks: where each bucket ends, in 8 bytes each, then the buckets. A row is its number in the
block, a space, and its line of JSON.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from fanfold.kinds.table.keyed import IndexRow, Key, key_of, rows_of
from fanfold.kinds.table.recipe import Index
from fanfold.model import Desk, Json, PartObject

BUCKET_BYTES = 16 << 20
"""How much of an object one bucket stands for: some tens of MB of JSON."""

BUCKETS_LIMIT = 512

BLOCK_BYTES = 32 << 20
"""How much JSON a part keeps in memory before it writes a block."""

READS_AT_ONCE = 8


def buckets_of(size_bytes: int, index: Index | None) -> int:
    """Return how many buckets an object's rows go to; 0 where every row has a key of its own."""
    if index is None or index.sort is None:
        return 0
    return max(1, min(BUCKETS_LIMIT, -(-size_bytes // BUCKET_BYTES)))


def bucket_of(key: Key, count: int) -> int:
    """Return the bucket of a key; the same wherever and whenever it is asked."""
    return zlib.crc32("\0".join(map(str, key)).encode("utf-8", "surrogatepass")) % count


class Buckets:
    """The rows of one part on their way to blocks."""

    def __init__(self, desk: Desk, index: Index, count: int) -> None:
        self._desk = desk
        self._index = index
        self._buckets: list[list[bytes]] = [[] for _ in range(count)]
        self._bytes = self._rows = 0
        self.rows: list[int] = []
        """How many rows each block stands for, with a key or without."""

    def add(self, lines: Sequence[bytes]) -> None:
        """Take rows as lines of JSON; those without a key are counted only."""
        count = len(self._buckets)
        for line, (row, _) in zip(lines, rows_of(lines), strict=True):
            if key := key_of(row, self._index):
                self._buckets[bucket_of(key, count)].append(b"%d %b" % (self._rows, line))
                self._bytes += len(line)
            self._rows += 1
            if self._bytes >= BLOCK_BYTES:
                self.finish()

    def finish(self) -> None:
        """Write what has not been written."""
        if not self._rows:
            return
        bodies = [b"".join(lines) for lines in self._buckets]
        stop = 0
        stops = [stop := stop + len(body) for body in bodies]
        head = struct.pack(f"<{len(stops)}Q", *stops)
        self._desk.write(block_name(len(self.rows)), head + b"".join(bodies))
        self.rows.append(self._rows)
        self._bytes = self._rows = 0
        for lines in self._buckets:
            lines.clear()


def block_name(number: int) -> str:
    """Return the name of a part's object that holds a block of rows."""
    return f"block-{number:05}"


@dataclass(frozen=True, slots=True)
class Block:
    """A block, and how many rows of the object come before it."""

    made: PartObject
    first: int

    def read(self, desk: Desk, bucket: int, count: int) -> bytes:
        """Return the rows of one bucket, in two ranged reads."""
        head_bytes = 8 * count
        stops = (0, *struct.unpack(f"<{count}Q", desk.read(self.made, 0, head_bytes)))
        start, stop = (head_bytes + at for at in stops[bucket : bucket + 2])
        return desk.read(self.made, start, stop) if stop > start else b""

    def span(self, rows: int) -> dict[str, Json]:
        """Return the span of a line that takes the block whole."""
        return {"key": self.made.key, "bytes": self.made.size_bytes, "first": self.first, "rows": rows}

    def to_json(self) -> Json:
        return [self.made.key, self.made.size_bytes, self.first]


def layout_of(blocks: Sequence[Block], count: int) -> Json:
    """Return the layout of an index round over buckets: which blocks there are."""
    return {"buckets": count, "blocks": [block.to_json() for block in blocks]}


def last_rows(desk: Desk, layout: Json, bucket: int, index: Index) -> Iterator[IndexRow]:
    """Yield the last row of every key of a bucket, from the end of the object to its beginning."""
    blocks = [Block(PartObject(key, size_bytes), first) for key, size_bytes, first in layout["blocks"]]
    seen: set[Key] = set()
    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        for stop in range(len(blocks), 0, -READS_AT_ONCE):
            some = blocks[max(0, stop - READS_AT_ONCE) : stop][::-1]
            found = pool.map(lambda block: block.read(desk, bucket, layout["buckets"]), some)
            for block, data in zip(some, found, strict=True):
                numbered = [line.split(b" ", 1) for line in reversed(data.split(b"\n")[:-1])]
                rows = rows_of([line for _, line in numbered])
                for (number, _), (row, is_plain) in zip(numbered, rows, strict=True):
                    key = key_of(row, index)
                    if key and key not in seen:
                        seen.add(key)
                        yield IndexRow(key, block.first + int(number), row, is_plain)
