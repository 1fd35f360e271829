"""Where the clusters of a Matroska file are (RFC 9559): by its cues, by its elements in order, by their looks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fanfold.kinds.video.laying.elements import CRC, VOID, Element, Held, children, element, number
from fanfold.model import Source

SEGMENT, SEEK_HEAD, CLUSTER, CUES = 0x18538067, 0x114D9B74, 0x1F43B675, 0x1C53BB6B
SEEK, SEEK_ID, SEEK_POSITION = 0x4DBB, 0x53AB, 0x53AC
CUE_POINT, CUE_TRACK_POSITIONS, CUE_CLUSTER_POSITION = 0xBB, 0xB7, 0xF1
TIMESTAMP = 0xE7

TOP = frozenset({SEEK_HEAD, CLUSTER, CUES, 0x1549A966, 0x1654AE6B, 0x1941A469, 0x1043A770, 0x1254C367})
"""What a segment is made of: the above, Info, Tracks, Attachments, Chapters, Tags."""

INSIDE = frozenset({TIMESTAMP, 0xA3, 0xA0, 0xA7, 0xAB, 0x5854, 0xAF, VOID, CRC})
"""What a cluster is made of: Timestamp, SimpleBlock, BlockGroup, Position, PrevSize, SilentTracks, EncryptedBlock."""

CUES_LIMIT_BYTES = 16 << 20
SEEK_HEAD_LIMIT_BYTES = 64 << 10

HEAD_LIMIT = 1000
"""The most elements before the first cluster."""

LOOKS_LIMIT = 1000
"""How much in one share may begin like a cluster and be none."""

LOOKED_BYTES = 1 << 20
"""How much is looked through at once."""


@dataclass(frozen=True, slots=True)
class Segment:
    """What a file holds: where its elements begin and end."""

    body: int
    stop: int
    cluster: int
    """Where the first cluster begins."""
    seeks: dict[int, int]
    """Where others begin, by their ids, as the segment itself says."""


def segment(source: Source) -> Segment | None:
    """Return the first segment of a file, None if it has none with a cluster."""
    header = element(source, 0)
    found = element(source, header.stop) if header and header.stop else None
    if found is None or found.id != SEGMENT:
        return None
    stop = source.size_bytes if found.stop is None else min(found.stop, source.size_bytes)
    seeks: dict[int, int] = {}
    at = found.body
    for _ in range(HEAD_LIMIT):
        one = element(source, at)
        if one and one.id == CLUSTER:
            return Segment(found.body, stop, at, seeks)
        if one is None or one.stop is None or one.stop > stop:
            break
        if one.id == SEEK_HEAD and one.stop - one.body <= SEEK_HEAD_LIMIT_BYTES:
            seeks |= dict(_seeks(source, one, found.body))
        elif one.id == CUES:
            seeks[CUES] = at
        at = one.stop
    return None


def _seeks(source: Source, head: Element, body: int) -> Iterator[tuple[int, int]]:
    assert head.stop is not None
    for seek in children(source, head.body, head.stop):
        if seek.id == SEEK and seek.stop is not None:
            said = {one.id: number(source, one) for one in children(source, seek.body, seek.stop)}
            if SEEK_ID in said and SEEK_POSITION in said:
                yield said[SEEK_ID], body + said[SEEK_POSITION]


def cued(source: Source, found: Segment) -> list[int]:
    """Return where clusters begin that the cues name, in order; none where there are no cues."""
    cues = element(source, found.seeks[CUES]) if CUES in found.seeks else None
    if cues is None or cues.id != CUES or cues.stop is None or cues.stop - cues.start > CUES_LIMIT_BYTES:
        return []
    held = Held(cues.body, source.read(cues.body, cues.stop))
    places = {
        found.body + number(held, one)
        for point in children(held, cues.body, cues.stop)
        if point.id == CUE_POINT and point.stop is not None
        for positions in children(held, point.body, point.stop)
        if positions.id == CUE_TRACK_POSITIONS and positions.stop is not None
        for one in children(held, positions.body, positions.stop)
        if one.id == CUE_CLUSTER_POSITION
    }
    return sorted(place for place in places if found.cluster <= place < found.stop)


def find(source: Source, start: int, stop: int, end: int) -> int | None:
    """Return where the first cluster begins in [start, stop), as far as its looks tell; `end`: of the segment."""
    mark, looks = CLUSTER.to_bytes(4, "big"), 0
    for begin in range(start, stop, LOOKED_BYTES):
        # The mark may begin in this block and end in the next one.
        data = source.read(begin, min(begin + LOOKED_BYTES, stop) + len(mark) - 1)
        at = data.find(mark)
        while at >= 0:
            if _is_likely(source, begin + at, end):
                return begin + at
            looks += 1
            if looks == LOOKS_LIMIT:
                return None
            at = data.find(mark, at + 1)
    return None


def _is_likely(source: Source, at: int, end: int) -> bool:
    """Tell whether what begins like a cluster has a time, and is followed by what may follow."""
    found = element(source, at)
    if found is None or (found.stop is not None and found.stop > end):
        return False
    child = element(source, found.body)
    while child and child.id in (CRC, VOID) and child.stop is not None and child.stop < end:
        child = element(source, child.stop)
    if child is None or child.id != TIMESTAMP or child.stop is None or child.stop - child.body > 8:
        return False
    if found.stop is None:
        behind = element(source, child.stop)
        return behind is not None and behind.id in INSIDE | TOP
    if found.stop == end:
        return True
    behind = element(source, found.stop)
    return behind is not None and behind.id in TOP | {VOID}


class Chain:
    """Follows the elements of a segment from one cluster on, each from the end of the one before it."""

    def __init__(self, source: Source, cluster: int, end: int) -> None:
        self._source, self._end = source, end
        self._inside = False
        """Whether it goes from child to child, in a cluster that does not say where it ends."""
        self.cluster = self.at = cluster
        """Where the last cluster began, and the element that comes next."""
        self.is_broken = False

    @property
    def is_over(self) -> bool:
        return self.at >= self._end or self.is_broken

    def step(self) -> None:
        """Pass one element."""
        found = element(self._source, self.at)
        if found is None or (found.stop or found.body) > self._end:
            self.is_broken = True
        elif found.id in TOP or (found.id in (VOID, CRC) and not self._inside):
            self.cluster = self.at if found.id == CLUSTER else self.cluster
            self._inside = found.id == CLUSTER and found.stop is None
            self.is_broken = found.stop is None and not self._inside
            self.at = found.body if found.stop is None else found.stop
        elif self._inside and found.id in INSIDE and found.stop is not None:
            self.at = found.stop
        else:
            self.is_broken = True

    def pass_by(self, place: int) -> None:
        """Pass every element up to the one that a place lies in."""
        while self.at <= place and not self.is_over:
            self.step()

    def reach(self, place: int) -> int:
        """Return where the first cluster begins that does not begin before a place; the end, if none does."""
        while self.cluster < place and not self.is_over:
            self.step()
        return self.cluster if self.cluster >= place else self._end
