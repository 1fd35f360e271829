"""WebM's clusters: pictures and sound in one order of time, and so woven by workers, of what other workers left.

A merge copies what lies one behind the other. Here every picture has a head of its own, and sound between it and the
next one; sound that is encoded is not there before all pictures are. So a round of its own writes whole clusters, in
objects that are large enough to be copied inside S3.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from fanfold.kinds.video import opus
from fanfold.kinds.video.samples import deltas, packed, unpacked
from fanfold.kinds.video.webm import ebml
from fanfold.kinds.video.webm.blocks import SECOND_NS, Blocks
from fanfold.model import Desk, Json

OBJECT_BYTES = 32 << 20
"""How much a worker weaves, but for what lies between two borders."""

SPAN_BYTES = 160 << 10
"""How long the span of a line is at most: the state machine hands on 256 KiB."""

BLOCK_TOLD_BYTES, PLACE_TOLD_BYTES = 8, 32
"""What a span says of a block takes fewer; and what it says of a place, besides the key."""

LEAST_CLUSTER_S, MOST_CLUSTER_S = 1, 5
"""A cluster ends at the first keyframe after so long, and after so long whatever comes."""

RELATIVE_LIMIT = 0x7FFF
"""How far a block can be from the beginning of its cluster (RFC 9559, 10.2)."""

CLUSTERS = "clusters"

_CLUSTER, _TIMESTAMP, _SIMPLE_BLOCK, _BLOCK_GROUP, _BLOCK = 0x1F43B675, 0xE7, 0xA3, 0xA0, 0xA1
_DISCARD_PADDING = 0x75A2


def spans(rendition: str, scale_ns: int, tracks: Sequence[Blocks]) -> Iterator[dict[str, Json]]:
    """Yield the spans of lines that together weave all blocks, cut at the first track's keyframes if there are."""
    borders = list(_borders(tracks))
    for group in zip(*(track.split(borders) for track in tracks), strict=True):
        woven = [blocks.to_json() for blocks in group if len(blocks.times)]
        yield {"weave": rendition, "scale_ns": scale_ns, "tracks": woven}


@dataclass(frozen=True, slots=True)
class _Border:
    at: int
    """A tick."""
    blocks: Sequence[int]
    """How many blocks of each track are before it."""


def _borders(tracks: Sequence[Blocks]) -> Iterator[int]:
    """Yield the ticks at which a line ends and the next one begins."""
    counts = [_Counts.of(track) for track in tracks]
    began = _Border(min(track.times[0] for track in tracks), [0] * len(tracks))
    last = last_key = began
    for at, is_key in _candidates(tracks):
        found = _Border(at, [bisect_left(track.times, at, low) for track, low in zip(tracks, last.blocks, strict=True)])
        while last is not began and _too_much(began, found, counts):
            began = last if last_key is began else last_key
            last_key = began
            yield began.at
        last, last_key = found, found if is_key else last_key


def _candidates(tracks: Sequence[Blocks]) -> list[tuple[int, bool]]:
    """Return ticks between which there are few enough blocks, those of keyframes marked; behind them the end."""
    guide = tracks[0]
    keys = guide.times if guide.keys is None else [guide.times[key] for key in guide.keys]
    every = max(1, SPAN_BYTES // BLOCK_TOLD_BYTES // len(tracks) // 2)
    found = dict.fromkeys((time for track in tracks for time in track.times[::every]), False)
    found |= dict.fromkeys(keys, True)
    return [*sorted(found.items()), (max(track.times[-1] for track in tracks) + 1, False)]


@dataclass(frozen=True, slots=True)
class _Counts:
    """How much a track's blocks come to, from its first one on."""

    offsets: Sequence[int]
    """Where each block begins in the bytes of all."""
    places: Sequence[int]
    """Where each place does."""
    place_told_bytes: int

    @classmethod
    def of(cls, track: Blocks) -> _Counts:
        lengths = (stop - start for _, start, stop in track.places)
        key = max(len(made.key) for made, _, _ in track.places)
        return cls(
            list(accumulate(track.sizes, initial=0)),
            list(accumulate(lengths, initial=0)),
            PLACE_TOLD_BYTES + key,
        )

    def bytes_in(self, start: int, stop: int) -> int:
        return self.offsets[stop] - self.offsets[start]

    def told_bytes_in(self, start: int, stop: int) -> int:
        """Return how long a span is that tells of the blocks [start, stop)."""
        first, last = bisect_left(self.places, self.offsets[start]), bisect_left(self.places, self.offsets[stop])
        return BLOCK_TOLD_BYTES * (stop - start) + self.place_told_bytes * (last - first + 1)


def _too_much(began: _Border, found: _Border, counts: Sequence[_Counts]) -> bool:
    all_of = list(zip(counts, began.blocks, found.blocks, strict=True))
    if sum(one.bytes_in(start, stop) for one, start, stop in all_of) > OBJECT_BYTES:
        return True
    return sum(one.told_bytes_in(start, stop) for one, start, stop in all_of) > SPAN_BYTES


def weave(span: Mapping[str, Json], desk: Desk) -> Mapping[str, Json]:
    """Write the clusters of a line; return when each begins, how long it is and whether one can begin to play there."""
    tracks = [Blocks.from_json(one) for one in span["tracks"]]
    made = list(clusters(tracks, [_read(track, desk) for track in tracks], span["scale_ns"]))
    desk.write(CLUSTERS, b"".join(part for cluster in made for part in cluster.parts))
    return {
        "times": packed(deltas([cluster.at for cluster in made])),
        "sizes": packed([cluster.size_bytes for cluster in made]),
        "keys": packed([int(cluster.is_key) for cluster in made]),
    }


def _read(track: Blocks, desk: Desk) -> memoryview:
    return memoryview(b"".join(desk.read(made, start, stop) for made, start, stop in track.places))


@dataclass(slots=True)
class Cluster:
    """Blocks that are due within a few seconds."""

    at: int
    """When the first of them is due, in ticks."""
    is_key: bool
    """Whether that one is a keyframe of the guide: pictures, or the first sound where there are none."""
    blocks: list[bytes | memoryview] = field(default_factory=list)

    @property
    def parts(self) -> list[bytes | memoryview]:
        at = ebml.unsigned(_TIMESTAMP, self.at)
        size = len(at) + sum(map(len, self.blocks))
        return [ebml.name(_CLUSTER) + ebml.sized(size) + at, *self.blocks]

    @property
    def size_bytes(self) -> int:
        return sum(map(len, self.parts))


def clusters(tracks: Sequence[Blocks], data: Sequence[memoryview], scale_ns: int) -> Iterator[Cluster]:
    """Yield all blocks in their order of time, pictures before the sound that is due with them."""
    least, most = (
        min(seconds * SECOND_NS // scale_ns, RELATIVE_LIMIT) for seconds in (LEAST_CLUSTER_S, MOST_CLUSTER_S)
    )
    order = sorted((time, at, number) for at, track in enumerate(tracks) for number, time in enumerate(track.times))
    keys = [None if track.keys is None else frozenset(track.keys) for track in tracks]
    ends = [list(accumulate(track.sizes, initial=0)) for track in tracks]
    cluster: Cluster | None = None
    for time, at, number in order:
        track, found = tracks[at], keys[at]
        is_key = found is None or number in found
        is_guide = is_key and track.number == 1
        if cluster is None or time - cluster.at >= most or (is_guide and time - cluster.at >= least):
            if cluster:
                yield cluster
            cluster = Cluster(time, is_guide)
        frame = data[at][ends[at][number] : ends[at][number + 1]]
        padding_ns = _padding_ns(track, frame) if number == len(track.times) - 1 else 0
        cluster.blocks += _block(track.number, time - cluster.at, is_key, frame, padding_ns)
    if cluster:
        yield cluster


def _padding_ns(track: Blocks, last: memoryview) -> int:
    """Return how much of the last block of a track is not to be heard."""
    if track.last_ns is None:
        return 0
    length_ns, heard_ns = track.last_ns
    return max(0, (length_ns or opus.samples(last) * SECOND_NS // opus.RATE) - heard_ns)


def _block(
    track: int, relative: int, is_key: bool, frame: memoryview, padding_ns: int
) -> tuple[bytes, memoryview, bytes]:
    """Return what stands before a frame, the frame, and what stands behind it (10.1, 10.2)."""
    told = ebml.sized(track) + relative.to_bytes(2, "big")
    if not padding_ns:
        told += b"\x80" if is_key else b"\0"
        return ebml.name(_SIMPLE_BLOCK) + ebml.sized(len(told) + len(frame)) + told, frame, b""
    # Of a block without padding the short form says all.
    told += b"\0"
    block = ebml.name(_BLOCK) + ebml.sized(len(told) + len(frame)) + told
    padding = ebml.signed(_DISCARD_PADDING, padding_ns)
    return ebml.name(_BLOCK_GROUP) + ebml.sized(len(block) + len(frame) + len(padding)) + block, frame, padding


def told(facts: Mapping[str, Json]) -> Iterator[tuple[int, int, bool]]:
    """Yield when each cluster begins, how long it is, and whether one can begin to play there."""
    times = accumulate(unpacked(facts["times"]))
    yield from zip(times, unpacked(facts["sizes"]), map(bool, unpacked(facts["keys"])), strict=True)
