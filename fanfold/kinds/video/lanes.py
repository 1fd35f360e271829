"""Sound that is encoded: each in one run from its first sample to its last, so that there is no seam to hear.

A worker of a segment keeps the packets of every sound; the lane reads them from the work bucket, not from the object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fanfold.kinds.video.choosing import copies_audio, fills, has_audio
from fanfold.kinds.video.media import Media, Stream
from fanfold.kinds.video.recipe import Rendition, VideoRecipe
from fanfold.kinds.video.tracks import copied_audio
from fanfold.model import Json, Part

Lane = tuple[int, str, int, bool]
"""A sound, and to what it is encoded: the index of the stream, codec, kilobits a second, and whether silence before it
is sound too.
"""


def lane_of(media: Media, stream: Stream, rendition: Rendition) -> Lane:
    return stream.index, rendition.audio_codec, rendition.audio_kbps, fills(media, stream, rendition)


def wanted(media: Media, recipe: VideoRecipe) -> list[Lane]:
    """Return the lanes that a recipe's renditions need, each once."""
    found = {
        lane_of(media, stream, rendition)
        for rendition in recipe.renditions
        if has_audio(media, rendition)
        for stream in media.audio
        if not copies_audio(media, stream, rendition)
    }
    return sorted(found)


def span(lane: Lane) -> dict[str, Json]:
    """Return the span of the line of a lane."""
    sound, codec, kbps, filled = lane
    return {"sound": sound, "codec": codec, "kbps": kbps, "filled": filled}


def lane_at(span: Mapping[str, Json]) -> Lane:
    """Return the lane of a line with this span."""
    return span["sound"], span["codec"], span["kbps"], span["filled"]


def held(media: Media, lanes: Sequence[Lane], parts: Sequence[Part]) -> dict[str, Json]:
    """Return what the lanes' layout says of where the packets of each sound lie."""
    found = {}
    for stream in media.audio:
        if any(lane[0] == stream.index for lane in lanes):
            stored = copied_audio(media, stream, parts).stored.values()
            found[str(stream.index)] = [
                [one.data.key, one.data.start, one.data.stop, one.told["samples"]] for one in stored
            ]
    return found
