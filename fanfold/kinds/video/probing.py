"""What a video is: its streams, their codecs and times, its chapters. By its index, as exact fractions."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from fanfold.errors import TooManyPixels
from fanfold.kinds.video.recipe import VideoRecipe

STREAMS_LIMIT = 100

_TYPES = {"video": "video", "audio": "audio", "subtitle": "subtitle"}


def fraction(value: Fraction | int | None) -> str | None:
    """Return a fraction as text: exact, and the same in every JSON."""
    return None if value is None else str(Fraction(value))


SIDE_LIMIT = 8192
"""The longest side of a picture: what the levels of H.264 and HEVC go up to."""


def described(container: InputContainer, form: str, size_bytes: int) -> dict[str, Any]:
    """Return what `metadata.json` says, but for what the index alone tells."""
    return {
        "container": form,
        "bytes": size_bytes,
        "streams": streams(container),
        "chapters": chapters(container),
        "tags": tags(container),
    }


def check(found: Sequence[dict[str, Any]], recipe: VideoRecipe) -> None:
    """Raise TooManyPixels where pictures are larger than a recipe allows."""
    for one in found:
        if one["type"] == "video" and "width" in one and not one["picture"]:
            width, height = one["width"], one["height"]
            shown = f"the video has {width:,} × {height:,} pixels"
            if max(width, height) > SIDE_LIMIT:
                raise TooManyPixels(f"{shown}; a side has at most {SIDE_LIMIT:,}")
            if width * height > recipe.pixels:
                raise TooManyPixels(f"{shown}, {width * height:,} in all; `pixels` allows {recipe.pixels:,}")


def streams(container: InputContainer) -> list[dict[str, Any]]:
    """Return every stream that is seen, heard or read, in order."""
    return [_stream(one) for one in list(container.streams)[:STREAMS_LIMIT] if one.type in _TYPES]


def _stream(stream: Stream) -> dict[str, Any]:
    base = stream.time_base
    told: dict[str, Any] = {
        "index": stream.index,
        "type": stream.type,
        "id": stream.id,
        "codec": stream.codec_context.codec.canonical_name if stream.codec_context else None,
        "profile": stream.profile,
        "time_base": fraction(base),
        "start": fraction(stream.start_time * base) if base and stream.start_time is not None else None,
        "duration": fraction(stream.duration * base) if base and stream.duration else None,
        "bit_rate": getattr(stream, "bit_rate", None),
        "language": stream.language,
        "title": stream.metadata.get("title", stream.metadata.get("name")),
        "default": bool(stream.disposition & Disposition.default),
        "forced": bool(stream.disposition & Disposition.forced),
        "picture": bool(stream.disposition & Disposition.attached_pic),
    }
    if stream.codec_context is None:
        told["codec"] = None  # nothing here can decode it
    elif isinstance(stream, VideoStream):
        told |= _video(stream)
    elif isinstance(stream, AudioStream):
        told |= {
            "sample_rate": stream.rate,
            "channels": stream.channels,
            "layout": stream.layout.name if stream.channels else None,
        }
    return {name: value for name, value in told.items() if value is not None}


def _video(stream: VideoStream) -> dict[str, Any]:
    context = stream.codec_context
    shape = stream.sample_aspect_ratio
    return {
        "width": context.width,
        "height": context.height,
        "sample_aspect_ratio": fraction(shape) if shape else None,
        "pixel_format": context.pix_fmt,
        "frame_rate": fraction(stream.average_rate),
        "frames": stream.frames or None,
        "colour": _colour(stream),
    }


def _colour(stream: VideoStream) -> dict[str, Any] | None:
    context = stream.codec_context
    told = {
        "primaries": context.color_primaries,
        "transfer": context.color_trc,
        "matrix": context.colorspace,
        "range": context.color_range,
    }
    unsaid = {"range": (0,)}
    found = {name: int(value) for name, value in told.items() if int(value) not in unsaid.get(name, (0, 2))}
    return found or None


def chapters(container: InputContainer) -> list[dict[str, Any]]:
    """Return the chapters, their times in seconds as exact fractions."""
    return [
        {
            "start": fraction(one["start"] * Fraction(one["time_base"] or 1)),
            "stop": fraction(one["end"] * Fraction(one["time_base"] or 1)),
            "title": one["metadata"].get("title", ""),
        }
        for one in container.chapters()
    ]


def tags(container: InputContainer) -> dict[str, str]:
    """Return the titles and such that the container says of itself."""
    return {name: value for name, value in sorted(container.metadata.items()) if len(value) <= 4096}
