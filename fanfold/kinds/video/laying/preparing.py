"""A worker that lays out what is no MP4: its samples go to the work bucket as an MP4 would hold them.

Matroska, MPEG-TS and AVI say of no sample where it is before it is read.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, groupby
from typing import Any

import av
from av.audio.codeccontext import AudioCodecContext
from av.bitstream import BitStreamFilterContext
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext

from fanfold.errors import BrokenVideo, NotAVideo, UnsupportedVideo
from fanfold.kinds.video import opus, pcm
from fanfold.kinds.video.formats import Container
from fanfold.kinds.video.laying import ac3, chunks, flac, folding, ordering, vorbis, vp8
from fanfold.kinds.video.laying.chunks import ChunkShare
from fanfold.kinds.video.laying.folding import Laid
from fanfold.kinds.video.laying.leading import Lead
from fanfold.kinds.video.laying.matroska import ClusterShare
from fanfold.kinds.video.laying.ordering import Filter
from fanfold.kinds.video.laying.shares import READ_BYTES, Rationed, Share, Whole
from fanfold.kinds.video.laying.sink import Data, Index, Sink
from fanfold.kinds.video.laying.transport import PacketShare
from fanfold.kinds.video.mp4.fragments import read_fragments
from fanfold.kinds.video.mp4.movie import read_movie
from fanfold.kinds.video.ranges import Kept, opened
from fanfold.model import Desk, Json, Source

SHARES: Mapping[str, Callable[[Rationed, int, int, Lead], Share]] = {
    "matroska": ClusterShare,
    "mpegts": PacketShare,
    "avi": ChunkShare,
}

JUMP_LIMIT = 1 << 30
"""By how many ticks at most the times that are handed to the muxer grow at once; at 2^31 it ends the process."""

PACKETS_LIMIT = 20_000_000

IN_MOV = pcm.CODECS | {"prores", "dnxhd", "dvvideo", "msmpeg4v3"}
"""Codecs that pass through the muxer of QuickTime: that of MP4 does not know them, or players of MP4 do not."""

_LAST_SAMPLES: Mapping[str, Callable[[memoryview], int]] = {
    "opus": opus.samples,
    "flac": flac.samples,
    "ac3": ac3.samples,
    "eac3": ac3.samples,
}
"""By codec, what tells how many samples a packet has: the last one may have fewer."""

_DTS_SAMPLES = [256, 512, 1024, 2048, 4096]
"""How many samples a packet of DTS may have (ETSI TS 102 114, 5.3.1, as encoders use it)."""

_MUXED = {
    "movflags": "empty_moov+default_base_moof+delay_moov+skip_trailer",
    "frag_duration": "2000000",
    "strict": "-2",
}


@dataclass(slots=True)
class Lane:
    """One stream on its way, and how far the muxer has got with it."""

    index: int
    reorders: bool
    laid: Laid
    filter: Filter | None = None
    muxer: OutputContainer | None = None
    """None where its packets are what an MP4 would hold as they are."""
    into: Stream | None = None
    last_samples: Callable[[memoryview], int] | None = None
    has_begun: bool = False
    muxed: int | None = None


def prepare(source: Source, layout: Json, share: Json, desk: Desk) -> Mapping[str, Json]:
    """Write the samples of a share of a video, and their index; return what tells whether it follows the one before.

    `share`: true, for all of the object, or the bytes [start, stop) in which it begins; then what cannot be laid out so
    is told and not raised, for all of it may still be. Raises BrokenVideo, NotAVideo, UnsupportedVideo.
    """
    if share is True:
        kept: Source = Kept(source, READ_BYTES)
        view = chunks.unindexed(kept) if layout["container"] == "avi" and layout["in_order"] else kept
        return {"samples": _laid_out(Whole(view), layout, None, desk)}
    start, stop = share
    lead = Lead.from_json(layout["lead"])
    try:
        found = SHARES[layout["container"]](Rationed(source, start, stop), start, stop, lead)
        return {"samples": _laid_out(found, layout, lead.probe_bytes if start else None, desk), **found.told()}
    except (BrokenVideo, UnsupportedVideo) as error:
        return {"unproven": str(error)}


def _laid_out(share: Share, layout: Json, probe_bytes: int | None, desk: Desk) -> int:
    """Write samples and their index; return how many there are."""
    form, described, data = layout["container"], layout["described"], Data(desk)
    sees_all = isinstance(share, Whole)
    muxed: list[tuple[Sink, list[Lane]]] = []
    lanes: list[Lane] = []
    with opened(share.view, form, probe_bytes, measures=False) as found:
        try:
            streams = _kept(found, described)
            packets = share.packets(found, streams)
            if form == "matroska":
                # It has no times below 0: what a cut left there is not presented.
                packets = (one for one in packets if not one.size or one.pts is not None or one.dts is not None)
            # Of nothing at all some muxers make no file.
            if first := next(packets, None):
                direct = [_direct(stream, sees_all) for stream in streams if not _muxer_of(stream)]
                with ExitStack() as muxers:
                    for name, group in groupby(sorted(filter(_muxer_of, streams), key=_muxer_of), _muxer_of):
                        sink = Sink(data)
                        muxer = muxers.enter_context(av.open(sink, mode="w", format=name, options=_MUXED))
                        muxed.append((sink, [_lane(stream, muxer, form, sees_all) for stream in group]))
                        muxer.start_encoding()
                    lanes = [*direct, *(lane for _, its in muxed for lane in its)]
                    _carry(chain([first], packets), lanes, data, share.is_first)
        except av.error.InvalidDataError as error:
            raise BrokenVideo(f"the object breaks: {error.strerror}") from error
        except av.error.FFmpegError as error:
            codecs = ", ".join(sorted({one.get("codec", "unknown") for one in described["streams"]}))
            raise UnsupportedVideo(f"{codecs} in {form} cannot be read: {error.strerror}") from error
    data.flush()
    for sink, its in muxed:
        if any(len(lane.laid) for lane in its):
            _place(sink, its)
    laid = {lane.index: lane.laid for lane in lanes}
    desk.write(folding.INDEX, folding.to_bytes(dict(sorted(laid.items()))))
    return sum(map(len, laid.values()))


def _muxer_of(stream: Stream) -> str:
    """Return what the muxer is called that a stream passes through, empty where none knows its codec."""
    codec = stream.codec_context.codec.canonical_name
    return "" if codec == "vp8" else "mov" if codec in IN_MOV else "mp4"


def _kept(found: InputContainer, described: Mapping[str, Any]) -> list[Stream]:
    """Choose the pictures and the sounds that are kept."""
    kept: list[Stream] = []
    for one in described["streams"]:
        if one["picture"] or "codec" not in one or one["type"] not in ("video", "audio"):
            continue
        if one["type"] == "video" and any(stream.type == "video" for stream in kept):
            continue
        kept.append(next(stream for stream in found.streams if stream.index == one["index"]))
    if not kept:
        raise NotAVideo("the object has neither pictures nor sound that could be played")
    return kept


def _lane(stream: Stream, muxer: OutputContainer, form: Container, sees_all: bool) -> Lane:
    context = stream.codec_context
    codec, base = context.codec.canonical_name, Fraction(stream.time_base or 1)
    if context.codec.name not in muxer.supported_codecs:
        raise UnsupportedVideo(f"stream {stream.index} is {codec}, which no MP4 holds: it is not read")
    into = muxer.add_stream_from_template(stream, opaque=True)
    if isinstance(context, VideoCodecContext):
        timed = ordering.filter_of(stream, sees_all) if form == "avi" else None
        return Lane(stream.index, context.has_b_frames, Laid(0, b"vide", b"", base, 0, 0), timed, muxer, into)
    assert isinstance(context, AudioCodecContext)
    # In transport streams each frame of AAC has a header of its own, which an MP4 says once.
    raw = codec == "aac" and not context.extradata
    unwrapped = Unwrapped(stream) if raw else None
    laid = Laid(0, b"soun", b"", base, context.sample_rate, context.frame_size)
    laid.frame_bytes = pcm.sample_bytes(codec) * context.channels
    match codec:
        case "vorbis":
            laid.counts = vorbis.counts(context.extradata or b"")
        case "ac3":
            laid.frame_samples = ac3.FRAME_SAMPLES
        case "eac3":
            laid.counts = ac3.COUNTS
        case "dts":
            laid.counts = _DTS_SAMPLES
        case "flac":
            laid.frame_samples = flac.block_samples(context.extradata or b"")
    return Lane(stream.index, False, laid, unwrapped, muxer, into, _LAST_SAMPLES.get(codec))


def _direct(stream: Stream, sees_all: bool) -> Lane:
    context = stream.codec_context
    assert isinstance(context, VideoCodecContext)
    entry = vp8.entry(context.width, context.height)
    laid = Laid(stream.index + 1, b"vide", entry, Fraction(stream.time_base or 1), 0, 0)
    return Lane(stream.index, False, laid, vp8.Hidden(sees_all))


def _carry(packets: Iterator[Packet[Any]], lanes: Sequence[Lane], data: Data, from_beginning: bool) -> None:
    """Hand every packet to its muxer, which brings it into the form of an MP4; its times are kept here."""
    by_index = {lane.index: lane for lane in lanes}
    for packet in packets:
        lane = by_index[packet.stream.index]
        is_lost = from_beginning and lane.laid.is_video and not lane.has_begun and not packet.is_keyframe
        if packet.size and not is_lost:
            lane.has_begun = True
            for one in _filtered(packet, lane):
                _take(one, lane, data)
    for lane in lanes:
        for one in lane.filter.rest() if lane.filter else ():
            _take(one, lane, data)


class Unwrapped:
    """Frames of AAC without the header that each has in a transport stream."""

    def __init__(self, stream: Stream) -> None:
        self._filter = BitStreamFilterContext("aac_adtstoasc", stream)

    def filter(self, packet: Packet[Any]) -> list[Packet[Any]]:
        return self._filter.filter(packet)

    def rest(self) -> list[Packet[Any]]:
        return []


def _filtered(packet: Packet[Any], lane: Lane) -> Iterable[Packet[Any]]:
    """Return what is to be muxed for a packet."""
    if lane.filter:
        return lane.filter.filter(packet)
    if lane.laid.frame_bytes and (rest := packet.size % lane.laid.frame_bytes):
        # What is no whole sample at the end of a packet is not heard.
        return [_cut(packet, packet.size - rest)] if packet.size > rest else ()
    return (packet,)


def _cut(packet: Packet[Any], size: int) -> Packet[Any]:
    """Return a packet's first bytes."""
    kept = Packet(bytes(packet)[:size])
    kept.pts, kept.dts, kept.time_base, kept.is_keyframe = packet.pts, packet.dts, packet.time_base, packet.is_keyframe
    return kept


def _take(packet: Packet[Any], lane: Lane, data: Data) -> None:
    """Keep a packet's times, and hand it on."""
    laid = lane.laid
    if packet.pts is None and lane.reorders:
        raise UnsupportedVideo(f"the container does not say when the pictures of stream {lane.index} are shown")
    pts = packet.pts if packet.pts is not None else packet.dts
    if pts is None:
        raise BrokenVideo(f"a packet of stream {lane.index} has no time")
    if len(laid) >= PACKETS_LIMIT:
        raise UnsupportedVideo(f"stream {lane.index} has more than {PACKETS_LIMIT:,} packets")
    first, laid.dropped = _skipped(packet)
    if not len(laid):
        laid.skipped = first
    if lane.last_samples:
        laid.last_samples = lane.last_samples(memoryview(packet))
    if packet.is_keyframe:
        laid.keys.append(len(laid))
    laid.pts.append(pts)
    laid.lengths.append(packet.duration or 0)
    if lane.muxer and lane.into:
        _mux(packet, pts, lane, lane.muxer, lane.into)
    else:
        laid.sizes.append(packet.size)
        laid.offsets.append(data.put(bytes(packet)))


def _mux(packet: Packet[Any], pts: int, lane: Lane, muxer: OutputContainer, into: Stream) -> None:
    """Hand a packet to its muxer, with times that it does not stumble over."""
    tick = Fraction(into.time_base or 1)
    said = int((packet.dts if packet.dts is not None else pts) * lane.laid.base / tick)
    lane.muxed = max(1, said) if lane.muxed is None else min(max(said, lane.muxed + 1), lane.muxed + JUMP_LIMIT)
    packet.stream = into
    packet.time_base = tick
    packet.pts = packet.dts = lane.muxed
    packet.duration = 0
    muxer.mux(packet)


def _skipped(packet: Packet[Any]) -> tuple[int, int]:
    """Return how many samples at the beginning and the end of a packet are not to be heard."""
    if not packet.has_sidedata("skip_samples"):
        return 0, 0
    first, last = struct.unpack_from("<II", bytes(packet.get_sidedata("skip_samples")))
    return first, last


def _place(sink: Sink, lanes: Sequence[Lane]) -> None:
    """Add to each lane where its samples are, and how they are decoded: the muxer says it."""
    movie = read_movie(Index(sink))
    read_fragments(Index(sink), movie)
    for lane, muxed in zip(lanes, movie.tracks, strict=True):
        laid = lane.laid
        if len(muxed) != len(laid):
            raise BrokenVideo(f"stream {lane.index} has {len(laid):,} packets, of which {len(muxed):,} could be read")
        laid.id, laid.entry, laid.matrix = muxed.id, ordering.unpacked(muxed.entry), muxed.matrix
        laid.offsets, laid.sizes = array("Q", map(sink.place, muxed.offsets)), muxed.sizes
