"""What workers laid out of an object that is no MP4, folded into one index: as if one had laid out all of it.

Times are folded as the container says them. Only then are those of sound turned into samples, in one run from the
first.
"""

from __future__ import annotations

import json
import zlib
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Any

from fanfold.kinds.video.laying.sink import DATA
from fanfold.kinds.video.mp4.movie import Track
from fanfold.kinds.video.mp4.muxing import IDENTITY
from fanfold.model import Json, Part, PartObject

APART_LIMIT_S = 1
"""How far streams may be apart where frames are counted; from 2 s on libavformat leaves the order of the chunks."""

HALF_WRAP_TICKS = 1 << 32
"""Half of what times in a transport stream are counted in before they begin anew (ISO/IEC 13818-1, 2.4.3.7)."""

INDEX = "index"
"""What the object of a part is called that tells where its samples are."""


@dataclass(slots=True)
class Laid:
    """One stream of what was laid out: its samples, in the order in which the container has them."""

    id: int
    handler: bytes
    entry: bytes
    """How it is decoded, as the sample entry of an MP4."""
    base: Fraction
    """Seconds a tick."""
    rate: int
    """Samples of sound a second."""
    frame_samples: int
    """How many a packet has, 0 where that differs."""
    counts: list[int] = field(default_factory=list)
    """How many it may have, where that is known."""
    skipped: int = 0
    """How many samples of sound at the beginning are not to be heard."""
    dropped: int = 0
    """And how many at the end."""
    last_samples: int = 0
    """How many the last packet has, 0 where only the container's rounding of it is known."""
    frame_bytes: int = 0
    """Of uncompressed sound, how many bytes a sample has, of all channels; 0 of other streams."""
    matrix: bytes = IDENTITY
    """How it is turned for display, as an MP4 says it."""
    pts: array[int] = field(default_factory=lambda: array("q"))
    lengths: array[int] = field(default_factory=lambda: array("q"))
    keys: array[int] = field(default_factory=lambda: array("Q"))
    sizes: array[int] = field(default_factory=lambda: array("Q"))
    offsets: array[int] = field(default_factory=lambda: array("Q"))

    @property
    def is_video(self) -> bool:
        return self.handler == b"vide"

    def __len__(self) -> int:
        return len(self.pts)

    def add(self, other: Laid, data_at: int) -> None:
        """Take the samples of the next worker, whose data begins at `data_at`."""
        if not len(self):
            self.id, self.entry, self.matrix, self.skipped = other.id, other.entry, other.matrix, other.skipped
        if len(other):
            self.dropped, self.last_samples = other.dropped, other.last_samples
        self.keys.extend(key + len(self) for key in other.keys)
        self.pts += other.pts
        self.lengths += other.lengths
        self.sizes += other.sizes
        self.offsets.extend(offset + data_at for offset in other.offsets)

    def move(self, ticks: int) -> None:
        """Let every time be that much later."""
        self.pts = array("q", (at + ticks for at in self.pts))

    def drop(self, count: int) -> None:
        """Leave out the first samples."""
        for name in ("pts", "lengths", "sizes", "offsets"):
            del getattr(self, name)[:count]
        self.keys = array("Q", (key - count for key in self.keys if key >= count))

    def to_json(self) -> dict[str, Any]:
        told = {
            name: getattr(self, name)
            for name in ("id", "rate", "frame_samples", "counts", "skipped", "dropped", "last_samples", "frame_bytes")
        }
        told |= {name: getattr(self, name).hex() for name in _BYTES} | {"base": str(self.base)}
        return told | {name: getattr(self, name).tolist() for name in _TABLES}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Laid:
        told = {name: bytes.fromhex(data[name]) for name in _BYTES}
        tables = {name: array(form, data[name]) for name, form in _TABLES.items()}
        return cls(**{**data, **told, **tables, "base": Fraction(data["base"])})


_BYTES = ("handler", "entry", "matrix")

_TABLES = {"pts": "q", "lengths": "q", "keys": "Q", "sizes": "Q", "offsets": "Q"}


def to_bytes(laid: Mapping[int, Laid]) -> bytes:
    """Return what a worker tells of what it laid out: each stream by its index."""
    return zlib.compress(json.dumps({index: one.to_json() for index, one in laid.items()}).encode())


def from_bytes(data: bytes) -> dict[int, Laid]:
    """Read back what `to_bytes` gave."""
    return {int(index): Laid.from_json(one) for index, one in json.loads(zlib.decompress(data)).items()}


def folded(
    parts: Sequence[Part], read: Callable[[PartObject, int, int], bytes]
) -> tuple[dict[int, Track], list[PartObject]]:
    """Return the track of each stream by its index, and where the samples are."""
    laid: dict[int, Laid] = {}
    stored: list[PartObject] = []
    for part, moved in zip(parts, shifts([part.facts for part in parts]), strict=True):
        index = part.objects[INDEX]
        streams = from_bytes(read(index, 0, index.size_bytes))
        for number, ticks in moved.items():
            if number in streams:
                streams[number].move(ticks)
        # One in whose bytes nothing begins knows of no stream.
        laid = laid or streams
        if laid is not streams:
            data_at = sum(one.size_bytes for one in stored)
            for number, one in streams.items():
                laid[number].add(one, data_at)
        stored += [part.objects[name] for name in sorted(part.objects) if name.startswith(DATA)]
    return tracks(laid), stored


def follow_each_other(shares: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether each worker began where the one before it ended, and saw there what that one did.

    Then, as the first was right about where it begins, all are. A share is what `Share.told` says.
    """
    if any("unproven" in share for share in shares):
        return False
    reached, before = None, None
    for share in shares if len(shares) > 1 else ():
        if share["begin"] is None:
            # Nothing begins in it, if what the one before has last goes on behind it.
            if reached is None or reached < share["stop"]:
                return False
            continue
        if reached is not None and share["begin"] != reached:
            return False
        if before is not None and not _are_followed(before, share):
            return False
        reached, before = share["end"], share
    return not are_apart(shares)


def shifts(shares: Sequence[Mapping[str, Any]]) -> list[dict[int, int]]:
    """Return by how many ticks the times of each worker are to be moved, by stream: where each counts for itself."""
    found: list[dict[int, int]] = [{}]
    for before, after in pairwise(shares):
        first, behind = after.get("first_counts", {}), before.get("behind_counts", {})
        here = found[-1]
        found.append({int(one): here.get(int(one), 0) + behind[one] - first[one] for one in first if one in behind})
    return found


def are_apart(shares: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether a stream lies so far behind another that a demuxer may go by the index, and not by the order."""
    for share, moved in zip(shares, shifts(shares), strict=True):
        for stream, other, late in share.get("late", ()):
            base = share["bases"]
            apart = moved.get(other, 0) * base[str(other)] - moved.get(stream, 0) * base[str(stream)]
            if late + apart > APART_LIMIT_S:
                return True
    return False


def _are_followed(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Tell of each stream whether two neighbours saw the same frames of it, as far as both go.

    Or the first of them saw none that follow, but that its own frames end where what they lie in does; and those of
    the second begin so.
    """
    behind, first = before.get("behind", ()), after.get("first", ())
    last, clean = before.get("last") or [None] * len(behind), after.get("clean", ())
    for number, (seen, frames) in enumerate(zip(behind, first, strict=True)):
        both = min(len(seen), len(frames))
        if last[number] is None:
            if seen[:both] != frames[:both] or (not both and (seen or frames)):
                return False
        elif not clean[number] or not _may_follow(last[number], frames):
            return False
    return True


def _may_follow(last: Sequence[int | None], frames: Sequence[Json]) -> bool:
    """Tell whether frames of a stream that were seen by another than its last one have their times from the same clock.

    Each is its time, its duration, and more; `last`: of the last one before them, nothing if there is none.
    """
    if not last or not frames:
        return True
    (time, duration), following = last, frames[0][0]
    if time is None or following is None or abs(following - time) >= HALF_WRAP_TICKS:
        return False
    return any(duration == frame[1] for frame in frames)


def tracks(laid: Mapping[int, Laid]) -> dict[int, Track]:
    """Return the track of each stream that has samples."""
    found = {}
    for index, one in laid.items():
        if one.is_video:
            # Without a picture that stands for itself those before it cannot be decoded.
            one.drop(one.keys[0] if len(one.keys) else len(one))
        if len(one):
            found[index] = _track(one)
    return found


def _track(laid: Laid) -> Track:
    timescale, pts, end, begins, ends = _seen(laid) if laid.is_video else _heard(laid)
    return Track(
        id=laid.id,
        handler=laid.handler,
        timescale=timescale,
        entry=laid.entry,
        matrix=laid.matrix,
        shift=0,
        begins=begins,
        ends=ends,
        offsets=laid.offsets,
        sizes=laid.sizes,
        dts=array("q", sorted(pts)),
        pts=array("q", pts),
        keys=laid.keys,
        end=end,
    )


Timed = tuple[int, list[int], int, int | None, int | None]
"""Timescale, times, end of the last sample; beginning and end of what is presented, where they differ."""


def _seen(laid: Laid) -> Timed:
    """Return the times of pictures: every tick as the container says it."""
    factor = laid.base.numerator
    last = laid.pts.index(max(laid.pts))
    order = sorted(set(laid.pts))
    length = laid.lengths[last] or (order[-1] - order[-2] if len(order) > 1 else 1)
    pts = [at * factor for at in laid.pts]
    return laid.base.denominator, pts, (order[-1] + length) * factor, None, None


def _heard(laid: Laid) -> Timed:
    """Return the times of sound, in samples: frames that follow each other do so without the container's rounding."""
    rate, skipped = laid.rate, laid.skipped
    samples, of = (laid.base * rate).as_integer_ratio()
    pts: list[int] = []
    # The container rounds when the first sample is heard, not when the first packet would be.
    heard = round((laid.pts[0] * laid.base + Fraction(skipped, rate)) / laid.base) * laid.base
    following = round(heard * rate) - skipped
    for at, length, size in zip(laid.pts, laid.lengths, laid.sizes, strict=True):
        said = _divided(at * samples, of)
        pts.append(following if abs(said - following) * of <= 2 * max(of, samples) else said)
        held = laid.frame_samples or _counted(laid.counts, length, samples, of)
        following = pts[-1] + (size // laid.frame_bytes if laid.frame_bytes else held)
    # What is not heard of the last packet is not in the container's length of it either.
    last = laid.sizes[-1] // laid.frame_bytes if laid.frame_bytes else laid.last_samples or laid.frame_samples
    end = pts[-1] + last if last else following + laid.dropped
    return rate, pts, end, pts[0] + skipped if skipped else None, end - laid.dropped if laid.dropped else None


def _counted(counts: Sequence[int], length: int, samples: int, of: int) -> int:
    """Return how many samples a length is, in ticks of `samples / of`: of those that it may be the nearest one."""
    near = min(counts, key=lambda count: abs(count * of - length * samples), default=0)
    return near if counts and abs(near * of - length * samples) <= samples else length * samples // of


def _divided(value: int, by: int) -> int:
    """Return a quotient, rounded as `round` does a fraction; millions of those would take minutes."""
    found, rest = divmod(value, by)
    return found + (2 * rest > by or (2 * rest == by and found & 1))
