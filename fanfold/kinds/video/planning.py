"""The splitter: the container's index tells where the video may be cut, and where each segment's bytes are."""

from __future__ import annotations

from base64 import b64encode
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from fanfold.errors import BrokenVideo, NotAVideo, TooManyChunks, TooManyPixels, UnsupportedVideo
from fanfold.kinds.video import describing, probing
from fanfold.kinds.video.choosing import copies_video, has_video, shape
from fanfold.kinds.video.cutting import cuts
from fanfold.kinds.video.fragments import durations, lateness, read_fragments
from fanfold.kinds.video.lanes import wanted
from fanfold.kinds.video.media import ROLE, Media, Stream
from fanfold.kinds.video.movie import Movie, Track, read_movie
from fanfold.kinds.video.ranges import Kept, container, opened
from fanfold.kinds.video.recipe import VideoRecipe
from fanfold.kinds.video.samples import deltas, packed
from fanfold.model import Forecast, Json, Line, Plan, Source

SEGMENTS_LIMIT = 20_000

SPAN_LIMIT_BYTES = 160 << 10
"""The most bytes of a line's span: the state machine hands on 256 KiB."""

DURATION_LIMIT_S = 48 * 3600

INDEX_BLOCK_BYTES = 4 << 10


def plan(source: Source, recipe: VideoRecipe) -> Plan:
    """Plan one line a segment.

    Raises EmptyObject, NotAVideo, BrokenVideo, ProtectedVideo, UnsupportedVideo, TooManyPixels, TooManyChunks.
    """
    form = container(source)
    kept = Kept(source, INDEX_BLOCK_BYTES)
    movie = read_movie(kept)
    read_fragments(kept, movie)
    with opened(kept, form) as found:
        told = probing.streams(found)
        chapters, tags = probing.chapters(found), probing.tags(found)
    media, tracks = _media(source, recipe, movie, told, chapters, tags)
    spans = _spans(media, tracks, recipe)
    described = {
        "container": form,
        "bytes": source.size_bytes,
        "duration": media.duration,
        "bit_rate": round(source.size_bytes * 8 / Fraction(media.duration)),
        "streams": told,
        "chapters": chapters,
        "tags": tags,
    }
    if media.video:
        for rendition in recipe.renditions:
            if has_video(media, rendition) and not copies_video(media, rendition):
                shape(media.video, rendition)
    listed = list(spans)
    asked = [(ROLE, span) for span in listed] if recipe.renditions else []
    asked += describing.first(recipe, media, described, listed)
    lines = [Line(f"0-{number:05}", role, span) for number, (role, span) in enumerate(asked)]
    frames = len(tracks[media.clock.index])
    return Plan({"media": media.to_json(), "described": described, "frames": frames}, lines)


def _media(
    source: Source,
    recipe: VideoRecipe,
    movie: Movie,
    told: Sequence[dict[str, Any]],
    chapters: Sequence[dict[str, Any]],
    tags: dict[str, str],
) -> tuple[Media, dict[int, Track]]:
    """Return what is kept of the video, and the track of each kept stream."""
    by_id = {track.id: track for track in movie.tracks}
    streams: list[Stream] = []
    tracks: dict[int, Track] = {}
    for one in told:
        track = by_id.get(one.get("id", -1))
        if one["picture"] or one["type"] not in ("video", "audio") or not track or not len(track):
            continue
        if one["type"] == "video" and any(stream.kind == "video" for stream in streams):
            continue
        _check_places(track, source.size_bytes)
        streams.append(_stream(one, track))
        tracks[one["index"]] = track
    video = next((stream for stream in streams if stream.kind == "video"), None)
    audio = [stream for stream in streams if stream.kind == "audio"]
    if not streams:
        raise NotAVideo("the object has neither pictures nor sound that could be played")
    if video and video.width * video.height > recipe.pixels:
        raise TooManyPixels(
            f"the video has {video.width:,} × {video.height:,} pixels; `pixels` allows {recipe.pixels:,}"
        )
    clock = video or audio[0]
    ticks = max(1, int(recipe.segment_s * clock.timescale))
    stop = max(stream.ends * stream.tick for stream in streams)
    if not 0 < stop <= DURATION_LIMIT_S:
        raise UnsupportedVideo(
            f"the video claims to last {float(stop):,.0f} s; at most {DURATION_LIMIT_S:,} s are read"
        )
    if (clock.ends - clock.begins) // ticks > SEGMENTS_LIMIT:
        raise TooManyChunks(f"segments of {recipe.segment} would be more than {SEGMENTS_LIMIT:,}")
    track = tracks[clock.index]
    found = cuts(track.pts, track.keys, clock.begins, clock.ends, ticks)
    segments = [(cut.start, cut.stop) for cut in found]
    if video:
        late = max(lateness(track.pts[cut.first : cut.last]) for cut in found)
        video = replace(video, late=late)
    return Media("mp4", "0", str(stop), video, audio, segments, chapters, tags), tracks


def _check_places(track: Track, size_bytes: int) -> None:
    """Refuse an index that names bytes which the object has not."""
    last = max(range(len(track)), key=lambda at: track.offsets[at] + track.sizes[at])
    stop = track.offsets[last] + track.sizes[last]
    if stop > size_bytes:
        raise BrokenVideo(
            f"the index names bytes up to {stop:,}; the object ends at byte {size_bytes:,}: it was cut off"
        )


def _stream(told: dict[str, Any], track: Track) -> Stream:
    lengths = durations(track)
    first = min(track.pts)
    stop = max(pts + length for pts, length in zip(track.pts, lengths, strict=True))
    return Stream(
        index=told["index"],
        kind=told["type"],
        codec=told.get("codec", "unknown"),
        timescale=track.timescale,
        entry=track.entry,
        begins=first if track.begins is None else max(first, track.begins),
        ends=stop if track.ends is None else min(stop, track.ends),
        first=first,
        longest=max(lengths),
        language=told.get("language", "und"),
        default=told["default"],
        title=told.get("title", ""),
        width=told.get("width", 0),
        height=told.get("height", 0),
        shape=told.get("sample_aspect_ratio", "1"),
        pixel_format=told.get("pixel_format", ""),
        matrix=b64encode(track.matrix).decode(),
        sample_rate=told.get("sample_rate", 0),
        channels=told.get("channels", 0),
    )


def _spans(media: Media, tracks: dict[int, Track], recipe: VideoRecipe) -> Iterator[dict[str, Json]]:
    """Yield the span of each segment: which samples it has, and where they are."""
    clock = media.clock
    lengths = {index: durations(track) for index, track in tracks.items()}
    track = tracks[clock.index]
    found = cuts(track.pts, track.keys, clock.begins, clock.ends, max(1, int(recipe.segment_s * clock.timescale)))
    starts = {stream.index: 0 for stream in media.audio}
    for number, cut in enumerate(found):
        span: dict[str, Json] = {"segment": number, "start": cut.start, "stop": cut.stop}
        if media.video:
            listed = _listed(track, lengths[clock.index], cut.first, cut.tail)
            span["video"] = listed | {"own": cut.last - cut.first}
        _, stop = media.bounds(number)
        span["audio"] = {}
        for stream in media.audio:
            heard = tracks[stream.index]
            end = len(heard) if stop is None else bisect_left(heard.pts, stop * stream.timescale)
            start, starts[stream.index] = starts[stream.index], max(end, starts[stream.index])
            span["audio"][str(stream.index)] = _listed(heard, lengths[stream.index], start, starts[stream.index])
        if (size := len(str(span))) > SPAN_LIMIT_BYTES:
            raise UnsupportedVideo(
                f"a segment would be {float((cut.stop - cut.start) * clock.tick):,.0f} s long, as keyframes are rare: "
                f"its index has {size:,} bytes, and at most {SPAN_LIMIT_BYTES:,} are handed on"
            )
        yield span


def _listed(track: Track, lengths: Sequence[int], first: int, last: int) -> dict[str, Json]:
    """Return the samples [first, last) of a track, and where each begins behind the end of the one before it."""
    ends = [0] + [track.offsets[at] + track.sizes[at] for at in range(first, last)]
    gaps = [track.offsets[at] - end for at, end in zip(range(first, last), ends, strict=False)]
    keys = [key - first for key in track.keys[bisect_left(track.keys, first) : bisect_left(track.keys, last)]]
    return {
        "gaps": packed(gaps),
        "sizes": packed(track.sizes[first:last].tolist()),
        "pts": packed(deltas(track.pts[first:last].tolist())),
        "durations": packed(deltas(lengths[first:last])),
        "keys": packed(deltas(keys)),
    }


PIXELS_A_SECOND = {"h264": 40e6, "hevc": 8e6, "vp9": 8e6, "av1": 15e6}
"""Pixels that one worker encodes; orders of magnitude, measured on one core of a shared machine."""

SOUND_A_SECOND = 30
"""Seconds of sound that one worker encodes."""

COPIED_A_SECOND = 50e6
"""Bytes that one worker reads and writes."""

AROUND_CHUNK_S = 0.7


def forecast(source: Source, recipe: VideoRecipe, plan: Plan) -> Forecast:
    """Tell what a plan will come to, by speeds measured before."""
    media = Media.from_json(plan.layout["media"])
    seconds = float(Fraction(media.duration))
    chunks = max(len(plan.lines), 1)
    worker_s = source.size_bytes / COPIED_A_SECOND
    for rendition in recipe.renditions:
        if media.video and has_video(media, rendition) and not copies_video(media, rendition):
            pixels = shape(media.video, rendition).pixels * plan.layout["frames"]
            worker_s += pixels / PIXELS_A_SECOND[rendition.video_codec]
    sounds = len(wanted(media, recipe)) * seconds / SOUND_A_SECOND
    at_once = -(-chunks // recipe.concurrency)
    longest_s = AROUND_CHUNK_S + at_once * worker_s / chunks
    longest_s += AROUND_CHUNK_S + seconds / SOUND_A_SECOND if sounds else 0
    return Forecast(chunks, source.size_bytes // chunks, chunks, worker_s + sounds, longest_s)
