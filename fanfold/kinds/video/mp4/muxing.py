"""The index of an MP4 or QuickTime file, made from what is known of its samples (ISO/IEC 14496-12)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby, pairwise
from math import lcm

from fanfold.kinds.video import pcm
from fanfold.kinds.video.mp4.boxes import box, full
from fanfold.kinds.video.mp4.entries import pixel_shape, shown_size
from fanfold.kinds.video.mp4.fragments import lateness
from fanfold.kinds.video.samples import Samples

IDENTITY = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)

UNDETERMINED = "und"

TITLE_LIMIT_BYTES = 1000
"""How long the title of a track is at most."""

_HANDLERS = {
    b"vide": (b"VideoHandler\0", b"vmhd", struct.pack(">4H", 0, 0, 0, 0), 1),
    b"soun": (b"SoundHandler\0", b"smhd", struct.pack(">HH", 0, 0), 0),
    b"text": (b"ChapterHandler\0", b"gmhd", b"", 0),
}


@dataclass(frozen=True, slots=True)
class Chunk:
    """Samples that lie one behind the other in the file."""

    samples: Samples
    at: int = 0
    """Where in the file; known once all else is."""


@dataclass(frozen=True, slots=True)
class MuxTrack:
    """A track to be written."""

    handler: bytes
    timescale: int
    entry: bytes
    """The sample entry, as a box."""
    chunks: Sequence[Chunk] = ()
    """In the order in which they are decoded; none in the head of a fragmented file."""
    origin: int = 0
    """The time of the track, in its ticks, at which the presentation begins."""
    begins: int | None = None
    """What is shown or heard of it begins here, in its ticks; None: with its first sample."""
    ends: int | None = None
    """And ends here; None: with its last one."""
    language: str = UNDETERMINED
    """ISO 639-2/T."""
    matrix: bytes = IDENTITY
    chapters: int = 0
    """The track that holds the chapters' titles, if there is one."""
    enabled: bool = True
    title: str = ""


def language_code(language: str) -> int:
    """Return a language in 15 bits (8.4.2)."""
    letters = language if len(language) == 3 and language.isascii() and language.isalpha() else UNDETERMINED
    return sum((ord(letter) - 0x60) << shift for letter, shift in zip(letters.lower(), (10, 5, 0), strict=True))


def ftyp(major: bytes, *compatible: bytes) -> bytes:
    return box(b"ftyp", major, struct.pack(">I", 0x200), major, *compatible)


def moov(tracks: Sequence[MuxTrack], *, fragmented: bool = False, extra: bytes = b"") -> bytes:
    """Return the index: of a plain file, or the head of a fragmented one."""
    presented = [track for track in tracks if track.handler != b"text"]
    scale = _movie_scale(presented)
    durations = [_presented(track, scale) for track in tracks]
    whole = max((_presented(track, scale) for track in presented), default=0)
    header = full(
        b"mvhd",
        1,
        0,
        struct.pack(">QQIQ", 0, 0, scale, 0 if fragmented else whole),
        struct.pack(">IH10x", 0x10000, 0x100),
        IDENTITY,
        bytes(24),
        struct.pack(">I", len(tracks) + 1),
    )
    traks = [
        _trak(number, track, scale, duration, fragmented)
        for number, (track, duration) in enumerate(zip(tracks, durations, strict=True), start=1)
    ]
    extends = b""
    if fragmented:
        trex = [full(b"trex", 0, 0, struct.pack(">5I", number, 1, 0, 0, 0)) for number in range(1, len(tracks) + 1)]
        extends = box(b"mvex", *trex)
    return box(b"moov", header, *traks, extends, extra)


def _movie_scale(tracks: Sequence[MuxTrack]) -> int:
    """Return a scale in which the lengths of all tracks are whole numbers, as far as 32 bits go."""
    scale = lcm(*(track.timescale for track in tracks)) if tracks else 1000
    return scale if scale < 1 << 31 else max(track.timescale for track in tracks)


def _span(track: MuxTrack) -> tuple[int, int, int]:
    """Return the first time of a track's samples, and where what is presented of it begins and ends."""
    start = min(chunk.samples.start for chunk in track.chunks)
    stop = max(chunk.samples.stop for chunk in track.chunks)
    begins = start if track.begins is None else max(track.begins, start)
    return start, begins, stop if track.ends is None else min(track.ends, stop)


def _presented(track: MuxTrack, scale: int) -> int:
    if not track.chunks:
        return 0
    _, _, ends = _span(track)
    return round(Fraction(max(ends - track.origin, 0) * scale, track.timescale))


def _trak(number: int, track: MuxTrack, scale: int, duration: int, fragmented: bool) -> bytes:
    width, height = _display_size(track)
    volume = 0x100 if track.handler == b"soun" else 0
    tkhd = full(
        b"tkhd",
        1,
        3 if track.enabled else 2,
        struct.pack(">QQIIQ", 0, 0, number, 0, 0 if fragmented else duration),
        struct.pack(">8xhhH2x", 0, 1 if track.handler == b"soun" else 0, volume),
        track.matrix,
        struct.pack(">II", width, height),
    )
    name, media_name, media_header, flags = _HANDLERS[track.handler]
    # Some players look for the title of a track in its user data, some where its handler should be named.
    title = track.title.encode("utf-8", "replace")[:TITLE_LIMIT_BYTES].decode("utf-8", "ignore").encode()
    said = struct.pack(">HH", len(title), language_code(UNDETERMINED)) + title
    told = box(b"udta", box(b"\xa9nam", said)) if title else b""
    media = 0 if not track.chunks else sum(_decode_durations(track))
    mdhd = full(b"mdhd", 1, 0, struct.pack(">QQIQHH", 0, 0, track.timescale, media, language_code(track.language), 0))
    hdlr = full(b"hdlr", 0, 0, bytes(4), track.handler, bytes(12), title + b"\0" if title else name)
    if media_name == b"gmhd":
        gmin = full(b"gmin", 0, 0, struct.pack(">HHHHHH", 0x40, 0x8000, 0x8000, 0x8000, 0, 0))
        header = box(b"gmhd", gmin, box(b"text", IDENTITY))
    else:
        header = full(media_name, 0, flags, media_header)
    dinf = box(b"dinf", full(b"dref", 0, 0, struct.pack(">I", 1), full(b"url ", 0, 1)))
    minf = box(b"minf", header, dinf, _stbl(track))
    references = box(b"tref", box(b"chap", struct.pack(">I", track.chapters))) if track.chapters else b""
    return box(b"trak", tkhd, _edts(track, scale, fragmented), references, box(b"mdia", mdhd, hdlr, minf), told)


def _display_size(track: MuxTrack) -> tuple[int, int]:
    """Return width and height as 16.16, with the shape of the pixels (`pasp`) in the width."""
    if track.handler != b"vide":
        return 0, 0
    width, height = shown_size(track.entry)
    return min(int(width * pixel_shape(track.entry) * (1 << 16)), 0xFFFFFFFF), height << 16


def delay(track: MuxTrack) -> int:
    """Return by how much display must lag behind decoding."""
    return max((lateness(chunk.samples.pts) for chunk in track.chunks), default=0)


def _edts(track: MuxTrack, scale: int, fragmented: bool) -> bytes:
    """Return the edit list (8.6.6): an empty edit for what begins later, then what is presented of the media.

    In a fragmented file times are absolute, and only what precedes the presentation needs one.
    """
    if fragmented:
        if track.begins is None or track.origin >= 0:
            return b""
        return box(b"edts", full(b"elst", 1, 0, struct.pack(">IQqHH", 1, 0, -track.origin, 1, 0)))
    if not track.chunks:
        return b""
    start, begins, ends = _span(track)
    edits = []
    if begins > track.origin:
        edits.append(struct.pack(">QqHH", round(Fraction((begins - track.origin) * scale, track.timescale)), -1, 1, 0))
    length = round(Fraction((ends - begins) * scale, track.timescale))
    edits.append(struct.pack(">QqHH", length, begins - start + delay(track), 1, 0))
    return box(b"edts", full(b"elst", 1, 0, struct.pack(">I", len(edits)), *edits))


def _counted(track: MuxTrack, durations: Sequence[int]) -> tuple[Iterable[tuple[int, int]], list[int], bytes]:
    """Return runs of durations, how many samples each chunk has, and the table of their sizes.

    What is one sample elsewhere is as many as it has in a track of uncompressed sound (8.7.3.1).
    """
    sizes = [size for chunk in track.chunks for size in chunk.samples.sizes]
    width = pcm.frame_bytes(track.entry)
    if not width or any(not size or size % width for size in sizes):
        counts = [len(chunk.samples) for chunk in track.chunks]
        return _runs(durations), counts, struct.pack(f">II{len(sizes)}I", 0, len(sizes), *sizes)
    counts = [sum(chunk.samples.sizes) // width for chunk in track.chunks]
    return _expanded(durations, [size // width for size in sizes]), counts, struct.pack(">II", width, sum(counts))


def _expanded(durations: Sequence[int], counts: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield runs of the durations of samples that are `counts` by `counts` as long as given; the last has the rest."""
    many, value = 0, 0
    for duration, count in zip(durations, counts, strict=True):
        each = duration // count
        for more, length in ((count - 1, each), (1, duration - each * (count - 1))):
            if more and many and length != value:
                yield many, value
                many = 0
            if more:
                many, value = many + more, length
    if many:
        yield many, value


def _decode_durations(track: MuxTrack) -> list[int]:
    """Return how long each sample is decoded: as long as the one that is shown in its turn."""
    order = [pts for chunk in track.chunks for pts in sorted(chunk.samples.pts)]
    stop = max(chunk.samples.stop for chunk in track.chunks)
    return [after - before for before, after in pairwise([*order, stop])]


def _stbl(track: MuxTrack) -> bytes:
    stsd = full(b"stsd", 0, 0, struct.pack(">I", 1), track.entry)
    durations = _decode_durations(track) if track.chunks else []
    runs, counts, sizes = _counted(track, durations)
    tables = [stsd, full(b"stts", 0, 0, _listed(runs))]
    if track.handler == b"vide" and track.chunks:
        late = delay(track)
        offsets = [
            pts - dts + late
            for chunk in track.chunks
            for pts, dts in zip(chunk.samples.pts, sorted(chunk.samples.pts), strict=True)
        ]
        if any(offsets):
            tables.append(full(b"ctts", 0, 0, _listed(_runs(offsets))))
        tables.append(_stss(track))
    starts = [at for at, (before, count) in enumerate(pairwise([0, *counts]), start=1) if before != count]
    stsc = [struct.pack(">III", at, counts[at - 1], 1) for at in starts]
    tables += [
        full(b"stsz", 0, 0, sizes),
        full(b"stsc", 0, 0, struct.pack(">I", len(stsc)), *stsc),
    ]
    places = [chunk.at for chunk in track.chunks]
    wide = max(places, default=0) >= 1 << 32
    table = struct.pack(f">I{len(places)}{'Q' if wide else 'I'}", len(places), *places)
    return box(b"stbl", *tables, full(b"co64" if wide else b"stco", 0, 0, table))


def _stss(track: MuxTrack) -> bytes:
    keys, first = [], 1
    for chunk in track.chunks:
        keys += [first + key for key in chunk.samples.keys]
        first += len(chunk.samples)
    return full(b"stss", 0, 0, struct.pack(f">I{len(keys)}I", len(keys), *keys))


def _runs(values: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield how often each value follows itself, and the value."""
    for value, group in groupby(values):
        yield sum(1 for _ in group), value


def _listed(runs: Iterable[tuple[int, int]]) -> bytes:
    found = list(runs)
    return struct.pack(">I", len(found)) + b"".join(struct.pack(">II", *run) for run in found)
