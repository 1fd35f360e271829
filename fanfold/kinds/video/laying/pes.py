"""Packets of an MPEG transport stream (ISO/IEC 13818-1, 2.4.3): as far as it takes to find what they carry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from fanfold.kinds.video.formats import PACKET_BYTES
from fanfold.model import Source

SYNC = 0x47

FIRST_PACKETS = 400
"""How many packets are kept of the first picture: what tells of the streams is at its beginning."""

BEGINNING_PACKETS = 2
"""And of those that follow: their times."""

SOUND_PACKETS = 100
"""How many are kept of a sound."""

LONGEST_BYTES = 1 << 20
"""How much a PES is looked for in, from its beginning on."""

OTHER_PACKETS = 4
"""And of everything else, as tables of programmes are."""


@dataclass(frozen=True, slots=True)
class TransportPacket:
    """One packet."""

    place: int
    pid: int
    begins: bool
    """Whether a unit begins in it: a PES, or a section of a table."""
    payload: bytes


def packets(data: bytes, place: int) -> Iterator[TransportPacket]:
    """Yield the packets of some bytes that lie at a place, up to the first that is none."""
    for at in range(0, len(data) - PACKET_BYTES + 1, PACKET_BYTES):
        if data[at] != SYNC:
            return
        head = int.from_bytes(data[at + 1 : at + 4], "big")
        body = at + 4 + (1 + data[at + 4] if head & 0x20 else 0)
        payload = data[body : at + PACKET_BYTES] if head & 0x10 else b""
        yield TransportPacket(place + at, head >> 8 & 0x1FFF, bool(head & 0x400000), payload)


def head(source: Source, size_bytes: int, pictures: Collection[int], sounds: Collection[int]) -> bytes:
    """Return of the beginning of an object what tells of its streams: of each the first packets, in their order.

    `pictures`, `sounds`: the PIDs of those that are played.
    """
    data = source.read(0, size_bytes)
    kept, seen, begun = bytearray(), Counter[int](), Counter[int]()
    for packet in packets(data, 0):
        begun[packet.pid] += packet.begins
        seen[packet.pid] = 1 if packet.begins and packet.pid in pictures else seen[packet.pid] + 1
        if packet.pid in pictures:
            limit = FIRST_PACKETS if begun[packet.pid] <= 1 else BEGINNING_PACKETS
        else:
            limit = SOUND_PACKETS if packet.pid in sounds else OTHER_PACKETS
        if seen[packet.pid] <= limit:
            kept += data[packet.place : packet.place + PACKET_BYTES]
    return bytes(kept)


def begins_with(source: Source, place: int, frame: bytes) -> bool:
    """Tell whether the PES that begins in the packet at a place begins with a frame."""
    found = next(packets(source.read(place, place + PACKET_BYTES), place), None)
    payload = _unwrapped(found.payload) if found and found.begins else None
    return payload[: len(frame)] == frame[: len(payload)] if payload else False


def payload(source: Source, place: int, pid: int) -> bytes | None:
    """Return what the PES holds that begins in the packet at a place; None where its end is not found."""
    held, length = bytearray(), 0
    for packet in packets(source.read(place, place + LONGEST_BYTES), place):
        if packet.pid != pid:
            continue
        if packet.begins and packet.place > place:
            break
        held += packet.payload
        length = int.from_bytes(held[4:6], "big") + 6
        if 6 < length <= len(held):
            return _unwrapped(bytes(held[:length]))
    else:
        return None
    return _unwrapped(bytes(held)) if length == 6 else None


def _unwrapped(pes: bytes) -> bytes | None:
    """Return what follows the header of a PES (2.4.3.6), None if there is none."""
    return pes[9 + pes[8] :] if len(pes) > 9 and pes.startswith(b"\0\0\1") else None


def programmes(data: bytes) -> dict[int, bytes]:
    """Return the last table of every programme in some bytes (2.4.4.9), as far as it lies in one packet, by its PID."""
    listed: set[int] = set()
    found: dict[int, bytes] = {}
    for packet in packets(data, 0):
        if packet.begins and packet.payload and (packet.pid == 0 or packet.pid in listed):
            section = packet.payload[1 + packet.payload[0] :]
            section = section[: 3 + (int.from_bytes(section[1:3], "big") & 0xFFF)]
            found[packet.pid] = section
            if packet.pid == 0:
                # Of each programme its number, and the PID of its table; behind them is a checksum (2.4.4.3).
                entries = (section[at : at + 4] for at in range(8, len(section) - 4 - 3, 4))
                listed |= {int.from_bytes(one[2:], "big") & 0x1FFF for one in entries if any(one[:2])}
    return found
