"""What a worker reads of the object: the bytes of its own samples, in few ranges, and nothing else."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from fanfold.errors import BrokenVideo
from fanfold.kinds.pieces import Pieces
from fanfold.kinds.video.media import Media, Stream
from fanfold.kinds.video.samples import Samples, unpacked
from fanfold.model import Desk, Json, PartObject, Source

GAP_BYTES, GAPS_BYTES = 64 << 10, 64 << 20
"""What lies between two samples is read along rather than asked for anew; and how much of that in a segment."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some samples of one stream, and the bytes of each."""

    stream: Stream
    samples: Samples
    data: Sequence[bytes | memoryview]

    def cut(self, last: int) -> Stretch:
        """Return the samples before `last`."""
        return Stretch(self.stream, self.samples.cut(0, last), self.data[:last])


@dataclass(frozen=True, slots=True)
class Segment:
    """What one worker has: the samples of its segment."""

    number: int
    start: int
    """What is shown in [start, stop) is this segment's, in ticks of the media's clock."""
    stop: int
    video: Stretch | None
    """With what must be decoded besides to show it."""
    own: int
    """How many of the pictures lie in the segment in the order of decoding; those behind belong to the next one."""
    audio: Sequence[Stretch]


def stored(source: Source, layout: Json, desk: Desk) -> Source:
    """Return where the samples of segments are: in the object, or where its preparation left them."""
    if "stored" not in layout:
        return source
    return Pieces([PartObject(*one) for one in layout["stored"]], desk.read)


def read_segment(source: Source, media: Media, span: Mapping[str, Any]) -> Segment:
    """Read a segment. Raises BrokenVideo where the object ends before it does."""
    streams = ([media.video] if media.video else []) + list(media.audio)
    listed = [span["video"] if stream.kind == "video" else span["audio"][str(stream.index)] for stream in streams]
    found = [(Samples.from_json(one), _places(unpacked(one["gaps"]), unpacked(one["sizes"]))) for one in listed]
    ranges = _ranges([place for _, places in found for place in places])
    blocks = {start: memoryview(source.read(start, stop)) for start, stop in ranges}
    starts = sorted(blocks)
    stretches = []
    for stream, (samples, places) in zip(streams, found, strict=True):
        stretches.append(Stretch(stream, samples, [_taken(blocks, starts, start, stop) for start, stop in places]))
    video = stretches.pop(0) if media.video else None
    own = span["video"]["own"] if video else 0
    return Segment(span["segment"], span["start"], span["stop"], video, own, stretches)


def _places(gaps: Sequence[int], sizes: Sequence[int]) -> list[tuple[int, int]]:
    ends = list(accumulate(gap + size for gap, size in zip(gaps, sizes, strict=True)))
    return [(end - size, end) for end, size in zip(ends, sizes, strict=True)]


def _ranges(places: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join places that overlap, or lie near each other."""
    joined: list[tuple[int, int]] = []
    spare = GAPS_BYTES
    for start, stop in sorted(places):
        gap = start - joined[-1][1] if joined else spare + 1
        if gap <= min(GAP_BYTES, spare):
            spare -= max(gap, 0)
            joined[-1] = joined[-1][0], max(stop, joined[-1][1])
        else:
            joined.append((start, stop))
    return joined


def _taken(blocks: Mapping[int, memoryview], starts: Sequence[int], start: int, stop: int) -> memoryview:
    at = starts[bisect_right(starts, start) - 1]
    data = blocks[at][start - at : stop - at]
    if len(data) != stop - start:
        raise BrokenVideo(f"a sample goes on to byte {stop:,}; the object ends before")
    return data
