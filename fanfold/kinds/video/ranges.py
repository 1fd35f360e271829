"""An object as a file for libavformat: every read is a ranged one, and what was read is kept a while."""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

import av
from av.container import InputContainer

from fanfold.errors import BrokenVideo, EmptyObject, NotAVideo
from fanfold.kinds.video.formats import DEMUXERS, Container, container_of, named
from fanfold.model import Source

HEAD_BYTES = 4096
BLOCK_BYTES = 64 << 10
KEPT_BYTES = 32 << 20

# Its callback into Python holds the lock that threads of a decoder wait for at the end of the process.
av.logging.restore_default_callback()
av.logging.set_libav_level(av.logging.PANIC)


class Kept:
    """A source whose blocks are kept once they were read: what is asked for twice is read once."""

    def __init__(self, source: Source, block_bytes: int = BLOCK_BYTES) -> None:
        self._source = source
        self._block_bytes = block_bytes
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self.prefix = 0
        """How far it was asked for from its beginning on, without a gap."""

    @property
    def size_bytes(self) -> int:
        return self._source.size_bytes

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes in [start, stop), cut at the end; neighbours that are not kept come in one request."""
        stop = min(stop, self.size_bytes)
        if start >= stop:
            return b""
        if start <= self.prefix:
            self.prefix = max(self.prefix, stop)
        first, last = start // self._block_bytes, -(-stop // self._block_bytes)
        missing = [number for number in range(first, last) if number not in self._blocks]
        if missing:
            self._fetch(missing[0], missing[-1] + 1)
        found = b"".join(self._blocks[number] for number in range(first, last))
        for number in list(self._blocks)[: max(0, len(self._blocks) - KEPT_BYTES // self._block_bytes)]:
            del self._blocks[number]
        begin = start - first * self._block_bytes
        return found[begin : begin + stop - start]

    def _fetch(self, first: int, last: int) -> None:
        data = self._source.read(first * self._block_bytes, last * self._block_bytes)
        for number in range(first, last):
            begin = (number - first) * self._block_bytes
            self._blocks[number] = data[begin : begin + self._block_bytes]


class RangedFile(io.RawIOBase):
    """A source as a file."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._source.size_bytes}[whence]
        self._at = max(0, base + offset)
        return self._at

    def read(self, size: int = -1) -> bytes:
        stop = self._source.size_bytes if size < 0 else self._at + size
        data = self._source.read(self._at, stop)
        self._at += len(data)
        return data


def container(source: Source) -> Container:
    """Return the container of an object. Raises EmptyObject and NotAVideo."""
    if not source.size_bytes:
        raise EmptyObject("the object has 0 bytes")
    head = source.read(0, HEAD_BYTES)
    found = container_of(head)
    if found is None:
        raise NotAVideo(f"the object is {named(head)}; what is read is MP4, MOV, MKV, WebM, MPEG-TS and AVI")
    return found


def check_length(source: Source, form: Container) -> None:
    """Refuse an object that is shorter than its container says: its recording or its upload was cut off."""
    head = source.read(0, HEAD_BYTES)
    stop = None
    if form == "avi":
        stop = int.from_bytes(head[4:8], "little") + 8
    elif form == "matroska" and (at := head.find(b"\x18\x53\x80\x67")) >= 0:
        width = 9 - head[at + 4].bit_length()
        size = int.from_bytes(head[at + 4 : at + 4 + width], "big") & ((1 << 7 * width) - 1)
        # All ones: whoever wrote it did not know how long it would be (RFC 8794, 6.2).
        stop = at + 4 + width + size if size != (1 << 7 * width) - 1 else None
    if stop is not None and stop > source.size_bytes:
        raise BrokenVideo(
            f"the {form} container goes on to byte {stop:,}; the object ends at byte {source.size_bytes:,}"
        )


@contextmanager
def opened(
    source: Source, form: Container | None = None, probe_bytes: int | None = None, measures: bool = True
) -> Iterator[InputContainer]:
    """Open a video with the demuxer that its first bytes name: nothing else is tried, and nothing else is opened.

    `probe_bytes`: how many bytes of packets are looked at, None for as many as libavformat thinks right; `measures`:
    whether its end is, where nothing else says how long it is. Raises EmptyObject, NotAVideo, BrokenVideo.
    """
    form = form or container(source)
    options = {"format_whitelist": DEMUXERS[form], "protocol_whitelist": "none"}
    if probe_bytes:
        options["probesize"] = str(probe_bytes)
    if not measures:
        options["skip_estimate_duration_from_pts"] = "1"
    # An index is read here and there: what is read around each place is to be small.
    buffer_bytes = 4 << 10 if form == "mp4" else 32 << 10
    try:
        found = av.open(
            RangedFile(source),
            mode="r",
            format=DEMUXERS[form],
            options=options,
            buffer_size=buffer_bytes,
            metadata_errors="replace",
        )
    except av.error.FFmpegError as error:
        raise BrokenVideo(f"the {form} container cannot be read: {error.strerror}") from error
    with found:
        yield found
