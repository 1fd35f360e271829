"""When the pictures of an AVI are shown. It counts them, as they are decoded; in which order they are shown, their own
bits say.

As libavcodec has it: a picture that waits for others, which are decoded behind it and shown before it, is shown when
the next one comes that waits. So each is shown at the count of another one, which takes its place.
"""

from __future__ import annotations

import re
from array import array
from typing import Any, Protocol

from av.bitstream import BitStreamFilterContext
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext

from fanfold.errors import BrokenVideo, UnsupportedVideo
from fanfold.kinds.video.laying import vops

HELD_LIMIT = 250
"""How many pictures are held in memory until it is known when one of them is shown."""

REORDERED_LIMIT = 20
"""More than the pictures that one of H.264 can wait for (ITU-T H.264, A.3.1: 16)."""

_UNORDERED = "it cannot be told in which order the pictures of the AVI are shown"

_PACKED = re.compile(rb"DivX\d+[Bb]\w*?\d+p")
"""What those write into the head of MPEG-4 who put two pictures into one chunk."""


class Filter(Protocol):
    """What packets pass through on their way to the muxer."""

    def filter(self, packet: Packet[Any]) -> list[Packet[Any]]: ...

    def rest(self) -> list[Packet[Any]]:
        """Return what was held back, once there are no more packets."""
        ...


def is_told_by_all(found: InputContainer) -> bool:
    """Tell whether only who sees all of an AVI knows when its pictures are shown."""
    for stream in found.streams.video:
        context = stream.codec_context
        if context and context.codec.canonical_name == "h264" and context.has_b_frames:
            return True
        if context and _PACKED.search(context.extradata or b""):
            return True
    return False


def unpacked(entry: bytes) -> bytes:
    """Return a sample entry that says of no chunk that it holds two pictures."""
    return _PACKED.sub(lambda found: found[0][:-1] + b"\0", entry)


def filter_of(stream: Stream, sees_all: bool) -> Filter:
    """Return what gives the pictures of an AVI their times. Raises UnsupportedVideo."""
    context = stream.codec_context
    assert isinstance(context, VideoCodecContext)
    match context.codec.canonical_name:
        case "mpeg4":
            return Unpacked(stream) if sees_all else Plain(stream)
        case codec if not context.has_b_frames:
            return Counted()
        case "h264" if sees_all:
            return Reordered(stream)
        case codec:
            raise UnsupportedVideo(
                f"an AVI does not say when pictures of {codec} are shown of which some wait for others"
            )


class Counted:
    """Pictures of which none waits: each is shown at its count, and not at the next, as libavformat has it of H.264."""

    def filter(self, packet: Packet[Any]) -> list[Packet[Any]]:
        packet.pts = packet.dts
        return [packet]

    def rest(self) -> list[Packet[Any]]:
        return []


class Plain:
    """MPEG-4 of which libavformat gives the times right: a picture in every chunk."""

    def __init__(self, stream: Stream) -> None:
        self._time_bits = vops.time_bits(stream.codec_context.extradata or b"")

    def filter(self, packet: Packet[Any]) -> list[Packet[Any]]:
        found = vops.kinds(bytes(packet), self._time_bits)
        if len(found) != 1 or vops.NONE in found:
            raise UnsupportedVideo("a chunk holds two pictures, or none")
        return [packet]

    def rest(self) -> list[Packet[Any]]:
        return []


class Unpacked:
    """MPEG-4, a picture in every packet: of two in one chunk the second takes the place of the empty one behind it."""

    def __init__(self, stream: Stream) -> None:
        context = stream.codec_context
        assert isinstance(context, VideoCodecContext)
        self._filter = BitStreamFilterContext("mpeg4_unpack_bframes", stream)
        self._time_bits = vops.time_bits(context.extradata or b"")
        self._waits = context.has_b_frames
        self._held: list[Packet[Any]] = []
        """One that waits, and those that are shown before it."""
        self._shown: list[int] = []
        """When the last two were."""

    def filter(self, packet: Packet[Any]) -> list[Packet[Any]]:
        return [one for unpacked in self._filter.filter(packet) for one in self._timed(unpacked)]

    def rest(self) -> list[Packet[Any]]:
        found = [one for unpacked in self._filter.filter(None) for one in self._timed(unpacked)]
        return found + self._freed(self._guessed())

    def _timed(self, packet: Packet[Any]) -> list[Packet[Any]]:
        found = vops.kinds(bytes(packet), self._time_bits)
        kind = found[0] if found else vops.NONE
        if packet.dts is None:
            raise BrokenVideo("a picture of an AVI has no count")
        if kind == vops.NONE:
            # A decoder shows nothing new for it.
            return []
        packet.pts, packet.is_keyframe = packet.dts, kind == vops.INTRA
        if not self._waits or (kind == vops.BETWEEN and not self._held):
            return [packet]
        if kind == vops.BETWEEN:
            self._held.append(packet)
            if len(self._held) > HELD_LIMIT:
                raise BrokenVideo(f"more than {HELD_LIMIT} pictures are said to be shown before one that waits")
            return []
        freed = self._freed(packet.dts)
        self._held = [packet]
        return freed

    def _freed(self, at: int | None) -> list[Packet[Any]]:
        """Return what is held; the one that waits is shown at a count."""
        freed, self._held = self._held, []
        if freed and at is not None:
            freed[0].pts = at
        self._shown = (self._shown + sorted(one.pts or 0 for one in freed))[-2:]
        return freed

    def _guessed(self) -> int | None:
        """Return when the last one is shown, for which none comes: as long behind the one before as that was."""
        shown = [*self._shown, *(one.pts or 0 for one in self._held[1:])][-2:]
        return 2 * shown[1] - shown[0] if len(shown) == 2 else shown[0] + 1 if shown else None


class Reordered:
    """H.264 with pictures that wait for others. Its filter tells of each where it comes in their order.

    It is given numbers for counts, as it stumbles over empty chunks. At the end it would guess, as there are no more
    numbers: so it sees the beginning once more. Now and then it gives two pictures one number, and one goes without.
    """

    def __init__(self, stream: Stream) -> None:
        self._filter = BitStreamFilterContext("dts2pts", stream)
        self._first: list[tuple[bytes, bool]] = []
        self._counts = array("q")
        self._shown = bytearray()
        """Of which numbers a picture is shown."""

    def filter(self, packet: Packet[Any]) -> list[Packet[Any]]:
        if packet.dts is None:
            raise BrokenVideo("a picture of an AVI has no count")
        if len(self._first) < REORDERED_LIMIT:
            self._first.append((bytes(packet), packet.is_keyframe))
        packet.pts = packet.dts = self._number(packet.dts)
        return [self._timed(one) for one in self._filter.filter(packet)]

    def rest(self) -> list[Packet[Any]]:
        inside, found = len(self._counts), []
        for data, is_keyframe in self._first:
            packet = Packet(data)
            packet.pts = packet.dts = self._number(self._counts[-1] + 1)
            packet.is_keyframe = is_keyframe
            found += self._filter.filter(packet)
        found += self._filter.filter(None)
        timed = [self._timed(one) for one in found if one.dts is not None and one.dts < inside]
        if 0 in self._shown.lstrip(b"\0") or self._shown.count(1) != inside:
            raise UnsupportedVideo(_UNORDERED)
        return timed

    def _number(self, count: int) -> int:
        self._counts.append(count)
        return len(self._counts) - 1

    def _timed(self, packet: Packet[Any]) -> Packet[Any]:
        """Return a packet with counts for numbers."""
        if packet.pts is None or packet.dts is None or not packet.dts <= packet.pts < len(self._counts):
            raise UnsupportedVideo(_UNORDERED)
        self._shown += bytes(max(0, packet.pts + 1 - len(self._shown)))
        if self._shown[packet.pts]:
            raise UnsupportedVideo(_UNORDERED)
        self._shown[packet.pts] = 1
        packet.pts, packet.dts = self._counts[packet.pts], self._counts[packet.dts]
        return packet
