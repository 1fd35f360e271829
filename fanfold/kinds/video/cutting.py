"""Where a track is cut: at keyframes, into half-open spans of time that hold every picture once."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from fanfold.kinds.video.samples import least_from


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


def cuts(pts: Sequence[int], keys: Sequence[int], begins: int, ends: int, ticks: int) -> list[Cut]:
    """Cut samples, given in the order of decoding, into segments of `ticks` or the least more that keyframes allow.

    A keyframe is a place to cut where all that is decoded before it is shown before it, and all that is shown before
    it is decoded before it or directly behind it. `begins` and `ends` are where the presentation does.
    """
    count = len(pts)
    highest, lowest = array("q", accumulate(pts, max)), least_from(pts)
    found: list[Cut] = []
    first, start = 0, begins
    for key in keys:
        at = pts[key]
        if key == 0 or at < start + ticks or at >= ends:
            continue
        tail = key + 1
        while tail < count and pts[tail] < at:
            tail += 1
        if highest[key - 1] >= at or (tail < count and lowest[tail] < at):
            continue
        found.append(Cut(start, at, first, key, tail if tail > key + 1 else key))
        first, start = key, at
    found.append(Cut(start, ends, first, count, count))
    return found
