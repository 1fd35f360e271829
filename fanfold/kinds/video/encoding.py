"""Encoding: the pictures of one segment, or a whole sound, each in one run of ffmpeg."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from typing import Any

from fanfold.errors import BrokenVideo
from fanfold.kinds.held import Held
from fanfold.kinds.video import ffmpeg
from fanfold.kinds.video.choosing import shape
from fanfold.kinds.video.media import Stream
from fanfold.kinds.video.mp4.excerpts import head, track_of
from fanfold.kinds.video.mp4.fragments import read_fragments, samples_of
from fanfold.kinds.video.mp4.movie import Track, read_movie
from fanfold.kinds.video.mp4.muxing import delay
from fanfold.kinds.video.reading import Segment
from fanfold.kinds.video.recipe import Rendition
from fanfold.kinds.video.samples import Samples

FRAGMENT_US = 10_000_000
"""How long a fragment of sound is. Into a pipe the muxer cannot write the size of an index that its buffer has not room
for, as that of 20 minutes of sound."""

_TURNS = {0: "", 90: "transpose=clock,", 180: "hflip,vflip,", 270: "transpose=cclock,"}

_ENCODERS: dict[str, dict[str, Any]] = {
    # With its lookahead in a thread beside, x264 wrote other bytes for one segment in twelve, on a busy machine.
    "h264": {"c:v": "libx264", "crf": 23, "preset": "medium", "x264-params": "sync-lookahead=0"},
    "hevc": {
        "c:v": "libx265",
        "crf": 28,
        "preset": "medium",
        "tag:v": "hvc1",
        # What it would guess of the rate, and say of its settings, differs from segment to segment.
        "x265-params": f"log-level=error:open-gop=0:frame-threads=1:vui-timing-info=0:info=0:pools={ffmpeg.THREADS}",
    },
    "vp9": {"c:v": "libvpx-vp9", "crf": 31, "b:v": 0, "deadline": "good", "cpu-used": 4, "row-mt": 1},
    "av1": {"c:v": "libsvtav1", "crf": 35, "preset": 8, "svtav1-params": f"lp={ffmpeg.THREADS}"},
    "aac": {"c:a": "aac"},
    "opus": {"c:a": "libopus"},
}

_LAYOUTS = {"opus": ",aformat=channel_layouts=mono|stereo|3.0|quad|5.0|5.1|6.1|7.1"}
"""What an encoder takes only (RFC 7845, 5.1.1.2): other layouts become the nearest one, as that of AC-3, whose channels
behind are beside, does without a change."""

OPUS_KBPS = 256
"""The most kilobits a second that libopus takes of a channel."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """Samples that ffmpeg wrote, and what describes them."""

    entry: bytes
    timescale: int
    samples: Samples
    data: Sequence[memoryview]
    """The bytes of each."""


def encode_pictures(segment: Segment, rendition: Rendition) -> Encoded:
    """Encode what is shown in a segment. Raises BrokenVideo, UnsupportedVideo, TransientError."""
    video = segment.video
    assert video is not None
    stream = video.stream
    samples = video.samples
    # What is due with another picture is decoded for it, and not shown.
    shown = sorted({pts for pts in samples.pts if segment.start <= pts < segment.stop})
    what = f"the segment from {float(segment.start * stream.tick):.3f} s"
    if not shown:
        raise BrokenVideo(f"{what} shows no picture")
    # Times count from the first sample; what is decoded runs ahead of what is shown.
    zero = samples.start - delay(track_of(stream, samples))
    size = shape(stream, rendition)
    # Where pictures change their size the filters begin anew: none may count from what it sees first.
    trim = f"trim=start_pts={segment.start - zero}:end_pts={segment.stop - zero},setpts=PTS-{shown[0] - zero}"
    scale = f"scale={size.width}:{size.height}:flags=bicubic,setsar={size.shape.numerator}/{size.shape.denominator}"
    output = {
        **_ENCODERS[rendition.video_codec],
        **({} if rendition.crf is None else {"crf": rendition.crf}),
        "pix_fmt": _pixel_format(stream, rendition.video_codec),
        "copyts": None,
        "fps_mode": "passthrough",
        "enc_time_base": "demux",
        "video_track_timescale": stream.timescale,
        "threads:v": ffmpeg.THREADS,
        "flags:v": "+cgop+bitexact",
    }
    filters = f"{trim},{_TURNS[stream.turn]}{scale}"
    made = ffmpeg.run(
        [head(stream, samples), *video.data], what, output, filters=filters, ignore_editlist=1, noautorotate=None
    )
    track = _read(made)
    start = min(track.pts, default=0)
    found = sorted(pts - start + shown[0] for pts in track.pts)
    if found != shown:
        raise BrokenVideo(
            f"{what} decodes to {len(found):,} pictures, and its index has {len(shown):,}"
            if len(found) != len(shown)
            else f"{what} decodes to pictures at other times than its index says"
        )
    until = dict(zip(shown, [*shown[1:], _end(samples, segment, shown[-1])], strict=True))
    pts = [at - start + shown[0] for at in track.pts]
    timed = Samples(pts, [until[at] - at for at in pts], list(track.sizes), list(track.keys))
    return Encoded(track.entry, track.timescale, timed, _data(track, made))


def encode_sound(
    stream: Stream, samples: Samples, data: Iterable[bytes], codec: str, kbps: int, silence_s: Fraction
) -> Encoded:
    """Encode a whole sound; its times count from where it begins to be heard, or the silence before it does.

    `data`: the bytes of its samples, one piece behind the other: of uncompressed sound there are gigabytes. Raises
    BrokenVideo, UnsupportedVideo, TransientError.
    """
    if codec == "opus":
        kbps = min(kbps, OPUS_KBPS * stream.channels)
    output = {**_ENCODERS[codec], "b:a": f"{kbps}k", "flags:a": "+bitexact", "frag_duration": FRAGMENT_US}
    heard = round((stream.ends - stream.begins) * stream.tick * stream.sample_rate)
    silence = f"adelay=delays={round(silence_s * stream.sample_rate)}S:all=1"
    what = f"the sound of stream {stream.index}"
    fed = chain([head(stream, samples)], data)
    filters = f"atrim=end_sample={heard},{silence}{_LAYOUTS.get(codec, '')}"
    made = ffmpeg.run(fed, what, output, filters=filters, kind="a")
    track = _read(made)
    return Encoded(track.entry, track.timescale, samples_of(track), _data(track, made))


def _end(samples: Samples, segment: Segment, last: int) -> int:
    """Return until when a segment's last picture is shown."""
    lengths = [length for pts, length in zip(samples.pts, samples.durations, strict=True) if pts == last]
    return min(segment.stop, last + max(lengths))


def _pixel_format(stream: Stream, codec: str) -> str:
    deep = any(mark in stream.pixel_format for mark in ("10", "12", "14", "16"))
    return "yuv420p10le" if deep and codec != "h264" else "yuv420p"


def _read(made: bytes) -> Track:
    source = Held(made)
    movie = read_movie(source)
    read_fragments(source, movie)
    return movie.tracks[0]


def _data(track: Track, made: bytes) -> list[memoryview]:
    view = memoryview(made)
    return [view[start : start + size] for start, size in zip(track.offsets, track.sizes, strict=True)]
