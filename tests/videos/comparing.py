"""What was made of a video, beside what is in it; and whether the outputs agree with each other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av

from tests.videos.reading import Read, complaints, read, samples_encoded

VIDEOS = ("web.mp4", "copy.mp4", "live/index.m3u8")

OPUS_FRAME, ENCODED_FRAME = 960, 1024


class Differs(Exception):
    """An output is not what the whole file says."""


def check(source: Path, folder: Path, outputs: Mapping[str, bytes], *, is_sound: bool) -> None:
    """Compare the outputs, which lie in a folder, with each other and, where the source is sound, with it.

    Raises Differs.
    """
    made = {name: read(folder / name) for name in VIDEOS if name in outputs}
    if len(made["live/index.m3u8"]) > 1 and "live/video.m3u8" not in outputs:
        # Of sounds alone libavformat lists the one twice that players begin with.
        made["live/index.m3u8"] = [one for name in _sounds(outputs) for one in read(folder / name)]
    before = read(source) if is_sound else _readable(source)
    damaged = {one.kind for one in before if one.broken} if before else {"video", "audio"}
    for name, streams in made.items():
        if is_sound:
            _same(name, streams, before, source, folder)
        elif [one.kind for one in streams] != [one.kind for one in next(iter(made.values()))]:
            raise Differs(f"{name} has other streams")
        for one in streams:
            # What is copied is not decoded: damage stays as it is.
            if one.broken and (one.kind not in damaged or (name, one.kind) == ("web.mp4", "video")):
                raise Differs(f"{name}: {one.broken} packets of {one.kind} do not decode")
            if any(early >= late for early, late in pairwise(one.decoded)):
                raise Differs(f"{name}: times of decoding of {one.kind} go back")
    _content(source, folder, outputs, {one.kind for one in made["web.mp4"]}, damaged)
    _agree(folder, outputs, made)


def _sounds(outputs: Iterable[str]) -> list[str]:
    return sorted(name for name in outputs if re.fullmatch(r"live/audio-\d+\.m3u8", name))


def _readable(source: Path) -> list[Read]:
    """Return what can be read of a damaged video, which may be nothing."""
    try:
        return read(source)
    except av.error.FFmpegError:
        return []


def _same(name: str, ours: list[Read], before: list[Read], source: Path, folder: Path) -> None:
    """See that an output has the pictures and the samples of the source, at the same times."""
    if [one.kind for one in ours] != [one.kind for one in before]:
        raise Differs(f"{name} has {[one.kind for one in ours]}, the source {[one.kind for one in before]}")
    with av.open(str(source)) as container:
        is_mp4 = "mp4" in container.format.name and b"moof" not in source.read_bytes()
    # The others, and recordings of fragments, begin when they like; what comes back begins at 0, and pictures and sound
    # are not moved apart.
    origin = Fraction(0) if is_mp4 else min(one.first for one in before)
    for made, wanted in zip(ours, before, strict=True):
        if made.kind == "video":
            _same_pictures(name, made, wanted, origin)
        else:
            _same_sound(name, made, wanted, origin, source, folder)


def _same_pictures(name: str, made: Read, wanted: Read, origin: Fraction) -> None:
    times = [at - origin for at in wanted.times]
    # A decoder that learns late how far pictures are out of order leaves some out; a segment has them all.
    listed = [at - origin for at in wanted.shown]
    # Where a presentation begins within a picture, libavformat moves all of them to begin with a whole one.
    moved = {early - late for early, late in zip(made.times, times, strict=False)}
    is_moved = len(made.times) == len(times) and len(moved) == 1 and 0 <= max(moved) < wanted.longest
    if not is_moved and (made.times != listed or wanted.broken):
        raise Differs(f"{name}: {_first_difference(made.times, times)}")


def _same_sound(name: str, made: Read, wanted: Read, origin: Fraction, source: Path, folder: Path) -> None:
    is_copy = made.codec == wanted.codec
    first, last = min(wanted.first, wanted.times[0]) - origin, wanted.times[0] - origin
    # A stream of fragments has no edit that would hide what stands in front of a sound that begins later; and what
    # iTunes says of that in a tag is not followed.
    ahead = (2 * ENCODED_FRAME if name.startswith("live") and last else 0) + wanted.skipped * wanted.is_tagged
    # Sound begins at one of its samples, whatever the ticks of its container are.
    room = Fraction(1, made.rate) + wanted.tick
    if not first - room - Fraction(ahead, made.rate) < made.times[0] < last + room:
        raise Differs(f"{name}: sound begins at {float(made.times[0]):.6f}, not {float(last):.6f}")
    if is_copy:
        # Of an MP4 libavformat hears all of the last frame of Opus.
        least, most = wanted.samples, wanted.samples + ahead + (OPUS_FRAME - 1 if made.codec == "opus" else 0)
    else:
        # What the container cuts off at the end ffmpeg encodes.
        least = wanted.presented * made.rate // wanted.rate
        most = samples_encoded(source, wanted.index, made.codec, folder / f"whole-{wanted.index}.mp4")
        most = -(-(most + ahead + round(room * made.rate)) // ENCODED_FRAME) * ENCODED_FRAME
    if not least <= made.samples <= most:
        raise Differs(f"{name}: {made.samples:,} samples of {made.codec}, not {least:,} to {most:,}")


def _first_difference(ours: list[Fraction], theirs: list[Fraction]) -> str:
    at = next((at for at, (one, other) in enumerate(zip(ours, theirs, strict=False)) if one != other), None)
    counts = f"{len(ours):,} pictures, not {len(theirs):,}"
    if at is None:
        return counts
    return f"picture {at} at {float(ours[at]):.6f} s, not {float(theirs[at]):.6f}; {counts}"


def _content(source: Path, folder: Path, names: Iterable[str], kinds: set[str], damaged: set[str]) -> None:
    """See that decoders have nothing to say of what was encoded, and of copies nothing new."""
    # Where a playlist names several streams and one is played, libavformat cuts its last packet off.
    lists = {name: kind for name in names for kind in kinds if re.fullmatch(rf"live/{kind}(-\d+)?\.m3u8", name)}
    files = [(name, kind) for name in ("web.mp4", "copy.mp4") for kind in sorted(kinds)]
    known: dict[str, set[str]] = {}
    for name, kind in [*files, *lists.items()]:
        is_encoded = (name, kind) == ("web.mp4", "video")
        if kind in damaged and not is_encoded:
            continue
        said = complaints(folder / name, kind)
        if is_encoded:
            # Whoever opens a file tries its sound, too.
            allowed = complaints(folder / name, "audio") if said and "audio" in damaged else set()
        else:
            if said and kind not in known:
                known[kind] = complaints(source, kind)
            allowed = known.get(kind, set())
        if new := said - allowed:
            raise Differs(f"{name}: ffmpeg says of its {kind}: {'; '.join(sorted(new))[:200]}")


def _agree(folder: Path, outputs: Mapping[str, bytes], made: Mapping[str, list[Read]]) -> None:
    """See that metadata, playlists, posters and scenes tell of the videos that were made."""
    told = json.loads(outputs["metadata.json"])
    duration = Fraction(told["duration"])
    for name, streams in made.items():
        longest = max(one.longest for one in streams)
        stop = max(max(one.stop, one.until) for one in streams)
        if abs(stop - duration) > max(longest, Fraction(1, 10)):
            raise Differs(f"{name} ends at {float(stop):.3f} s, and metadata.json says {float(duration):.3f}")
    for name in outputs:
        if re.fullmatch(r"live/(video|audio-\d+)\.m3u8", name):
            _playlist(name, outputs)
    if "posters.jpg" in outputs:
        _posters(folder, outputs, duration)
    scenes = json.loads(outputs["scenes.json"])["scenes"]
    edges = [Fraction(one[edge]) for one in scenes for edge in ("start", "stop")]
    if edges and (sorted(edges) != edges or edges[-1] < duration):
        raise Differs(f"the scenes end at {edges[-1]}, the video at {duration}")


def _playlist(name: str, outputs: Mapping[str, bytes]) -> None:
    lines = outputs[name].decode().splitlines()
    lengths = [float(line[8:-1]) for line in lines if line.startswith("#EXTINF:")]
    target = next(int(line.partition(":")[2]) for line in lines if line.startswith("#EXT-X-TARGETDURATION:"))
    named = [line for line in lines if not line.startswith("#")]
    if missing := [one for one in named if f"live/{one}" not in outputs]:
        raise Differs(f"{name} names {missing[0]}, which is not there")
    if not lengths or min(lengths) < 0 or max(lengths) > target:
        raise Differs(f"{name} has segments of {min(lengths, default=0)} to {max(lengths, default=0)} s")


def _posters(folder: Path, outputs: Mapping[str, bytes], duration: Fraction) -> None:
    with av.open(str(folder / "posters.jpg")) as sheet:
        frame = next(sheet.decode(video=0))
    places = re.findall(rb"#xywh=(\d+),(\d+),(\d+),(\d+)", outputs["posters.vtt"])
    for place in places:
        left, top, width, height = map(int, place)
        if left + width > frame.width or top + height > frame.height:
            raise Differs(f"a poster is said to be at {left},{top},{width},{height} of {frame.width} × {frame.height}")
    if not places:
        raise Differs("there is no poster")
    last = re.findall(rb"--> (\S+)", outputs["posters.vtt"])[-1].decode()
    seconds = sum(float(part) * 60**at for at, part in enumerate(reversed(last.split(":"))))
    if abs(seconds - float(duration)) > 0.002:
        raise Differs(f"the posters end at {seconds:.3f} s, the video at {float(duration):.3f}")
