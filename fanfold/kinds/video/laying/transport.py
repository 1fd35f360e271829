"""The share of a worker of a transport stream (ISO/IEC 13818-1), which has no index, and nothing to look for.

A packet of a stream (PES) belongs to the worker in whose bytes it begins, and with it the frames that begin in it. A
demuxer that knows the streams is set there anew, or some way before where frames begin anywhere, so that its parsers
are in step when it arrives. It goes on until it has seen the first frames of the next worker: whoever is not in step
sees others. Where those of a stream are too far away, it is enough that its last packet held whole frames and nothing
else, and the next one begins with a frame.
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
from fanfold.kinds.video.laying import pes
from fanfold.kinds.video.laying.elements import Held
from fanfold.kinds.video.laying.leading import Lead
from fanfold.kinds.video.laying.shares import SEEN_ALIKE, Rationed
from fanfold.model import Json, Source

BEFORE_BYTES = 700_000
"""How much is read before a share where frames begin anywhere."""


NEAR_BYTES = 16 << 20
"""How far before the end of a share the last packet of a stream may begin."""

TABLES_BYTES = 2 << 20
"""How much before the end of a share tells which streams there are: tables of programmes are there twice a second."""


@dataclass(slots=True)
class Ending:
    """What tells of a stream in a share whether another may follow unseen: its last packet, and the frames therein."""

    is_clean: bool = True
    """Whether the first packet began with a frame."""
    place: int = -1
    checksum: int = 0
    size_bytes: int = 0
    last: Sequence[int | None] = ()
    """Time and duration of the last frame; nothing, if there is none."""

    def take(self, packet: Packet[Any], place: int) -> None:
        """Take a frame that begins in the packet at a place."""
        if place != self.place:
            self.place, self.checksum, self.size_bytes = place, 0, 0
        self.checksum = zlib.crc32(bytes(packet), self.checksum)
        self.size_bytes += packet.size

    def is_whole(self, source: Source, pid: int) -> bool:
        """Tell whether the last packet held frames and nothing else."""
        held = pes.payload(source, self.place, pid) if self.place >= 0 else None
        return held is not None and (len(held), zlib.crc32(held)) == (self.size_bytes, self.checksum)


class Led:
    """What a demuxer is shown: what tells of the streams, then the object."""

    def __init__(self, lead: Lead, source: Source) -> None:
        self._object, self._shown = source, Held(0, lead.head) if lead.head else source

    def lead_on(self) -> None:
        """Show the object from now on."""
        self._shown = self._object

    @property
    def size_bytes(self) -> int:
        return self._shown.size_bytes

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes in [start, stop), cut at the end."""
        return self._shown.read(start, stop)


class PacketShare:
    """The packets that begin in [start, stop)."""

    def __init__(self, source: Rationed, start: int, stop: int, lead: Lead) -> None:
        self.is_first = not start
        self._start, self._stop = start, stop
        self._source, self._lead = source, lead
        self._led = Led(lead, source)
        self.view: Source = self._led if start else source
        before = start if lead.aligned else max(0, start - BEFORE_BYTES)
        self._begin = before - before % PACKET_BYTES
        self._reaches_end = False
        self._first: dict[int, list[Json]] = {}
        self._behind: dict[int, list[Json]] = {}
        self._endings: dict[int, Ending] = {}
        self._pids: dict[int, int] = {}

    def packets(self, found: InputContainer, streams: Sequence[Stream]) -> Iterator[Packet[Any]]:
        """Yield the frames of some streams."""
        self._pids = {stream.index: stream.id for stream in streams}
        self._first = {stream: [] for stream in self._pids}
        self._behind = {stream: [] for stream in self._pids}
        self._endings = {stream: Ending() for stream in self._pids}
        # Where the packet begins that a stream's last frame begins in: of frames in one packet the first has its place.
        places = dict.fromkeys(self._pids, -1)
        if not self.is_first:
            self._led.lead_on()
            # Parsers begin anew, and nothing that was read so far is a frame.
            found.seek(self._begin, unsupported_byte_offset=True)
        for packet in found.demux(streams):
            if not packet.size:
                continue
            stream = packet.stream.index
            if packet.pos is not None:
                places[stream] = packet.pos
            place = places[stream]
            if self._start <= place < self._stop:
                self._see(packet, place)
                yield packet
            # What comes when no more may be read may be the beginning of a frame.
            elif place >= self._stop and not self._source.is_spent:
                _keep(packet, self._behind[stream])
                if all(len(seen) == SEEN_ALIKE for seen in self._behind.values()):
                    return
        self._reaches_end = not self._source.is_spent

    def _see(self, packet: Packet[Any], place: int) -> None:
        """Keep of a frame of the share what tells whether others saw it, and follow it."""
        stream = packet.stream.index
        ending = self._endings[stream]
        if not ending.last:
            ending.is_clean = pes.begins_with(self._source, place, bytes(packet))
        ending.last = packet.pts, packet.duration
        _keep(packet, self._first[stream])
        if place >= self._stop - NEAR_BYTES:
            ending.take(packet, place)

    def told(self) -> dict[str, Json]:
        """Return what tells whether the share follows the one before it."""
        told: dict[str, Json] = {"start": self._start, "stop": self._stop, "begin": self._start, "end": self._stop}
        told |= {"first": list(self._first.values()), "behind": list(self._behind.values())}
        told["clean"] = [one.is_clean for one in self._endings.values()]
        if self._reaches_end or all(self._behind.values()):
            return told
        unseen = [stream for stream, seen in self._behind.items() if not seen and self._endings[stream].last]
        if not all(self._endings[stream].is_whole(self._source, self._pids[stream]) for stream in unseen):
            return {"unproven": f"a stream has no frame in what may be read from byte {self._stop:,} on"}
        if not self._are_listed():
            return {"unproven": f"before byte {self._stop:,} programmes are not listed as at the beginning"}
        return told | {"last": [None if seen else self._endings[one].last for one, seen in self._behind.items()]}

    def _are_listed(self) -> bool:
        """Tell whether the object says of its streams the same at the end of the share as at its beginning."""
        begin = max(self._start, self._stop - TABLES_BYTES)
        data = self._source.read(begin + -begin % PACKET_BYTES, self._stop)
        return set(data[::PACKET_BYTES]) == {pes.SYNC} and pes.programmes(data) == pes.programmes(self._lead.head)


def _keep(packet: Packet[Any], seen: list[Json]) -> None:
    if len(seen) < SEEN_ALIKE:
        seen.append([packet.pts, packet.duration, packet.is_keyframe, packet.size, zlib.crc32(bytes(packet))])
