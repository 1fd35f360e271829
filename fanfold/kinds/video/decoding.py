"""The pictures of a segment, decoded: each once, at its time."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any

import av
from av.container import InputContainer

from fanfold.errors import UnsupportedVideo
from fanfold.kinds.video.excerpts import mini, track_of
from fanfold.kinds.video.media import Media
from fanfold.kinds.video.muxing import delay
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
    for at, frame in decoded(segment.video):
        if segment.start <= at < segment.stop:
            yield frame


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
