"""Where one shot ends and the next begins, from frames that a worker sees a segment of at a time.

A worker says how much each frame differs from the one before it, and what its first and last frame look like; joined,
the differences are those of the whole video, whatever it was cut into. A cut is a difference that stands out from those
around it, so that a moving camera is none.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import av

SIDES = 64, 36
"""Width and height of what a frame is compared by, whatever its shape."""

LEAST_DIFFERENCE = 12.0
"""What two frames of a cut differ by at least: mean of luma and chroma, of 255."""

STANDS_OUT = 2.0
"""How many times the mean difference around it a cut's is at least; motion reaches 1.6, cuts of moving shots 2.4."""

AROUND = 2
"""How many differences on each side it is compared with."""

SHORTEST_S = Fraction(1, 2)
"""What is shorter is no scene: a flash."""

_HEAD = struct.Struct("<QI")
_PIXELS = SIDES[0] * SIDES[1] * 3


@dataclass(slots=True)
class Differences:
    """The frames of one segment: when each is shown, and how much it differs from the one before it."""

    times: list[int] = field(default_factory=list)
    """In ticks of the stream."""
    differences: list[float] = field(default_factory=list)
    """One less than there are frames."""
    first: bytes = b""
    last: bytes = b""

    def see(self, frame: av.VideoFrame) -> None:
        """Take in the frame that follows."""
        import numpy as np

        width, height = SIDES
        seen = frame.reformat(width, height, "yuv444p", interpolation="AREA").to_ndarray().reshape(3, -1)
        data = seen.astype(np.uint8).tobytes()
        if self.last:
            before = np.frombuffer(self.last, np.uint8).reshape(3, -1)
            apart = np.abs(seen.astype(np.int16) - before).mean(axis=1)
            self.differences.append(float(apart.sum()))
        else:
            self.first = data
        self.last = data
        assert frame.pts is not None
        self.times.append(frame.pts)

    def to_bytes(self) -> bytes:
        """Return what a part keeps: a head, then times, differences, the first frame and the last."""
        count = len(self.times)
        made = struct.pack(f"<{count}q{len(self.differences)}f", *self.times, *self.differences)
        return _HEAD.pack(count, len(self.first)) + made + self.first + self.last

    @classmethod
    def from_bytes(cls, data: bytes) -> Differences:
        """Read back what `to_bytes` gave."""
        count, pixels = _HEAD.unpack_from(data)
        apart = max(count - 1, 0)
        times = struct.unpack_from(f"<{count}q", data, _HEAD.size)
        differences = struct.unpack_from(f"<{apart}f", data, _HEAD.size + 8 * count)
        at = _HEAD.size + 8 * count + 4 * apart
        return cls(list(times), list(differences), data[at : at + pixels], data[at + pixels :])


def joined(segments: Iterable[Differences]) -> Differences:
    """Return the differences of segments that follow each other, as if one worker had seen them all."""
    whole = Differences()
    for segment in segments:
        if not segment.times:
            continue
        if whole.times:
            whole.differences.append(_apart(whole.last, segment.first))
        whole.first = whole.first or segment.first
        whole.last = segment.last
        whole.times += segment.times
        whole.differences += segment.differences
    return whole


def _apart(one: bytes, other: bytes) -> float:
    """Return how much two frames differ, as `see` has it: rounded to 32 bits, as a part keeps it."""
    third = _PIXELS // 3
    planes = (
        sum(abs(a - b) for a, b in zip(one[at : at + third], other[at : at + third], strict=True)) / third
        for at in range(0, _PIXELS, third)
    )
    return float(struct.unpack("<f", struct.pack("<f", sum(planes)))[0])


def cuts(seen: Differences, time_base: Fraction) -> list[int]:
    """Return the pts of the first frame of every scene but the first."""
    found: list[int] = []
    begins = seen.times[0] if seen.times else 0
    for at, time in enumerate(seen.times[1:]):
        if _stands_out(seen.differences, at) and (time - begins) * time_base >= SHORTEST_S:
            found.append(time)
            begins = time
    return found


def _stands_out(differences: Sequence[float], at: int) -> bool:
    if differences[at] < LEAST_DIFFERENCE:
        return False
    around = [*differences[max(0, at - AROUND) : at], *differences[at + 1 : at + 1 + AROUND]]
    return differences[at] >= STANDS_OUT * (sum(around) / len(around)) if around else True


def described(seen: Differences, time_base: Fraction, zero: Fraction, stop: Fraction) -> list[dict[str, Any]]:
    """Return the scenes of a video.

    zero: what its timestamps count from, in seconds. stop: when its last frame ends, in seconds behind zero.
    """
    if not seen.times:
        return []
    starts = [seen.times[0], *cuts(seen, time_base)]
    edges = [start * time_base - zero for start in starts]
    return [
        {"start": str(start), "stop": str(end), "start_s": seconds(start), "stop_s": seconds(end), "start_pts": pts}
        for (start, end), pts in zip(pairwise([*edges, max(stop, edges[-1])]), starts, strict=True)
    ]


def seconds(exact: Fraction) -> float:
    """Return seconds rounded to milliseconds, for people."""
    return round(float(exact), 3)
