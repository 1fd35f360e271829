"""The share of a worker of a Matroska file (RFC 9559): the clusters that begin in its bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from fanfold.errors import BrokenVideo, UnsupportedVideo
from fanfold.kinds.video.laying import clusters
from fanfold.kinds.video.laying.clusters import Chain
from fanfold.kinds.video.laying.elements import element, void
from fanfold.kinds.video.laying.leading import Lead
from fanfold.kinds.video.laying.shares import Rationed
from fanfold.model import Json, Source

VOID_BYTES = 1 << 30
"""How large a Void is at most: libavformat counts in 31 bits how far it may skip."""


@dataclass(frozen=True, slots=True)
class Voided:
    """A source of which the bytes up to `stop` from the first of some places on are Void elements, and never read."""

    source: Source
    headers: Sequence[tuple[int, bytes]]
    """The places of the elements, and how each begins."""
    stop: int

    @property
    def size_bytes(self) -> int:
        return self.source.size_bytes

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes in [start, stop), cut at the end."""
        first = self.headers[0][0]
        before = self.source.read(start, min(stop, first)) if start < first else b""
        within = bytearray(max(0, min(stop, self.stop) - max(start, first)))
        base = max(start, first)
        for at, header in self.headers:
            if at + len(header) > base and at < base + len(within):
                shown = header[max(0, base - at) : base + len(within) - at]
                within[max(0, at - base) : max(0, at - base) + len(shown)] = shown
        behind = self.source.read(max(start, self.stop), stop) if stop > self.stop else b""
        return before + bytes(within) + behind


class ClusterShare:
    """The clusters of a Matroska file that begin in [start, stop).

    What lies between the beginning and the first of them is made Void, which a demuxer skips without reading it
    (RFC 8794, 11.3.2). So every place is the one that it has in the object.
    """

    def __init__(self, source: Rationed, start: int, stop: int, lead: Lead) -> None:
        found = clusters.segment(source)
        if found is None:
            raise BrokenVideo("the object has no segment with a cluster")
        self.view: Source = source
        self._source = source
        self.is_first = not start
        self._start, self._stop = start, stop
        self._begin: int | None = found.cluster
        if start:
            self._begin = clusters.find(source, start, min(stop, found.stop), found.stop)
        if self._begin is None:
            return
        if start:
            headers = list(_voids(source, found.cluster, lead.probed, self._begin))
            self.view = Voided(source, headers, self._begin) if headers else source
        self._chain = Chain(source, self._begin, found.stop)

    def packets(self, found: InputContainer, streams: Sequence[Stream]) -> Iterator[Packet[Any]]:
        """Yield the packets of some streams. Raises UnsupportedVideo where one does not say where it lies."""
        if self._begin is None:
            return
        for packet in found.demux(streams):
            if not packet.size:
                continue
            if packet.pos is None:
                raise UnsupportedVideo(f"a packet of stream {packet.stream.index} has no place")
            if packet.pos >= self._begin:
                self._chain.pass_by(packet.pos)
                if self._chain.cluster >= self._stop:
                    return
                yield packet

    def told(self) -> dict[str, Json]:
        """Return what tells whether the share follows the one before it."""
        told: dict[str, Json] = {"start": self._start, "stop": self._stop, "begin": self._begin}
        if self._begin is None:
            return told
        end = self._chain.reach(self._stop)
        if self._source.is_spent:
            return {"unproven": f"the last cluster goes on behind what may be read from byte {self._stop:,} on"}
        if self._chain.is_broken:
            return {"unproven": f"what follows the element before byte {self._chain.at:,} is none"}
        return told | {"end": end}


def _voids(source: Source, cluster: int, probed: int, begin: int) -> Iterator[tuple[int, bytes]]:
    """Yield places and headers of what is made Void, from the first element that begins at or behind `probed`."""
    at, outer = cluster, None
    while at < probed:
        found = element(source, at)
        if found is None:
            raise BrokenVideo(f"what is at byte {at:,} is no element")
        if found.id == clusters.CLUSTER and (found.stop is None or found.stop > probed):
            at, outer = found.body, found.stop
        elif found.stop is None:
            raise BrokenVideo(f"the element at byte {at:,} does not say where it ends")
        else:
            at = found.stop
    if at >= begin:
        return
    for end in (begin,) if outer is None else (outer, begin):
        while at < end:
            length = end - at if end - at <= VOID_BYTES else VOID_BYTES // 2
            yield at, void(length)
            at += length
