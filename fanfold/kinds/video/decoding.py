"""The pictures of a segment, decoded: each once, at its time."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

import av
import av.filter
from av.container import InputContainer

from fanfold.errors import UnsupportedVideo
from fanfold.kinds.video.media import Media, Stream
from fanfold.kinds.video.mp4.entries import margins
from fanfold.kinds.video.mp4.excerpts import mini, track_of
from fanfold.kinds.video.mp4.muxing import delay
from fanfold.kinds.video.reading import Stretch, read_segment
from fanfold.model import Source

THREADS = 2

# As in `ranges`: a callback into Python would hold the lock that the decoder's threads wait for.
av.logging.restore_default_callback()


def frames(source: Source, media: Media, span: Mapping[str, Any]) -> Iterator[av.VideoFrame]:
    """Yield the pictures that are shown in a segment, in their order, their pts in ticks of the video.

    What does not decode is left out, as players do. Raises BrokenVideo, UnsupportedVideo.
    """
    segment = read_segment(source, media, span)
    if segment.video is None or not len(segment.video.samples):
        return
    crop = _Crop(segment.video.stream)
    for at, frame in decoded(segment.video):
        if segment.start <= at < segment.stop:
            yield crop(frame)


class _Crop:
    """Leaves of frames what a clean aperture shows: libavcodec leaves that to others."""

    def __init__(self, stream: Stream) -> None:
        self._cut = margins(stream.entry)
        self._graph: av.filter.Graph | None = None

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        if not self._cut:
            return frame
        if self._graph is None:
            self._graph = self._made(frame)
        self._graph.push(frame)
        return self._graph.vpull()

    def _made(self, frame: av.VideoFrame) -> av.filter.Graph:
        graph, cut = av.filter.Graph(), self._cut
        base = Fraction(frame.time_base or 1)
        source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=base)
        crop = graph.add("crop", f"w=iw-{cut.across}:h=ih-{cut.down}:x={cut.left}:y={cut.top}")
        graph.link_nodes(source, crop, graph.add("buffersink")).configure()
        return graph


def decoded(video: Stretch) -> Iterator[tuple[int, av.VideoFrame]]:
    """Yield the pictures of a stretch that decode, and when each is shown, in ticks. Raises UnsupportedVideo."""
    # Without its edit list the times of an excerpt count from its first sample.
    zero = video.samples.start - delay(track_of(video.stream, video.samples))
    options = {"ignore_editlist": "1", "format_whitelist": "mov", "protocol_whitelist": "none"}
    with av.open(io.BytesIO(mini(video)), format="mov", options=options) as found:
        assert isinstance(found, InputContainer)
        stream = found.streams.video[0]
        if getattr(stream, "codec_context", None) is None:
            raise UnsupportedVideo(f"nothing here decodes {video.stream.codec}")
        stream.thread_type, stream.codec_context.thread_count = "AUTO", THREADS
        for packet in found.demux(stream):
            try:
                shown = packet.decode()
            except av.error.FFmpegError:
                continue
            for frame in shown:
                if frame.pts is not None:
                    frame.pts += zero
                    yield frame.pts, frame
