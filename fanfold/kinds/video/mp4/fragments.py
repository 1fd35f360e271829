"""What lies in the fragments of an MP4 file: read, and made (ISO/IEC 14496-12, 8.8)."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Sequence
from itertools import pairwise

from fanfold.errors import BrokenVideo
from fanfold.kinds.video.mp4.boxes import box, find, full, walk
from fanfold.kinds.video.mp4.counting import Count
from fanfold.kinds.video.mp4.movie import Defaults, Movie, Track
from fanfold.kinds.video.samples import Samples, in_order
from fanfold.model import Source

MOOF_LIMIT_BYTES = 16 << 20

_NOT_KEY = 0x10000
"""`sample_is_non_sync_sample` (8.8.3.1)."""

_KEY_FLAGS, _OTHER_FLAGS = 0x02000000, 0x01010000
"""Depends on no other sample; depends on others, and is no place to begin at."""


def read_fragments(source: Source, movie: Movie) -> None:
    """Add the samples of a file's fragments to its tracks. Raises BrokenVideo, UnsupportedVideo."""
    tracks = {track.id: track for track in movie.tracks}
    for start, stop in movie.fragments:
        if stop - start > MOOF_LIMIT_BYTES:
            raise BrokenVideo(f"the fragment at byte {start:,} has an index of {stop - start:,} bytes")
        moof = source.read(start, stop)
        body = find(moof, "moof")
        assert body is not None
        end = start
        try:
            for name, at, to in walk(moof, *body):
                if name == b"traf":
                    end = _read_track(moof, at, to, start, end, tracks, movie)
        except (struct.error, OverflowError) as error:
            raise BrokenVideo(f"the index of the fragment at byte {start:,} contradicts itself") from error


def _read_track(
    moof: bytes,
    start: int,
    stop: int,
    moof_at: int,
    data_at: int,
    tracks: dict[int, Track],
    movie: Movie,
) -> int:
    """Add the samples of one track of one fragment; return where its data end."""
    header = find(moof, "tfhd", start, stop)
    if header is None:
        raise BrokenVideo(f"the fragment at byte {moof_at:,} has a track without a header")
    flags, number = struct.unpack_from(">II", moof, header[0])
    flags &= 0xFFFFFF
    trex = movie.defaults.get(number, Defaults(0, 0, 0))
    at = header[0] + 8
    base = moof_at if flags & 0x20000 else data_at
    values = [trex.duration, trex.size, trex.flags]
    if flags & 1:
        (base,) = struct.unpack_from(">Q", moof, at)
        at += 8
    at += 4 if flags & 2 else 0
    for index, flag in enumerate((8, 0x10, 0x20)):
        if flags & flag:
            (values[index],) = struct.unpack_from(">I", moof, at)
            at += 4
    track = tracks.get(number)
    if track:
        # The length of an edit is that of what the index alone has: it is written before there is a fragment.
        track.ends = None
    time = find(moof, "tfdt", start, stop)
    dts = track.end if track else 0
    if time is not None:
        dts = struct.unpack_from(">Q" if moof[time[0]] == 1 else ">I", moof, time[0] + 4)[0]
    place = base
    for name, begin, end in walk(moof, start, stop):
        if name == b"trun":
            dts, place = _read_run(moof, begin, end, base, place, dts, values, track, movie.count)
    if track:
        track.end = dts
    return place


def _read_run(
    moof: bytes,
    at: int,
    end: int,
    base: int,
    place: int,
    dts: int,
    values: Sequence[int],
    track: Track | None,
    counted: Count,
) -> tuple[int, int]:
    """Add the samples of one run (8.8.8); return the time and the place behind the last."""
    flags, count = struct.unpack_from(">II", moof, at)
    signed = flags >> 24 == 1
    at += 8
    if flags & 1:
        place = base + struct.unpack_from(">i", moof, at)[0]
        at += 4
    first_flags = None
    if flags & 4:
        (first_flags,) = struct.unpack_from(">I", moof, at)
        at += 4
    fields = [bool(flags & flag) for flag in (0x100, 0x200, 0x400, 0x800)]
    form = struct.Struct(
        ">" + "".join(letter for letter, there in zip("III" + "Ii"[signed], fields, strict=True) if there)
    )
    if count * form.size > end - at:
        raise BrokenVideo(f"a fragment claims {count:,} samples, and says less of them than it promises")
    counted.add("a fragment", count, None if fields[1] or (form.size and not values[1]) else values[1])
    for number in range(count):
        found = iter(form.unpack_from(moof, at))
        at += form.size
        duration, size, sample_flags = (
            next(found) if there else value for there, value in zip(fields[:3], values, strict=True)
        )
        offset = next(found) if fields[3] else 0
        if number == 0 and first_flags is not None:
            sample_flags = first_flags
        if track is not None:
            if track.handler != b"vide" or not sample_flags & _NOT_KEY:
                track.keys.append(len(track.sizes))
            track.offsets.append(place)
            track.sizes.append(size)
            track.dts.append(dts)
            track.pts.append(dts + offset + track.shift)
        place += size
        dts += duration
    return dts, place


def lateness(pts: Sequence[int]) -> int:
    """Return by how much display must lag: pictures are decoded at the times of display, in order, and none is late."""
    return max((dts - at for dts, at in zip(sorted(pts), pts, strict=True)), default=0)


def fragment(number: int, zero: int, late: int, samples: Samples) -> bytes:
    """Return what stands before the data of a fragment of one track: `styp`, `moof` and the head of `mdat`.

    Times of decoding are the times of display in order, so that a fragment begins and ends where its pictures do.
    `zero` is added to every time, and `late`, which the track's edit list takes off again, to those of display:
    a negative offset would do without, and libavformat reads that as a delay of the pictures.
    """
    assert lateness(samples.pts) <= late
    order = sorted(samples.pts)
    stop = samples.stop
    durations = [after - before for before, after in pairwise([*order, stop])]
    keys = set(samples.keys)
    runs = b"".join(
        struct.pack(">IIIi", duration, size, _KEY_FLAGS if at in keys else _OTHER_FLAGS, pts - dts + late)
        for at, (duration, size, pts, dts) in enumerate(zip(durations, samples.sizes, samples.pts, order, strict=True))
    )
    styp = box(b"styp", b"msdh", struct.pack(">I", 0), b"msdh", b"msix")
    head = struct.pack(">I", len(samples))

    def moof(offset: int) -> bytes:
        return box(
            b"moof",
            full(b"mfhd", 0, 0, struct.pack(">I", number)),
            box(
                b"traf",
                full(b"tfhd", 0, 0x20000, struct.pack(">I", 1)),
                full(b"tfdt", 1, 0, struct.pack(">Q", order[0] + zero)),
                full(b"trun", 1, 0xF01, head, struct.pack(">i", offset), runs),
            ),
        )

    size = sum(samples.sizes)
    mdat = struct.pack(">I4s", size + 8, b"mdat") if size + 8 < 1 << 32 else struct.pack(">I4sQ", 1, b"mdat", size + 16)
    return styp + moof(len(moof(0)) + len(mdat)) + mdat


def samples_of(track: Track) -> Samples:
    """Return a whole track's samples."""
    return Samples(list(track.pts), durations(track).tolist(), list(track.sizes), list(track.keys))


def durations(track: Track) -> array[int]:
    """Return how long each sample is shown: until the next one is; the last one as long as it takes to decode.

    Many an index says 0 of that, as nothing follows: then it is shown as long as the one before it.
    """
    count = len(track)
    found = array("q", bytes(8 * count))
    before, last = 1, 0
    for this, last in pairwise(in_order(track.pts)):
        found[this] = before = track.pts[last] - track.pts[this]
    if count:
        found[last] = max(track.end - track.dts[-1], 0) or before
    return found
