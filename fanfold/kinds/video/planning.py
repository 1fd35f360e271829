"""The splitter: the container's index tells where the video may be cut, and where each segment's bytes are."""

from __future__ import annotations

import struct
from array import array
from base64 import b64encode
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate, islice
from typing import Any

from fanfold.errors import BrokenVideo, NotAVideo, TooManyChunks, UnsupportedVideo
from fanfold.kinds.pieces import Pieces
from fanfold.kinds.video import opening, probing
from fanfold.kinds.video.choosing import copies_video, has_video, shape
from fanfold.kinds.video.cutting import SEGMENT_BYTES, Cut, cuts
from fanfold.kinds.video.lanes import wanted
from fanfold.kinds.video.languages import terminological
from fanfold.kinds.video.laying import dividing, folding
from fanfold.kinds.video.media import ROLE, Media, Stream
from fanfold.kinds.video.mp4 import lagging
from fanfold.kinds.video.mp4.entries import out_of_band, seems_narrow, shaped
from fanfold.kinds.video.mp4.fragments import durations, read_fragments
from fanfold.kinds.video.mp4.movie import Head, Movie, Track, movie_of, read_head
from fanfold.kinds.video.mp4.presenting import settle
from fanfold.kinds.video.ranges import BLOCK_BYTES, Kept, check_length, container, opened
from fanfold.kinds.video.recipe import VideoRecipe
from fanfold.kinds.video.samples import deltas, packed
from fanfold.kinds.video.told import describing
from fanfold.kinds.video.webm import weaving
from fanfold.model import Again, Forecast, Json, Line, Plan, Round, Source

SEGMENTS_LIMIT = 20_000

SPAN_LIMIT_BYTES = 160 << 10
"""The most bytes of a line's span: the state machine hands on 256 KiB."""

DURATION_LIMIT_S = 48 * 3600

OUT_OF_TURN_LIMIT = 64
"""By how many pictures at most one is decoded before its turn; codecs allow 16."""

INDEX_BLOCK_BYTES = 4 << 10


def plan(source: Source, recipe: VideoRecipe) -> Plan:
    """Plan one line a segment; of what is no MP4, first the line that makes it one.

    Raises EmptyObject, NotAVideo, BrokenVideo, ProtectedVideo, UnsupportedVideo, TooManyPixels, TooManyChunks.
    """
    form = container(source)
    kept = Kept(source, INDEX_BLOCK_BYTES if form == "mp4" else BLOCK_BYTES)
    if form != "mp4":
        check_length(kept, form)
        with opened(kept, form) as found:
            described = probing.described(found, form, source.size_bytes)
            probing.check(described["streams"], recipe)
            layout, shares = dividing.divided(kept, form, kept.prefix, found, described["streams"])
        layout |= {"container": form, "described": described}
        lines = [Line(f"0-{number:05}", ROLE, {"prepare": share}) for number, share in enumerate(shares)]
        return Plan(layout, lines, prepares=True)
    head = read_head(kept)
    # We and libavformat take some 50 bytes of each sample, one after the other: but fragments are counted as we read.
    movie = _movie(kept, head) if head.fragments else None
    with opened(kept, form) as found:
        described = probing.described(found, form, source.size_bytes)
    movie = movie or _movie(kept, head)
    del head
    for track in movie.tracks:
        settle(track)
    tracks = {track.id: track for track in movie.tracks if len(track)}
    for track in tracks.values():
        _check_places(track, source.size_bytes)
    by_index = {one["index"]: tracks[one["id"]] for one in described["streams"] if one.get("id") in tracks}
    for one in described["streams"]:
        shape = one.get("sample_aspect_ratio")
        if shape and one["index"] in by_index and seems_narrow(by_index[one["index"]].entry, Fraction(shape)):
            del one["sample_aspect_ratio"]
    # A recording of fragments counts from when it began, or from 1970: as in streams, what is first begins it.
    origin = None if movie.fragments else Fraction(0)
    layout, asked = laid_out(recipe, described, by_index, kept, origin)
    return Plan(layout, [Line(f"0-{number:05}", role, span) for number, (role, span) in enumerate(asked)])


def _movie(source: Source, head: Head) -> Movie:
    movie = movie_of(head)
    read_fragments(source, movie)
    return movie


def prepared(round: Round) -> Again:
    """Plan a video that was made ready; have one worker do it where several did not agree. Raises what `plan` does.

    Every line so far made it ready, and has its part.
    """
    parts = [part for line in round.lines[-1] if (part := round.part(line)) is not None]
    number = len(round.lines)
    if not folding.follow_each_other([part.facts for part in parts]):
        return Again([Line(f"{number}-00000", ROLE, {"prepare": True})])
    # What parts depend on is told of the layout as it was.
    described = deepcopy(round.layouts[0]["described"])
    tracks, stored = folding.folded(parts, round.read)
    for one in described["streams"]:
        if one["index"] in tracks and one["type"] == "video":
            one["frames"] = tracks[one["index"]].shown
    layout, asked = laid_out(round.recipe, described, tracks, Pieces(stored, round.read), None)
    layout["stored"] = [[one.key, one.size_bytes] for one in stored]
    lines = [Line(f"{number}-{at:05}", role, span) for at, (role, span) in enumerate(asked)]
    return Again(lines, layout, plans=True)


def laid_out(
    recipe: VideoRecipe, described: dict[str, Any], tracks: dict[int, Track], samples: Source, origin: Fraction | None
) -> tuple[dict[str, Json], list[describing.RoledSpan]]:
    """Return the layout, and role and span of each line; without an origin, what is first begins it.

    `samples`: where those of the tracks lie.
    """
    probing.check(described["streams"], recipe)
    media, tracks, cut_at = _media(recipe, described, tracks, samples, origin)
    for rendition in recipe.renditions:
        if media.video and has_video(media, rendition) and not copies_video(media, rendition):
            shape(media.video, rendition)
    layouts = {one["index"]: one.get("layout", "") for one in described["streams"]}
    for index, codec, _, _ in wanted(media, recipe):
        if layouts[index].startswith("ambisonic"):
            raise UnsupportedVideo(f"stream {index} is a sound field ({layouts[index]}), which {codec} does not hold")
    for one in described["streams"]:
        if media.video and one["index"] == media.video.index:
            one["turn"] = media.video.turn
    spans = list(_spans(media, tracks, cut_at))
    asked = [(ROLE, span) for span in spans] if recipe.renditions else []
    asked += describing.first(recipe, media, described, spans)
    described |= {"duration": media.duration, "bit_rate": round(described["bytes"] * 8 / Fraction(media.duration))}
    frames = tracks[media.clock.index].shown
    return {"media": media.to_json(), "described": described, "frames": frames}, asked


def _media(
    recipe: VideoRecipe, described: dict[str, Any], found: dict[int, Track], samples: Source, origin: Fraction | None
) -> tuple[Media, dict[int, Track], Sequence[Cut]]:
    """Return what is kept of the video, the track of each kept stream, and where that of the clock is cut."""
    streams: list[Stream] = []
    for one in described["streams"]:
        is_second = one["type"] == "video" and any(stream.kind == "video" for stream in streams)
        if "codec" not in one:
            continue
        if one["index"] in found and one["type"] in ("video", "audio") and not one["picture"] and not is_second:
            track = found[one["index"]]
            stream = _stream(one, track)
            if stream.kind == "video" and opening.skip(stream, track, samples):
                stream, one["frames"] = _stream(one, track), track.shown
            # One that is over before it is to begin is not presented.
            streams += [stream] if stream.begins < stream.ends else []
    if not streams:
        raise NotAVideo("the object has neither pictures nor sound that could be played")
    video = next((stream for stream in streams if stream.kind == "video"), None)
    audio = [stream for stream in streams if stream.kind == "audio"]
    clock = video or audio[0]
    ticks = max(1, int(recipe.segment_s * clock.timescale))
    begins = min(stream.begins * stream.tick for stream in streams) if origin is None else origin
    duration = max(stream.ends * stream.tick for stream in streams) - begins
    if not 0 < duration <= DURATION_LIMIT_S:
        raise UnsupportedVideo(
            f"the video claims to last {float(duration):,.0f} s; the limit is {DURATION_LIMIT_S:,} s"
        )
    if (clock.ends - clock.begins) // ticks > SEGMENTS_LIMIT:
        raise TooManyChunks(f"segments of {recipe.segment} would be more than {SEGMENTS_LIMIT:,}")
    track = found[clock.index]
    cut_at = _cuts(clock, track, [found[stream.index] for stream in audio if stream is not clock], ticks)
    if video:
        late_encoded = lagging.encoded(track, cut_at)
        lagging.check(video, track, cut_at, late_encoded)
        video = replace(video, late=lagging.copied(track, cut_at), late_encoded=late_encoded)
    segments = [(cut.start, cut.stop) for cut in cut_at]
    media = Media(
        described["container"],
        str(begins),
        str(duration),
        video,
        audio,
        segments,
        described["chapters"],
        described["tags"],
    )
    return media, {stream.index: found[stream.index] for stream in streams}, cut_at


def _check_places(track: Track, size_bytes: int) -> None:
    """Refuse an index that names bytes which the object has not."""
    last = max(range(len(track)), key=lambda at: track.offsets[at] + track.sizes[at])
    stop = track.offsets[last] + track.sizes[last]
    if stop > size_bytes:
        raise BrokenVideo(
            f"the index names bytes up to {stop:,}; the object ends at byte {size_bytes:,}: it was cut off"
        )


def _goes_back(track: Track) -> bool:
    """Tell whether the times of samples begin again on the way: more of them than any decoder puts in order."""
    behind = 1 if track.handler == b"soun" else OUT_OF_TURN_LIMIT
    highest = accumulate(track.pts, max)
    return any(before > at for before, at in zip(highest, islice(track.pts, behind, None), strict=False))


def _stream(told: dict[str, Any], track: Track) -> Stream:
    if told["type"] == "video" and not (told.get("width") and told.get("height")):
        raise BrokenVideo(f"nothing says how large the pictures of stream {told['index']} are")
    lengths = durations(track)
    first, last = min(track.pts), max(track.pts)
    if _goes_back(track):
        raise BrokenVideo(
            f"the times of stream {told['index']} go back, as where recordings were joined byte by byte: "
            "ffmpeg's concat demuxer (-f concat) joins them so that times go on"
        )
    if last - first > DURATION_LIMIT_S * track.timescale:
        seconds = (last - first) // track.timescale
        raise UnsupportedVideo(f"the video claims to last {seconds:,} s; at most {DURATION_LIMIT_S:,} are read")
    if max(lengths) > lagging.TICKS_LIMIT:
        seconds = max(lengths) // track.timescale
        raise UnsupportedVideo(
            f"a sample of stream {told['index']} lasts {seconds:,} s: more ticks than an MP4 can say"
        )
    stop = max(pts + length for pts, length in zip(track.pts, lengths, strict=True))
    entry = out_of_band(track.entry)
    if shape := told.get("sample_aspect_ratio"):
        entry = shaped(entry, Fraction(shape))
    return Stream(
        index=told["index"],
        kind=told["type"],
        codec=told.get("codec", "unknown"),
        timescale=track.timescale,
        entry=entry,
        begins=first if track.begins is None else max(first, track.begins),
        ends=stop if track.ends is None else min(stop, track.ends),
        first=first,
        last=last,
        language=terminological(told.get("language", "und")),
        default=told["default"],
        title=told.get("title", ""),
        width=told.get("width", 0),
        height=told.get("height", 0),
        shape=shape or "1",
        pixel_format=told.get("pixel_format", ""),
        turn=_turn(track.matrix) if track.handler == b"vide" else 0,
        matrix=b64encode(track.matrix).decode(),
        sample_rate=told.get("sample_rate", 0),
        channels=told.get("channels", 0),
    )


_TURNS = {(1, 0, 0, 1): 0, (0, 1, -1, 0): 90, (-1, 0, 0, -1): 180, (0, -1, 1, 0): 270}


def _turn(matrix: bytes) -> int:
    """Return by how many degrees clockwise a matrix turns (8.3.2.3). Raises UnsupportedVideo where it does more."""
    a, b, _, c, d = (value / 0x10000 for value in struct.unpack_from(">5i", matrix))
    turn = _TURNS.get((round(a), round(b), round(c), round(d)))
    if turn is None or (a, b, c, d) != (round(a), round(b), round(c), round(d)):
        raise UnsupportedVideo(f"the pictures are to be shown mirrored or askew (matrix {a}, {b}, {c}, {d})")
    return turn


def _spans(media: Media, tracks: dict[int, Track], cut_at: Sequence[Cut]) -> Iterator[dict[str, Json]]:
    """Yield the span of each segment: which samples it has, and where they are."""
    clock = media.clock
    lengths = {index: durations(track) for index, track in tracks.items()}
    track = tracks[clock.index]
    starts = {stream.index: 0 for stream in media.audio}
    for number, cut in enumerate(cut_at):
        span: dict[str, Json] = {"segment": number, "start": cut.start, "stop": cut.stop}
        cut_bytes = 0
        if media.video:
            listed = _listed(track, lengths[clock.index], cut.first, cut.tail)
            cut_bytes += sum(track.sizes[cut.first : cut.tail])
            span["video"] = listed | {"own": cut.last - cut.first}
        _, stop = media.bounds(number)
        span["audio"] = {}
        for stream in media.audio:
            heard = tracks[stream.index]
            end = len(heard) if stop is None else bisect_left(heard.pts, stop * stream.timescale)
            start, starts[stream.index] = starts[stream.index], max(end, starts[stream.index])
            span["audio"][str(stream.index)] = _listed(heard, lengths[stream.index], start, starts[stream.index])
            cut_bytes += sum(heard.sizes[start : starts[stream.index]])
        if (size := len(str(span))) > SPAN_LIMIT_BYTES:
            raise UnsupportedVideo(
                f"a segment would be {float((cut.stop - cut.start) * clock.tick):,.0f} s long, as keyframes are rare: "
                f"its index has {size:,} bytes, and at most {SPAN_LIMIT_BYTES:,} are handed on"
            )
        if cut_bytes > SEGMENT_BYTES:
            raise UnsupportedVideo(
                f"the segment from {float(cut.start * clock.tick):,.0f} s would have {cut_bytes:,} bytes, as keyframes "
                f"are rare: one worker reads {SEGMENT_BYTES:,} at most"
            )
        yield span


def _cuts(clock: Stream, track: Track, others: Sequence[Track], ticks: int) -> list[Cut]:
    """Cut the track of the clock; `others` are heard besides, and count where a segment would have too many bytes."""
    own = array("Q", accumulate(track.sizes, initial=0))
    heard = [(other, array("Q", accumulate(other.sizes, initial=0))) for other in others]

    def weigh(first: int, tail: int, start: int, stop: int) -> int:
        found = own[tail] - own[first]
        for other, sums in heard:
            # What is heard before the first picture, or behind the last one, is the first or last segment's.
            low = bisect_left(other.pts, -(-start * other.timescale // track.timescale)) if first else 0
            high = bisect_left(other.pts, -(-stop * other.timescale // track.timescale))
            high = high if tail < len(track) else len(other)
            found += sums[high] - sums[low]
        return found

    return cuts(track.pts, track.keys, clock.begins, clock.ends, ticks, weigh, SEGMENT_BYTES)


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
    if plan.prepares:
        chunks = len(plan.lines)
        seconds = source.size_bytes / COPIED_A_SECOND
        longest_s = AROUND_CHUNK_S + seconds / chunks * -(-chunks // recipe.concurrency)
        return Forecast(chunks, source.size_bytes // chunks, chunks, seconds, longest_s)
    media = Media.from_json(plan.layout["media"])
    seconds = float(Fraction(media.duration))
    chunks = max(len(plan.lines), 1)
    worker_s = source.size_bytes / COPIED_A_SECOND
    for rendition in recipe.renditions:
        if media.video and has_video(media, rendition) and not copies_video(media, rendition):
            pixels = shape(media.video, rendition).pixels * plan.layout["frames"]
            worker_s += pixels / PIXELS_A_SECOND[rendition.video_codec]
    told = describing.forecast(recipe, media, plan.layout["frames"])
    worker_s += told.looks_s
    sounds = len(wanted(media, recipe)) * seconds / SOUND_A_SECOND
    at_once = -(-chunks // recipe.concurrency)
    longest_s = AROUND_CHUNK_S + max(at_once * worker_s / chunks, told.listens_s)
    second_s = max(seconds / SOUND_A_SECOND if sounds else 0.0, told.hears_s / min(recipe.concurrency, told.hearers))
    longest_s += AROUND_CHUNK_S + second_s if second_s else 0.0
    worker_s += sounds + told.listens_s + told.hears_s
    if woven_s := sum(one.format == "webm" for one in recipe.renditions) * source.size_bytes / COPIED_A_SECOND:
        worker_s += woven_s
        longest_s += AROUND_CHUNK_S + min(woven_s, weaving.OBJECT_BYTES / COPIED_A_SECOND)
    return Forecast(chunks, source.size_bytes // chunks, chunks, worker_s, longest_s)
