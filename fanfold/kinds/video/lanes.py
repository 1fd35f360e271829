"""Sound that is encoded: each in one run from its first sample to its last, so that there is no seam to hear.

A worker of a segment keeps the packets of every sound; the lane reads them from the work bucket, not from the object.
"""

from __future__ import annotations

from collections.abc import Sequence

from fanfold.kinds.video.choosing import copies_audio, has_audio
from fanfold.kinds.video.media import Media, Stream
from fanfold.kinds.video.recipe import Rendition, VideoRecipe
from fanfold.kinds.video.tracks import copied_audio
from fanfold.model import Json, Part

Lane = tuple[int, str, int]
"""A sound, and to what it is encoded: the index of the stream, codec, and kilobits a second."""


def lane_of(stream: Stream, rendition: Rendition) -> Lane:
    return stream.index, rendition.audio_codec, rendition.audio_kbps


def wanted(media: Media, recipe: VideoRecipe) -> list[Lane]:
    """Return the lanes that a recipe's renditions need, each once."""
    found = {
        lane_of(stream, rendition)
        for rendition in recipe.renditions
        if has_audio(media, rendition)
        for stream in media.audio
        if not copies_audio(stream, rendition)
    }
    return sorted(found)


def span(lane: Lane) -> dict[str, Json]:
    """Return the span of the line of a lane."""
    return {"sound": lane[0], "codec": lane[1], "kbps": lane[2]}


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
