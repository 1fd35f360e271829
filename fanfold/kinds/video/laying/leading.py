"""What leads a worker to the middle of an object: as little of its beginning as tells the same of its streams."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from av.audio.codeccontext import AudioCodecContext
from av.container import InputContainer
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from fanfold.errors import BrokenVideo
from fanfold.kinds.video import pcm
from fanfold.kinds.video.formats import Container
from fanfold.kinds.video.laying import pes
from fanfold.kinds.video.laying.elements import Held
from fanfold.kinds.video.laying.shares import BESIDES_BYTES
from fanfold.kinds.video.ranges import Kept, opened
from fanfold.model import Json, Source

PROBES = (64 << 10, 256 << 10, 1 << 20)
"""How many bytes of packets are looked at, at most; the fewest that tell as much as libavformat finds otherwise."""

PROBED_LIMIT_BYTES = BESIDES_BYTES // 2

LOOKED_AT = 4
"""Of how many frames of each stream it is looked at where they begin."""

LOOKED_AT_ALL = 60
"""And of how many in all."""


@dataclass(frozen=True, slots=True)
class Lead:
    """How a worker learns of the streams that it finds the middle of."""

    probe_bytes: int
    """How many bytes of packets it looks at."""
    probed: int
    """How many bytes of the object it reads for that."""
    aligned: bool
    """Whether every chunk, or packet of a stream (PES), seems to begin with a frame."""
    head: bytes
    """What it is shown in their stead; nothing, if it is shown the object itself."""

    def to_json(self) -> Json:
        return [self.probe_bytes, self.probed, self.aligned, b64encode(self.head).decode()]

    @classmethod
    def from_json(cls, data: Sequence[Any]) -> Lead:
        probe_bytes, probed, aligned, head = data
        return cls(probe_bytes, probed, aligned, b64decode(head))


def lead(source: Source, form: Container, probed: int, found: InputContainer) -> Lead | None:
    """Return what leads workers, None if nothing that is small enough tells the same.

    `found`: the object, of which libavformat looked at `probed` bytes.
    """
    streams = played(found)
    wanted, aligned = _learned(streams), _is_aligned(source, form, found, streams)
    for probe_bytes in PROBES:
        shown = _shown(source, form, probed, streams)
        try:
            with opened(shown, form, probe_bytes, measures=False) as again:
                if _learned(played(again)) != wanted:
                    continue
        except BrokenVideo:
            continue
        if form == "mpegts":
            return Lead(probe_bytes, 0, aligned, shown.read(0, shown.size_bytes))
        if shown.prefix <= PROBED_LIMIT_BYTES:
            return Lead(probe_bytes, shown.prefix, aligned, b"")
    return None


def played(found: InputContainer) -> list[Stream]:
    """Return what is seen and heard."""
    return [one for one in found.streams if one.type in ("video", "audio")]


def _shown(source: Source, form: Container, probed: int, streams: Sequence[Stream]) -> Kept:
    if form != "mpegts":
        return Kept(source)
    pids = [[one.id for one in streams if one.type == kind] for kind in ("video", "audio")]
    return Kept(Held(0, pes.head(source, probed, *pids)))


def _learned(streams: Sequence[Stream]) -> list[Any]:
    """Return what of streams matters to their packets."""
    return [_of_one(one) for one in streams]


def _of_one(stream: Stream) -> Any:
    context = stream.codec_context
    told = [stream.index, stream.id, stream.time_base, context and context.codec.name, context and context.extradata]
    if isinstance(stream, VideoStream) and isinstance(context, VideoCodecContext):
        # Where the codec does not say how long a picture is shown, what was looked at does.
        told += [context.has_b_frames, context.framerate or stream.base_rate, context.width, context.height]
    elif isinstance(context, AudioCodecContext):
        told += [context.sample_rate, context.frame_size, context.channels]
    return told


def _is_aligned(source: Source, form: Container, found: InputContainer, streams: Sequence[Stream]) -> bool:
    """Tell whether frames begin where what they lie in does, as far as the first of them tell."""
    if form == "matroska":
        return True
    # Large chunks of samples are handed out in pieces, of which any may be the first of a share.
    if form == "avi" and any(one.codec_context.codec.canonical_name in pcm.CODECS for one in streams):
        return False
    begins = pes.begins_with if form == "mpegts" else _begins_chunk
    left = dict.fromkeys((one.index for one in streams), LOOKED_AT)
    for packet in islice(found.demux(streams), LOOKED_AT_ALL):
        if packet.size and packet.pos is not None:
            if not begins(source, packet.pos, bytes(packet)):
                return False
            left[packet.stream.index] -= 1
            if max(left.values()) <= 0:
                break
    return True


def _begins_chunk(source: Source, place: int, frame: bytes) -> bool:
    return source.read(place, place + len(frame)) == frame
