"""What is no MP4 is read once, from end to end: its samples go to the work bucket as an MP4 would hold them.

Matroska, MPEG-TS and AVI say of no sample where it is before it is read. Memory is bounded by one object of the part.
"""

from __future__ import annotations

import io
import json
import struct
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
from av.audio.codeccontext import AudioCodecContext
from av.bitstream import BitStreamFilterContext
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext

from fanfold.errors import BrokenVideo, NotAVideo, UnsupportedVideo
from fanfold.kinds.video import probing
from fanfold.kinds.video.formats import Container
from fanfold.kinds.video.fragments import read_fragments
from fanfold.kinds.video.movie import Track, read_movie, track_to_json
from fanfold.kinds.video.muxing import IDENTITY
from fanfold.kinds.video.ranges import Kept, opened
from fanfold.model import Desk, Json, Source

OBJECT_BYTES = 32 << 20
"""How large the objects are that the samples are kept in."""

READ_BYTES = 1 << 20
"""How much is read at once of an object that is read as a whole."""

PACKETS_LIMIT = 20_000_000

_MUXED = {"movflags": "empty_moov+default_base_moof+delay_moov+skip_trailer", "frag_duration": "2000000"}


class Sink(io.RawIOBase):
    """Takes a fragmented MP4 as it is written: keeps its index, and writes what is in its `mdat`s to the desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._held, self._data = bytearray(), bytearray()
        self._at = self._written = self._objects = 0
        self._kept: list[tuple[int, bytes]] = []
        self._bodies: list[tuple[int, int]] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._held += data
        while len(self._held) >= 8:
            size, name = struct.unpack_from(">I4s", self._held)
            if size < 8:
                # A fragment of 4 GiB, which is packets of many hours, or of times that make no sense.
                raise BrokenVideo("the packets of the object cannot be brought into an order of time")
            if len(self._held) < size:
                break
            kept = 8 if name == b"mdat" else size
            self._kept.append((self._at, bytes(self._held[:kept])))
            if name == b"mdat":
                self._bodies.append((self._at + 8, self._written + len(self._data)))
                self._data += self._held[8:size]
                if len(self._data) >= OBJECT_BYTES:
                    self.flush_data()
            self._at += size
            del self._held[:size]
        return len(data)

    def flush_data(self) -> None:
        """Write what is held as one object of the part."""
        if self._data:
            self._desk.write(f"data-{self._objects:05}", bytes(self._data))
            self._objects += 1
            self._written += len(self._data)
            self._data.clear()

    @property
    def size_bytes(self) -> int:
        return self._at

    def read_index(self, start: int, stop: int) -> bytes:
        """Return bytes of what was written, of which only the index is known."""
        at, kept = self._kept[bisect_right(self._kept, start, key=lambda one: one[0]) - 1]
        return kept[start - at : stop - at]

    def place(self, offset: int) -> int:
        """Return where in the data lies what was written at an offset."""
        body, placed = self._bodies[bisect_right(self._bodies, offset, key=lambda one: one[0]) - 1]
        return offset - body + placed


@dataclass(frozen=True, slots=True)
class Index:
    """What a sink kept, as a source."""

    sink: Sink

    @property
    def size_bytes(self) -> int:
        return self.sink.size_bytes

    def read(self, start: int, stop: int) -> bytes:
        return self.sink.read_index(start, stop)


@dataclass
class Lane:
    """One stream on its way: its samples as they were read, and how far the muxer has got."""

    index: int
    is_video: bool
    reorders: bool
    base: Fraction
    """Seconds a tick."""
    rate: int
    """Samples of sound a second."""
    frame_samples: int
    """How many a packet has, 0 where that differs."""
    into: Stream
    filter: BitStreamFilterContext | None
    pts: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)
    skipped: int = 0
    """How many samples of sound at the beginning are not to be heard."""
    dropped: int = 0
    """And how many at the end."""
    muxed: int = 0


def prepare(source: Source, form: Container, desk: Desk) -> Mapping[str, Json]:
    """Write a video's samples and their index. Raises BrokenVideo, NotAVideo, UnsupportedVideo."""
    sink = Sink(desk)
    with opened(Kept(source, READ_BYTES), form) as found:
        described = probing.described(found, form, source.size_bytes)
        try:
            with av.open(sink, mode="w", format="mp4", options=_MUXED) as muxer:
                lanes = _lanes(found, described, muxer)
                _carry(found, lanes, muxer)
        except av.error.FFmpegError as error:
            codecs = ", ".join(sorted({one.get("codec", "unknown") for one in described["streams"]}))
            raise UnsupportedVideo(f"{codecs} in {form} cannot be read: {error.strerror}") from error
    sink.flush_data()
    tracks = _tracks(sink, lanes)
    for one in described["streams"]:
        if one["index"] in tracks and one["type"] == "video":
            one["frames"] = len(tracks[one["index"]])
    told = {"described": described, "tracks": {index: track_to_json(track) for index, track in tracks.items()}}
    desk.write("index", zlib.compress(json.dumps(told).encode()))
    return {"samples": sum(map(len, tracks.values()))}


def _lanes(found: InputContainer, described: Mapping[str, Any], muxer: OutputContainer) -> list[Lane]:
    """Choose the pictures and the sounds that are kept."""
    lanes: list[Lane] = []
    for one in described["streams"]:
        if one["picture"] or "codec" not in one or one["type"] not in ("video", "audio"):
            continue
        if one["type"] == "video" and any(lane.is_video for lane in lanes):
            continue
        if one.get("codec", "").startswith("pcm_"):
            raise UnsupportedVideo(f"stream {one['index']} is uncompressed sound ({one['codec']}), read in MOV alone")
        stream = next(stream for stream in found.streams if stream.index == one["index"])
        lanes.append(_lane(stream, muxer.add_stream_from_template(stream, opaque=True)))
    if not lanes:
        raise NotAVideo("the object has neither pictures nor sound that could be played")
    muxer.start_encoding()
    return lanes


def _lane(stream: Stream, into: Stream) -> Lane:
    context = stream.codec_context
    base = Fraction(stream.time_base or 1)
    if isinstance(context, VideoCodecContext):
        return Lane(stream.index, True, context.has_b_frames, base, 0, 0, into, None)
    assert isinstance(context, AudioCodecContext)
    # In transport streams each frame of AAC has a header of its own, which an MP4 says once.
    raw = context.codec.canonical_name == "aac" and not context.extradata
    unwrapped = BitStreamFilterContext("aac_adtstoasc", stream) if raw else None
    return Lane(stream.index, False, False, base, context.sample_rate, context.frame_size, into, unwrapped)


def _carry(found: InputContainer, lanes: Sequence[Lane], muxer: OutputContainer) -> None:
    """Hand every packet to the muxer, which brings it into the form of an MP4; its times are kept here."""
    by_index = {lane.index: lane for lane in lanes}
    try:
        for packet in found.demux([stream for stream in found.streams if stream.index in by_index]):
            lane = by_index[packet.stream.index]
            if packet.size and (lane.pts or packet.is_keyframe or not lane.is_video):
                for one in lane.filter.filter(packet) if lane.filter else (packet,):
                    _take(one, lane)
                    muxer.mux(one)
    except av.error.InvalidDataError as error:
        raise BrokenVideo(f"the object breaks: {error.strerror}") from error


def _take(packet: Packet[Any], lane: Lane) -> None:
    """Keep a packet's times, and give it others that a muxer does not stumble over."""
    if packet.pts is None and lane.reorders:
        raise UnsupportedVideo("the container does not say when its pictures are shown, as AVI with B-frames does not")
    pts = packet.pts if packet.pts is not None else packet.dts
    if pts is None:
        raise BrokenVideo(f"a packet of stream {lane.index} has no time")
    if len(lane.pts) >= PACKETS_LIMIT:
        raise UnsupportedVideo(f"stream {lane.index} has more than {PACKETS_LIMIT:,} packets")
    if packet.has_sidedata("skip_samples"):
        first, last = struct.unpack_from("<II", bytes(packet.get_sidedata("skip_samples")))
        lane.skipped, lane.dropped = lane.skipped if lane.pts else first, last
    if packet.is_keyframe:
        lane.keys.append(len(lane.pts))
    lane.pts.append(pts)
    lane.lengths.append(packet.duration or 0)
    tick = Fraction(lane.into.time_base or 1)
    lane.muxed = max(lane.muxed + 1, int((packet.dts if packet.dts is not None else pts) * lane.base / tick))
    packet.stream = lane.into
    packet.time_base = tick
    packet.pts = packet.dts = lane.muxed
    packet.duration = 0


def _tracks(sink: Sink, lanes: Sequence[Lane]) -> dict[int, Track]:
    """Return the track of each stream: the muxer says where its samples are, the packets said when they are shown."""
    movie = read_movie(Index(sink))
    read_fragments(Index(sink), movie)
    found = {}
    for lane, muxed in zip(lanes, movie.tracks, strict=True):
        if len(muxed) != len(lane.pts):
            raise BrokenVideo(
                f"stream {lane.index} has {len(lane.pts):,} packets, of which {len(muxed):,} could be read"
            )
        if not lane.pts:
            continue
        timed = _seen(lane) if lane.is_video else _heard(lane)
        timescale, pts, end, begins, ends = timed
        found[lane.index] = Track(
            id=muxed.id,
            handler=muxed.handler,
            timescale=timescale,
            entry=muxed.entry,
            matrix=IDENTITY,
            shift=0,
            begins=begins,
            ends=ends,
            offsets=array("Q", map(sink.place, muxed.offsets)),
            sizes=muxed.sizes,
            dts=array("q", sorted(pts)),
            pts=array("q", pts),
            keys=array("Q", lane.keys),
            end=end,
        )
    return found


Timed = tuple[int, list[int], int, int | None, int | None]
"""Timescale, times, end of the last sample; beginning and end of what is presented, where they differ."""


def _seen(lane: Lane) -> Timed:
    """Return the times of pictures: every tick as the container says it."""
    factor = lane.base.numerator
    last = lane.pts.index(max(lane.pts))
    order = sorted(lane.pts)
    length = lane.lengths[last] or (order[-1] - order[-2] if len(order) > 1 else 1)
    pts = [at * factor for at in lane.pts]
    return lane.base.denominator, pts, (order[-1] + length) * factor, None, None


def _heard(lane: Lane) -> Timed:
    """Return the times of sound, in samples: frames that follow each other do so without the container's rounding."""
    rate = lane.rate
    pts: list[int] = []
    # The container rounds when the first sample is heard, not when the first packet would be.
    heard = round((lane.pts[0] * lane.base + Fraction(lane.skipped, rate)) / lane.base) * lane.base
    following = round(heard * rate) - lane.skipped
    for at, length in zip(lane.pts, lane.lengths, strict=True):
        said = round(at * lane.base * rate)
        near = abs(said - following) <= 2 * max(Fraction(1), lane.base * rate)
        pts.append(following if near else said)
        following = pts[-1] + (lane.frame_samples or int(length * lane.base * rate))
    begins = pts[0] + lane.skipped if lane.skipped else None
    return rate, pts, following, begins, following - lane.dropped if lane.dropped else None
