"""The samples of a track as WebM has them: each due at a tick of one clock that all tracks share (RFC 9559, 11).

A tick is a millisecond. A picture's or packet's tick is the one nearest to its time, so that no error adds up, and
pictures are no further apart from sound than they were.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import Any

from fanfold.errors import BrokenVideo
from fanfold.kinds.video import opus
from fanfold.kinds.video.samples import deltas, packed, unpacked
from fanfold.kinds.video.tracks import Whole
from fanfold.model import PartObject

SCALES_NS = (1_000_000, 100_000, 10_000, 1_000)
"""How long a tick may be: a millisecond, as everyone expects of WebM, or less where two pictures would share one."""

SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Blocks:
    """The blocks of a track, or some of them that follow each other."""

    number: int
    """Of the track, from 1."""
    times: Sequence[int]
    """In ticks, never going back."""
    sizes: Sequence[int]
    keys: Sequence[int] | None
    """Which of them can be decoded without any before them; None: all."""
    places: Sequence[tuple[PartObject, int, int]]
    """Where their bytes lie: an object, and where they begin and end in it; one place behind the other."""
    delay_ns: int = 0
    """How much sound is decoded at the beginning, and not heard; said of a whole track."""
    last_ns: tuple[int, int] | None = None
    """How long the last block is, and how much of that is heard; 0 for a length that the block itself says (Opus)."""

    def split(self, borders: Sequence[int]) -> Iterator[Blocks]:
        """Yield the blocks that are due before the first border, before each next one, and after the last."""
        found = [bisect_left(self.times, border) for border in borders]
        offsets = list(accumulate(self.sizes, initial=0))
        starts = list(accumulate((stop - start for _, start, stop in self.places), initial=0))
        for first, last in pairwise((0, *found, len(self.times))):
            yield self._taken(first, last, offsets, starts)

    def _taken(self, first: int, last: int, offsets: Sequence[int], starts: Sequence[int]) -> Blocks:
        keys = None
        if self.keys is not None:
            keys = [key - first for key in self.keys[bisect_left(self.keys, first) : bisect_left(self.keys, last)]]
        begins, ends = offsets[first], offsets[last]
        places = []
        for at in range(bisect_right(starts, begins) - 1, bisect_left(starts, ends)):
            made, start, _ = self.places[at]
            low, high = max(begins, starts[at]), min(ends, starts[at + 1])
            if low < high:
                places.append((made, start + low - starts[at], start + high - starts[at]))
        last_ns = self.last_ns if last == len(self.times) > first else None
        return Blocks(self.number, self.times[first:last], self.sizes[first:last], keys, places, 0, last_ns)

    def to_json(self) -> dict[str, Any]:
        """Return what a worker needs of it."""
        told: dict[str, Any] = {
            "track": self.number,
            "times": packed(deltas(self.times)),
            "sizes": packed(self.sizes),
            "places": [[made.key, made.size_bytes, start, stop] for made, start, stop in self.places],
            "last_ns": self.last_ns,
        }
        return told | ({} if self.keys is None else {"keys": packed(deltas(self.keys))})

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Blocks:
        keys = list(accumulate(unpacked(data["keys"]))) if "keys" in data else None
        places = [(PartObject(key, size_bytes), start, stop) for key, size_bytes, start, stop in data["places"]]
        times = list(accumulate(unpacked(data["times"])))
        return cls(data["track"], times, unpacked(data["sizes"]), keys, places, 0, data["last_ns"])


def zero_of(wholes: Sequence[Whole]) -> Fraction:
    """Return the time, in seconds, from which ticks count: where the presentation begins, or what is before it."""
    return min(Fraction(min(whole.origin, whole.begins), whole.timescale) for whole in wholes)


def laid(wholes: Sequence[Whole]) -> tuple[int, list[Blocks]]:
    """Return how many nanoseconds a tick is, and the blocks of each track. Raises BrokenVideo."""
    zero = zero_of(wholes)
    found: list[Blocks] = []
    for scale_ns in SCALES_NS:
        found = [_blocks(number, whole, zero, scale_ns) for number, whole in enumerate(wholes, start=1)]
        seen = [blocks.times for blocks, whole in zip(found, wholes, strict=True) if whole.stream.kind == "video"]
        if not any(before == after for times in seen for before, after in pairwise(times)):
            break
    return scale_ns, found


def _blocks(number: int, whole: Whole, zero: Fraction, scale_ns: int) -> Blocks:
    stored = [one for _, one in sorted(whole.stored.items())]
    pts = [at for one in stored for at in one.samples.pts]
    if any(before > after for before, after in pairwise(pts)):
        raise BrokenVideo(f"the times of stream {whole.stream.index}, which is {whole.stream.codec}, go back")
    is_video = whole.stream.kind == "video"
    first, last = 0, max(1, bisect_left(pts, whole.ends))
    delay = 0
    if not is_video:
        # What is earlier than a decoder needs would only be decoded: WebM says once how much is not to be heard.
        begins = max(whole.begins, pts[0] + opus.skipped(whole.entry) * whole.timescale // opus.RATE)
        first = max(0, bisect_right(pts, begins - opus.PREROLL_SAMPLES * whole.timescale // opus.RATE) - 1)
        delay = begins - pts[first]
    sizes = [size for one in stored for size in one.samples.sizes]
    starts = accumulate((len(one.samples) for one in stored), initial=0)
    keys = [start + key for start, one in zip(starts, stored, strict=False) for key in one.samples.keys]
    lengths = [length for one in stored for length in one.samples.durations]
    offsets = list(accumulate(sizes, initial=0))
    places = [(one.made, one.data.start, one.data.stop) for one in stored]
    kept = Blocks(
        number,
        _nearest(pts, delay - zero * whole.timescale, Fraction(scale_ns * whole.timescale, SECOND_NS)),
        sizes,
        keys if is_video else None,
        places,
    )._taken(first, last, offsets, list(accumulate((stop - start for _, start, stop in places), initial=0)))
    length = 0 if whole.entry[4:8] == b"Opus" else lengths[last - 1]
    last_ns = None if is_video else (_ns(length, whole), _ns(whole.ends - pts[last - 1], whole))
    return replace(kept, delay_ns=_ns(delay, whole), last_ns=last_ns)


def _nearest(pts: Sequence[int], ahead: Fraction, tick: Fraction) -> list[int]:
    """Return times in ticks, each to the nearest."""
    whole, over = 2 * tick.denominator * ahead.denominator, tick.numerator * ahead.denominator
    added = 2 * tick.denominator * ahead.numerator + over
    return [(at * whole + added) // (2 * over) for at in pts]


def _ns(ticks: int, whole: Whole) -> int:
    return round(Fraction(ticks * SECOND_NS, whole.timescale))
