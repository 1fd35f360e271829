"""The worker: of its segment it reads the samples, copies or encodes the pictures, and keeps the sound."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from fanfold.kinds.video import choosing, encoding, sounds
from fanfold.kinds.video.laying import preparing
from fanfold.kinds.video.media import Media
from fanfold.kinds.video.mp4.fragments import fragment
from fanfold.kinds.video.reading import Segment, read_segment, stored
from fanfold.kinds.video.recipe import VideoRecipe
from fanfold.kinds.video.samples import Samples
from fanfold.kinds.video.tracks import told
from fanfold.kinds.video.webm import weaving
from fanfold.model import Desk, Json, Line, Source


def process(source: Source, recipe: VideoRecipe, layout: Json, line: Line, desk: Desk) -> Mapping[str, Json]:
    """Work on one line. Raises BrokenVideo, UnsupportedVideo, TransientError."""
    if "prepare" in line.span:
        return preparing.prepare(source, layout, line.span["prepare"], desk)
    if "weave" in line.span:
        return weaving.weave(line.span, desk)
    media = Media.from_json(layout["media"])
    if "sound" in line.span:
        return sounds.encode(media, layout, line.span, desk)
    segment = read_segment(stored(source, layout, desk), media, line.span)
    facts: dict[str, Any] = {"video": {}, "audio": {}}
    seen = [one for one in recipe.renditions if segment.video and choosing.has_video(media, one)]
    if segment.video:
        stream = segment.video.stream
        if any(choosing.copies_video(media, rendition) for rendition in seen):
            own = segment.video.cut(segment.own)
            zero, late = media.zero_of(stream), stream.late
            facts["copied"] = _written(desk, "copied", segment, own.samples, own.data, zero, late)
        for rendition in seen:
            if not choosing.copies_video(media, rendition):
                made = encoding.encode_pictures(segment, rendition)
                zero, late = -media.origin_of(stream), media.late_of(stream, copied=False)
                name = f"video-{rendition.name}"
                written = _written(desk, name, segment, made.samples, made.data, zero, late)
                facts["video"][rendition.name] = written | {"entry": b64encode(made.entry).decode()}
    if any(choosing.has_audio(media, rendition) for rendition in recipe.renditions):
        for heard in segment.audio:
            if len(heard.samples):
                index, zero = heard.stream.index, media.zero_of(heard.stream)
                written = _written(desk, f"audio-{index}", segment, heard.samples, heard.data, zero, 0)
                facts["audio"][str(index)] = written
    return facts


def _written(
    desk: Desk, name: str, segment: Segment, samples: Samples, data: Sequence[bytes | memoryview], zero: int, late: int
) -> dict[str, Any]:
    """Write samples as a fragment that a stream can be made of; a file is made of what lies behind its head."""
    head = fragment(segment.number + 1, zero, late, samples)
    desk.write(name, b"".join((head, *data)))
    return {"object": name, "head": len(head), **told(samples)}
