"""Where a track is cut: at keyframes, into half-open spans of time that hold every picture once."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from fanfold.kinds.video.samples import least_from

SEGMENT_BYTES = 256 << 20
"""The most bytes of a segment: a worker that describes it, which has 1,769 MB, holds it twice."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A segment of a track: what is shown in [start, stop), and what must be decoded to show it."""

    start: int
    stop: int
    first: int
    """The first sample in the order of decoding: a keyframe."""
    last: int
    """The first sample of the next segment."""
    tail: int
    """The end of what must be decoded: behind a keyframe may come pictures that are shown before it (open GOP)."""


Weigh = Callable[[int, int, int, int], int]
"""Returns how many bytes a segment has: of the samples [first, tail), and of what else is heard in [start, stop)."""


def cuts(
    pts: Sequence[int],
    keys: Sequence[int],
    begins: int,
    ends: int,
    ticks: int,
    weigh: Weigh,
    most_bytes: int,
) -> list[Cut]:
    """Cut samples, given in the order of decoding, into segments of `ticks` or the least more that keyframes allow.

    A segment is shorter where it would have more than `most_bytes`, as far as keyframes allow. `begins` and `ends` are
    where the presentation does.
    """
    found: list[Cut] = []
    first, start = 0, begins
    before: tuple[int, int] | None = None
    for key, tail in _places(pts, keys):
        at = pts[key]
        if at <= start or at >= ends:
            continue
        if before and weigh(first, tail, start, at) > most_bytes:
            found.append(_cut(pts, start, first, *before))
            first, start, before = before[0], pts[before[0]], None
        if at >= start + ticks:
            found.append(_cut(pts, start, first, key, tail))
            first, start, before = key, at, None
        else:
            before = key, tail
    if before and weigh(first, len(pts), start, ends) > most_bytes:
        found.append(_cut(pts, start, first, *before))
        first, start = before[0], pts[before[0]]
    found.append(Cut(start, ends, first, len(pts), len(pts)))
    return found


def _cut(pts: Sequence[int], start: int, first: int, key: int, tail: int) -> Cut:
    return Cut(start, pts[key], first, key, tail)


def _places(pts: Sequence[int], keys: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the keyframes to cut at, and the end of what must be decoded of each to show all that comes before it.

    All that is decoded before such a keyframe is shown before all that is decoded from it on; and what comes from it on
    and is shown before it, it is directly followed by. (HEVC permits of a leading picture that it be shown before the
    last one that is decoded before the keyframe; then a segment would begin before the one before it ends.)
    """
    count = len(pts)
    highest, lowest = array("q", accumulate(pts, max)), least_from(pts)
    for key in keys:
        at = pts[key]
        if key == 0 or highest[key - 1] >= lowest[key]:
            continue
        tail = key + 1
        while tail < count and pts[tail] < at:
            tail += 1
        if tail == count or lowest[tail] >= at:
            yield key, tail if tail > key + 1 else key
