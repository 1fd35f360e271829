"""The worker's half of a lane: a sound's packets from the work bucket, encoded in one run."""

from __future__ import annotations

from base64 import b64encode
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import groupby
from typing import Any

from fanfold.errors import BrokenVideo
from fanfold.kinds.video.encoding import encode_sound
from fanfold.kinds.video.media import Media, Stream
from fanfold.kinds.video.mp4.fragments import fragment
from fanfold.kinds.video.samples import Samples
from fanfold.kinds.video.tracks import told
from fanfold.model import Desk, Json, PartObject


def encode(media: Media, layout: Mapping[str, Json], span: Mapping[str, Json], desk: Desk) -> Mapping[str, Json]:
    """Encode one sound, and write it as fragments that begin and end with the segments.

    Raises BrokenVideo, UnsupportedVideo, TransientError.
    """
    stream = next(stream for stream in media.audio if stream.index == span["sound"])
    places = layout["sounds"][str(stream.index)]
    start = media.origin_of(stream) if span["filled"] else stream.begins
    silence_s = (stream.begins - start) * stream.tick
    made = encode_sound(stream, _samples(stream, places), _data(places, desk), span["codec"], span["kbps"], silence_s)
    rate = made.timescale
    begins = round(start * stream.tick * rate)
    pts = [begins + at for at in made.samples.pts]
    ends = begins + round((stream.ends - start) * stream.tick * rate)
    origin = round(Fraction(media.origin) * rate)
    zero = -min(origin, pts[0])
    written, fragments = bytearray(), []
    for number, group in groupby(range(len(pts)), key=lambda sample: _segment(media, Fraction(pts[sample], rate))):
        chosen = list(group)
        first, last = chosen[0], chosen[-1] + 1
        samples = Samples(
            pts[first:last], made.samples.durations[first:last], made.samples.sizes[first:last], range(last - first)
        )
        head = fragment(number + 1, zero, 0, samples)
        fragments.append({"segment": number, "at": len(written), "head": len(head), **told(samples)})
        written += b"".join((head, *made.data[first:last]))
    desk.write("sound", bytes(written))
    return {
        "entry": b64encode(made.entry).decode(),
        "timescale": rate,
        "origin": origin,
        "begins": begins,
        "ends": ends,
        "first": pts[0],
        "fragments": fragments,
    }


def _samples(stream: Stream, places: Sequence[Sequence[Any]]) -> Samples:
    if not places:
        raise BrokenVideo(f"the sound of stream {stream.index} has no packet")
    samples = [Samples.from_json(one) for _, _, _, one in places]
    return Samples(
        [pts for one in samples for pts in one.pts],
        [duration for one in samples for duration in one.durations],
        [size for one in samples for size in one.sizes],
        range(sum(map(len, samples))),
    )


def _data(places: Sequence[Sequence[Any]], desk: Desk) -> Iterator[bytes]:
    """Yield a sound's packets from the work bucket, those of a segment at a time."""
    for key, start, stop, _ in places:
        yield desk.read(PartObject(key, stop), start, stop)


def _segment(media: Media, at: Fraction) -> int:
    """Return the segment in which a time lies; what is before the first belongs to that."""
    tick = media.clock.tick
    return max(bisect_right(media.segments, at, key=lambda segment: segment[0] * tick) - 1, 0)
