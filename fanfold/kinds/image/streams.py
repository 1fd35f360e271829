"""Bytes that libvips asks for as it comes to them."""

from __future__ import annotations

from collections.abc import Callable

import pyvips

from fanfold.model import Source

READ_BYTES = 4 << 20
"""What is read of an object at once."""


class Stream:
    """Bytes by ranges, as a libvips source: a few blocks are kept, because decoders look back a little.

    An error while reading must not be taken for the end of the bytes, so it is kept, and `failed` raises it.
    """

    KEPT = 2

    def __init__(self, size_bytes: int, block: Callable[[int], tuple[int, bytes]]) -> None:
        """block: for any place, where the block begins that it lies in, and the block."""
        self._size_bytes = size_bytes
        self._block = block
        self._at = 0
        self._kept: list[tuple[int, bytes]] = [(0, b"")]
        self._error: Exception | None = None
        self.source = pyvips.SourceCustom()
        self.source.on_read(self._read)
        self.source.on_seek(self._seek)

    def failed(self) -> None:
        """Raise what went wrong while reading, if something did."""
        if self._error:
            raise self._error

    def read_all(self) -> bytes:
        """Return all bytes, for a decoder that takes no less."""
        found, at = [], 0
        while at < self._size_bytes:
            start, data = self._block(at)
            found.append(data)
            at = start + len(data)
        return b"".join(found)

    def _read(self, count: int) -> bytes:
        # libvips asks for 4 KiB at a time.
        start, data = self._kept[-1]
        if not start <= self._at < start + len(data):
            if self._error or self._at >= self._size_bytes:
                return b""
            try:
                start, data = self._find(self._at)
            except Exception as error:  # noqa: BLE001 - libvips calls this: what is raised here would be lost
                self._error = error
                return b""
        found = data[self._at - start : self._at - start + count]
        self._at += len(found)
        return found

    def _find(self, at: int) -> tuple[int, bytes]:
        """Return the block that a place lies in, which is the last of those that are kept then."""
        found = next((one for one in self._kept if one[0] <= at < one[0] + len(one[1])), None) or self._block(at)
        self._kept = [*(one for one in self._kept if one is not found), found][-self.KEPT :]
        return found

    def _seek(self, offset: int, whence: int) -> int:
        self._at = offset + (0, self._at, self._size_bytes)[whence]
        return self._at


def of_source(source: Source) -> Stream:
    """Return an object as a stream."""

    def block(at: int) -> tuple[int, bytes]:
        start = at // READ_BYTES * READ_BYTES
        return start, source.read(start, start + READ_BYTES)

    return Stream(source.size_bytes, block)
