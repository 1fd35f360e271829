"""The share of a worker of a transport stream (ISO/IEC 13818-1), which has no index, and nothing to look for.

A packet of a stream (PES) belongs to the worker in whose bytes it begins, and with it the frames that begin in it. A
demuxer is led there from the beginning of the object, and some way before, so that its parsers are in step when it
arrives. It goes on until it has seen the first frames of the next worker: whoever is not in step sees others.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from fanfold.kinds.video.formats import PACKET_BYTES
from fanfold.model import Json, Source

BEFORE_BYTES = 2 << 20
"""How much is read before a share: some frames of every stream, at the rates of broadcasts."""

BEHIND_BYTES = 6 << 20
"""How much is read behind it at most, to see the next worker's first frames."""

SEEN_ALIKE = 4
"""How many frames of each stream two neighbours must see alike."""


@dataclass(frozen=True, slots=True)
class Spliced:
    """A source of which the bytes between `head` and `resumes` are left out."""

    source: Source
    head: int
    resumes: int

    @property
    def size_bytes(self) -> int:
        return self.head + self.source.size_bytes - self.resumes

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes in [start, stop), cut at the end."""
        stop = min(stop, self.size_bytes)
        before = self.source.read(start, min(stop, self.head)) if start < self.head else b""
        behind = self.source.read(self.place(max(start, self.head)), self.place(stop)) if stop > self.head else b""
        return before + behind

    def place(self, offset: int) -> int:
        """Return which byte of the source is at an offset."""
        return offset if offset < self.head else offset - self.head + self.resumes


class PacketShare:
    """The packets that begin in [start, stop)."""

    def __init__(self, source: Source, start: int, stop: int, probed: int) -> None:
        """`probed`: how many bytes tell what the streams are."""
        self.is_first = not start
        self._start, self._stop = start, stop
        head = -(-probed // PACKET_BYTES) * PACKET_BYTES
        resumes = max(head, (start - BEFORE_BYTES) // PACKET_BYTES * PACKET_BYTES)
        self.view = Spliced(source, head, resumes)
        self._reaches_end = False
        self._first: dict[int, list[Json]] = {}
        self._behind: dict[int, list[Json]] = {}

    def packets(self, found: InputContainer, streams: Sequence[Stream]) -> Iterator[Packet[Any]]:
        """Yield the frames of some streams."""
        self._first = {stream.index: [] for stream in streams}
        self._behind = {stream.index: [] for stream in streams}
        # Where the packet begins that a stream's last frame begins in: of frames in one packet the first has its place.
        places = dict.fromkeys(self._first, -1)
        for packet in found.demux(streams):
            if not packet.size:
                continue
            stream = packet.stream.index
            if packet.pos is not None:
                places[stream] = self.view.place(packet.pos)
            if self._start <= places[stream] < self._stop:
                _keep(packet, self._first[stream])
                yield packet
            elif places[stream] >= self._stop:
                _keep(packet, self._behind[stream])
                if all(len(seen) == SEEN_ALIKE for seen in self._behind.values()):
                    return
                if places[stream] >= self._stop + BEHIND_BYTES:
                    return
        self._reaches_end = True

    def told(self) -> dict[str, Json]:
        """Return what tells whether the share follows the one before it."""
        if not self._reaches_end and not all(self._behind.values()):
            return {"unproven": f"a stream has no frame in the {BEHIND_BYTES:,} bytes from byte {self._stop:,} on"}
        first, behind = list(self._first.values()), list(self._behind.values())
        reach = {"start": self._start, "stop": self._stop, "begin": self._start, "end": self._stop}
        return reach | {"first": first, "behind": behind}


def _keep(packet: Packet[Any], seen: list[Json]) -> None:
    if len(seen) < SEEN_ALIKE:
        seen.append([packet.pts, packet.duration, packet.is_keyframe, packet.size, zlib.crc32(bytes(packet))])
