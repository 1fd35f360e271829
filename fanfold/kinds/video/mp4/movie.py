"""The index of an MP4 or QuickTime file, by ranged reads: every sample's place, size and time, and no sample.

ISO/IEC 14496-12: `moov` (8.2), sample tables (8.5 to 8.7), edit lists (8.6.6). What lies in fragments is read by
`fragments`.
"""

from __future__ import annotations

import struct
import sys
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, repeat, takewhile

from fanfold.errors import BrokenVideo, ProtectedVideo, UnsupportedVideo
from fanfold.kinds.video import pcm
from fanfold.kinds.video.mp4.boxes import find, walk
from fanfold.kinds.video.mp4.counting import PCM_SAMPLES, Count, check
from fanfold.model import Source

MOOV_LIMIT_BYTES = 192 << 20
"""The largest index that is read: some 60 hours."""

TOP_LIMIT = 200_000
"""The most boxes at the top of a file: two for each fragment."""

_PROTECTED = frozenset({b"encv", b"enca", b"enct", b"encs", b"drmi", b"drms"})
"""Sample entries of what is encrypted (ISO/IEC 23001-7), and of what Apple has encrypted."""


@dataclass(slots=True)
class Track:
    """One track: what its samples are, and where."""

    id: int
    handler: bytes
    timescale: int
    """Ticks a second."""
    entry: bytes
    """The sample entry, as a box: codec and its configuration (8.5.2)."""
    matrix: bytes
    """How it is turned for display (8.3.2.3): 36 bytes."""
    shift: int
    """What is added to a composition time to place it on the presentation's timeline."""
    begins: int | None
    """Where on that timeline the track begins to be presented, in ticks: what is earlier is only decoded."""
    ends: int | None
    """Where it ends to be; None: with its last sample."""
    offsets: array[int] = field(default_factory=lambda: array("Q"))
    sizes: array[int] = field(default_factory=lambda: array("Q"))
    dts: array[int] = field(default_factory=lambda: array("q"))
    pts: array[int] = field(default_factory=lambda: array("q"))
    """On the presentation's timeline."""
    keys: array[int] = field(default_factory=lambda: array("Q"))
    """The numbers of the samples that can be decoded without any before them."""
    end: int = 0
    """The decoding time behind the last sample."""

    @property
    def format(self) -> bytes:
        return self.entry[4:8]

    @property
    def shown(self) -> int:
        """How many pictures are shown: what is due with another is only decoded for it."""
        return len(set(self.pts))

    def __len__(self) -> int:
        return len(self.pts)

    def drop(self, lost: Sequence[int]) -> None:
        """Leave out samples, of which none is a keyframe; `lost` is in order."""
        for at in reversed(lost):
            for table in (self.offsets, self.sizes, self.dts, self.pts):
                del table[at]
        self.keys = array("Q", (key - bisect_left(lost, key) for key in self.keys))


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a track's fragments leave out (8.8.3)."""

    duration: int
    size: int
    flags: int


@dataclass(frozen=True, slots=True)
class Head:
    """What a file is made of."""

    moov: bytes
    body: tuple[int, int]
    """Where the body of `moov` begins and ends."""
    fragments: list[tuple[int, int]]
    """Where each `moof` lies: its start and end."""
    count: Count


@dataclass(slots=True)
class Movie:
    """The index of a file."""

    tracks: list[Track]
    fragments: list[tuple[int, int]]
    """Where each `moof` lies: its start and end."""
    defaults: dict[int, Defaults]
    count: Count


def read_movie(source: Source) -> Movie:
    """Read the index of a file. Raises BrokenVideo, ProtectedVideo, UnsupportedVideo."""
    return movie_of(read_head(source))


def read_head(source: Source) -> Head:
    """Find what a file is made of, and count its samples before one is read. Raises BrokenVideo, UnsupportedVideo."""
    moov, fragments = _top(source)
    moov = _inflated(moov)
    body = find(moov, "moov")
    assert body is not None
    count = Count(source.size_bytes)
    check(moov, *body, count)
    return Head(moov, body, fragments, count)


def movie_of(head: Head) -> Movie:
    """Read the index that a file begins with, or has in one piece. Raises what `read_movie` does."""
    moov, body = head.moov, head.body
    movie_scale = _movie_scale(moov, *body)
    tracks, defaults = [], {}
    for name, start, stop in walk(moov, *body):
        if name == b"trak":
            tracks.append(_track(moov, start, stop, movie_scale))
        elif name == b"mvex":
            for inner, at, end in walk(moov, start, stop):
                if inner == b"trex":
                    if end - at < 24:
                        raise BrokenVideo("the index ends within what its fragments leave out (`trex`)")
                    number, _, duration, size, flags = struct.unpack_from(">5I", moov, at + 4)
                    defaults[number] = Defaults(duration, size, flags)
    return Movie([track for track in tracks if track is not None], head.fragments, defaults, head.count)


def _top(source: Source) -> tuple[bytes, list[tuple[int, int]]]:
    """Walk the boxes at the top; return `moov`, and the places of the fragments."""
    size_bytes = source.size_bytes
    at, moov = 0, b""
    fragments = []
    for _ in range(TOP_LIMIT):
        if at >= size_bytes:
            break
        header = source.read(at, at + 16)
        if len(header) < 8:
            break  # a few bytes behind the last box are no box, and do no harm
        size, name = struct.unpack_from(">I4s", header)
        if size == 1 and len(header) == 16:
            (size,) = struct.unpack_from(">Q", header, 8)
        elif size == 0:
            size = size_bytes - at
        if size < 8:
            raise BrokenVideo(f"the box at byte {at:,} claims {size:,} bytes; a box has at least 8")
        if at + size > size_bytes:
            raise BrokenVideo(
                f"the box {name.decode('latin-1')!r} at byte {at:,} goes on to byte {at + size:,}; "
                f"the object ends at byte {size_bytes:,}"
            )
        if name == b"moov" and not moov:
            if size > MOOV_LIMIT_BYTES:
                raise BrokenVideo(f"the index has {size:,} bytes; at most {MOOV_LIMIT_BYTES:,} are read")
            moov = source.read(at, at + size)
        elif name == b"moof":
            fragments.append((at, at + size))
        at += size
    else:
        raise BrokenVideo(f"the object has more than {TOP_LIMIT:,} boxes at its top")
    if not moov:
        raise BrokenVideo("the object has no index (`moov`): its recording or its upload was cut off")
    return moov, fragments


def _inflated(moov: bytes) -> bytes:
    """Return the index as it is before QuickTime compresses it (QuickTime File Format, Compressed Movie Resources)."""
    found = find(moov, "moov/cmov/cmvd")
    if found is None:
        return moov
    try:
        inflated = zlib.decompressobj().decompress(moov[found[0] + 4 : found[1]], MOOV_LIMIT_BYTES)
    except zlib.error as error:
        raise BrokenVideo(f"the compressed index breaks: {error}") from error
    if find(inflated, "moov") is None:
        raise BrokenVideo("the compressed index is none")
    return inflated


def _movie_scale(moov: bytes, start: int, stop: int) -> int:
    found = find(moov, "mvhd", start, stop)
    if found is None:
        raise BrokenVideo("the index has no movie header (`mvhd`)")
    version = moov[found[0]]
    return int(_unpack(">I", moov, found[0] + (20 if version == 1 else 12))) or 1


def _unpack(form: str, data: bytes, at: int) -> int:
    try:
        return int(struct.unpack_from(form, data, at)[0])
    except struct.error as error:
        raise BrokenVideo(f"the index ends within a field, at its byte {at:,}") from error


def _track(moov: bytes, start: int, stop: int, movie_scale: int) -> Track | None:
    """Read one track; None where it is neither seen, heard nor read."""
    handler_at, header = find(moov, "mdia/hdlr", start, stop), find(moov, "mdia/mdhd", start, stop)
    tkhd, table = find(moov, "tkhd", start, stop), find(moov, "mdia/minf/stbl", start, stop)
    if not (handler_at and header and tkhd and table):
        raise BrokenVideo("a track of the index lacks its header, handler or sample table")
    handler = moov[handler_at[0] + 8 : handler_at[0] + 12]
    timescale = _unpack(">I", moov, header[0] + (20 if moov[header[0]] == 1 else 12))
    wide = moov[tkhd[0]] == 1
    number = _unpack(">I", moov, tkhd[0] + (20 if wide else 12))
    matrix_at = tkhd[0] + (52 if wide else 40)
    if handler not in (b"vide", b"soun", b"text", b"sbtl", b"subt", b"clcp"):
        return None
    if not timescale:
        raise BrokenVideo(f"track {number} has 0 ticks a second")
    entry = _entry(moov, *table, number)
    if entry[4:8] in _PROTECTED:
        raise ProtectedVideo(f"track {number} is encrypted ({entry[4:8].decode('latin-1')}): it cannot be decoded")
    _refuse_references(moov, start, stop, number)
    shift, begins, ends = _edits(moov, start, stop, movie_scale, timescale, number)
    track = Track(number, handler, timescale, entry, moov[matrix_at : matrix_at + 36], shift, begins, ends)
    try:
        _fill(track, moov, *table)
    except (struct.error, OverflowError) as error:
        raise BrokenVideo(f"a sample table of track {number} contradicts itself") from error
    return track


def _entry(moov: bytes, start: int, stop: int, number: int) -> bytes:
    found = find(moov, "stsd", start, stop)
    if found is None:
        raise BrokenVideo(f"track {number} has no sample description")
    entries = [moov[body - 8 : end] for _, body, end in walk(moov, found[0] + 8, found[1])]
    if not entries:
        raise BrokenVideo(f"track {number} has no sample description")
    if len(entries) > 1:
        raise UnsupportedVideo(f"track {number} changes its format {len(entries) - 1} times; one format is read")
    return entries[0]


def _refuse_references(moov: bytes, start: int, stop: int, number: int) -> None:
    """Refuse a track whose samples are said to lie in another file (8.7.2)."""
    found = find(moov, "mdia/minf/dinf/dref", start, stop)
    if found is None:
        return
    for _, body, end in walk(moov, found[0] + 8, found[1]):
        if end - body >= 4 and not _unpack(">I", moov, body) & 1:
            raise UnsupportedVideo(f"the samples of track {number} are said to lie in another file")


def _edits(
    moov: bytes, start: int, stop: int, movie_scale: int, timescale: int, number: int
) -> tuple[int, int | None, int | None]:
    """Return what the edit list comes to: a shift, and where the track begins and ends to be presented."""
    found = find(moov, "edts/elst", start, stop)
    if found is None:
        return 0, None, None
    wide = moov[found[0]] == 1
    count = _unpack(">I", moov, found[0] + 4)
    step, form = (20, ">QqhH") if wide else (12, ">IihH")
    if count * step > found[1] - found[0] - 8:
        raise BrokenVideo(f"the edit list of track {number} claims {count:,} entries, and is shorter")
    edits = [struct.unpack_from(form, moov, found[0] + 8 + step * at) for at in range(count)]
    empty = [length for length, _, _, _ in takewhile(lambda edit: edit[1] == -1, edits)]
    edits = edits[len(empty) :]
    delay = _rescaled(sum(empty), movie_scale, timescale)
    if not edits:
        return delay, None, None
    if len(edits) > 1 or edits[0][2:] != (1, 0):
        raise UnsupportedVideo(f"the edit list of track {number} cuts or slows the track; one plain edit is read")
    length, media_time = edits[0][:2]
    ends = delay + _rescaled(length, movie_scale, timescale) if length else None
    return delay - media_time, delay, ends


def _rescaled(ticks: int, scale: int, timescale: int) -> int:
    """Return ticks in another scale, to the nearest."""
    return (ticks * timescale * 2 + scale) // (2 * scale)


def _fill(track: Track, moov: bytes, start: int, stop: int) -> None:
    """Read the sample tables (8.6.1, 8.7)."""
    tables = {name: (body, end) for name, body, end in walk(moov, start, stop)}
    if b"stsz" not in tables or not tables.keys() & {b"stco", b"co64"}:
        if b"stsz" in tables or b"stz2" not in tables:
            raise BrokenVideo(f"track {track.id} does not say where its samples are")
        raise UnsupportedVideo(f"track {track.id} has compact sample sizes (`stz2`), which are not read")
    at, end = tables[b"stsz"]
    fixed, count = struct.unpack_from(">II", moov, at + 4)
    if not count:
        return
    if not fixed and (end - at - 12) // 4 < count:
        raise BrokenVideo(f"track {track.id} claims {count:,} samples, and has {(end - at - 12) // 4:,} sizes")
    chunks = _chunks(moov, tables, count, track.id)
    if fixed and track.format in pcm.ENTRIES:
        # Old writers say 1 for the size, and mean it as little as libavformat believes it.
        _fill_pcm(track, chunks, pcm.frame_bytes(track.entry) or fixed, moov, tables)
        return
    track.sizes = array("Q", repeat(fixed, count) if fixed else _numbers("I", moov, at + 12, count))
    sizes = iter(track.sizes)
    for offset, samples in chunks:
        for size in islice(sizes, samples):
            track.offsets.append(offset)
            offset += size
    durations = _runs(moov, tables.get(b"stts"), ">II", count)
    dts = 0
    for duration in durations:
        track.dts.append(dts)
        dts += duration
    track.end = dts
    offsets = _runs(moov, tables.get(b"ctts"), ">Ii", count) if b"ctts" in tables else repeat(0, count)
    track.pts = array("q", (at + offset + track.shift for at, offset in zip(track.dts, offsets, strict=True)))
    if b"stss" in tables and track.handler == b"vide":
        at, end = tables[b"stss"]
        keys = min(_unpack(">I", moov, at + 4), (end - at - 8) // 4)
        track.keys = array("Q", (key - 1 for key in _numbers("I", moov, at + 8, keys) if 0 < key <= count))
    else:
        track.keys = array("Q", range(count))


def _numbers(form: str, moov: bytes, at: int, count: int) -> array[int]:
    """Return a table of whole numbers, as wide as `form` says."""
    found = array(form)
    found.frombytes(moov[at : at + count * found.itemsize])
    if sys.byteorder == "little":
        found.byteswap()
    return found


def _chunks(moov: bytes, tables: dict[bytes, tuple[int, int]], count: int, number: int) -> Iterator[tuple[int, int]]:
    """Yield of each chunk where it begins, and how many samples it has."""
    name, width = (b"co64", "Q") if b"co64" in tables else (b"stco", "I")
    at, end = tables[name]
    chunks = _unpack(">I", moov, at + 4)
    if chunks > (end - at - 8) // struct.calcsize(">" + width):
        raise BrokenVideo(f"track {number} claims {chunks:,} chunks, and has fewer")
    offsets = _numbers(width, moov, at + 8, chunks)
    if b"stsc" not in tables:
        raise BrokenVideo(f"track {number} does not say which samples its chunks have")
    at, end = tables[b"stsc"]
    runs = min(_unpack(">I", moov, at + 4), (end - at - 8) // 12)
    following = struct.iter_unpack(">III", moov[at + 8 : at + 8 + 12 * max(runs, 0)])
    first, samples_each, _ = next(following, (0, 0, 0))
    if first != 1:
        raise BrokenVideo(f"track {number} does not say which samples its chunks have")
    coming, left = next(following, None), count
    for chunk, offset in enumerate(offsets, start=1):
        while coming and coming[0] <= chunk:
            samples_each, coming = coming[1], next(following, None)
        samples = min(left, samples_each)
        if samples:
            yield offset, samples
        left -= samples
        if not left:
            return
    raise BrokenVideo(f"the chunks of track {number} have {left:,} samples fewer than it claims")


def _runs(moov: bytes, table: tuple[int, int] | None, form: str, count: int) -> Iterator[int]:
    """Yield the value of each sample from a table of runs (`stts`, `ctts`); the last one goes on where it is short."""
    value = 0
    if table is not None:
        at, end = table
        runs = min(_unpack(">I", moov, at + 4), (end - at - 8) // 8)
        for run in range(runs):
            samples, value = struct.unpack_from(form, moov, at + 8 + 8 * run)
            yield from repeat(value, min(samples, count))
            count -= min(samples, count)
    yield from repeat(value, count)


def _fill_pcm(
    track: Track,
    chunks: Iterator[tuple[int, int]],
    size: int,
    moov: bytes,
    tables: dict[bytes, tuple[int, int]],
) -> None:
    """Take samples of uncompressed sound, which are a few bytes, by the thousand."""
    tick = next(_runs(moov, tables.get(b"stts"), ">II", 1))
    dts = 0
    for offset, count in chunks:
        for first in range(0, count, PCM_SAMPLES):
            samples = min(PCM_SAMPLES, count - first)
            track.offsets.append(offset + first * size)
            track.sizes.append(samples * size)
            track.dts.append(dts)
            dts += samples * tick
    track.end = dts
    track.pts = array("q", (at + track.shift for at in track.dts))
    track.keys = array("Q", range(len(track.dts)))
