"""The merge: it sees that every picture is there once, has the sound encoded, and describes the outputs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise

from fanfold.errors import BrokenVideo
from fanfold.kinds.video import lanes, planning, tracks
from fanfold.kinds.video.choosing import copies_audio, has_audio
from fanfold.kinds.video.hls import playlists, variants
from fanfold.kinds.video.media import ROLE, Media
from fanfold.kinds.video.mp4 import files
from fanfold.kinds.video.recipe import Rendition
from fanfold.kinds.video.told import describing, telling
from fanfold.kinds.video.told.webvtt import Text
from fanfold.kinds.video.tracks import Whole
from fanfold.kinds.video.webm import assembling, blocks, weaving
from fanfold.model import Again, Folded, Json, Line, Output, Part, Round

INDEX = "index"
"""The role of the lines that write records, and put fragments in their place."""

_TYPES = {"mp4": "video/mp4", "mov": "video/quicktime"}


def merge(round: Round) -> Again | Folded:
    """Ask for what is still to be made, then for the record to be written, then describe the outputs.

    Raises BrokenVideo, UnsupportedVideo.
    """
    made = [round.part(line) for lines in round.lines for line in lines if line.role != INDEX]
    parts = [part for part in made if part is not None]
    assert len(parts) == len(made), "a recipe of videos tolerates no failed chunk"
    layout = round.layouts[-1]
    if "media" not in layout:
        return planning.prepared(round)
    parts = [part for part in parts if "prepare" not in part.line.span]
    media = Media.from_json(layout["media"])
    if not round.later and (again := _second(round, layout, media, parts)):
        return again
    wholes = {one.name: _wholes(media, one, parts) for one in round.recipe.renditions}
    if again := _woven(round, wholes, parts):
        return again
    told = telling.told(round)
    outputs = [
        _file(media, one, wholes[one.name], parts)
        for one in round.recipe.renditions
        if one.format != "hls" and wholes[one.name]
    ]
    streamed = {
        one.name: playlists.tracks(one.name, media, wholes[one.name])
        for one in round.recipe.renditions
        if one.format == "hls" and wholes[one.name]
    }
    listed = [track for found in streamed.values() for track in found]
    outputs += _playlists(layout, media, streamed, told.texts) if listed else ()
    outputs += told.outputs
    if round.recipe.metadata:
        outputs.insert(0, Output("metadata.json", [_text(layout["described"])], "application/json"))
    spans, places = telling.recorded(round)
    if round.recipe.metadata:
        spans.insert(0, {"outputs": [output.name for output in outputs]})
    spans += playlists.spans(listed)
    done = _done(round)
    if left := [span for span in spans if span not in done]:
        return Again(_numbered(round, [(INDEX, span) for span in left]), layout | places, publishes=True)
    repaired = sum("prepare" in line.span for lines in round.lines[1:] for line in lines)
    left_out = [name for name, found in wholes.items() if not found]
    stats = _stats(layout, media) | told.stats | ({"left_out": left_out} if left_out else {})
    outputs = list(playlists.with_fragments(outputs, listed))
    return Folded(outputs, stats, repaired=repaired)


def _done(round: Round) -> list[dict[str, Json]]:
    """Return the spans of the lines of the index that are done, and were not undone by another job's turn."""
    lines = [line for lines in round.lines for line in lines if line.role == INDEX and round.part(line)]
    return [{name: value for name, value in line.span.items() if name != "turn"} for line in lines]


def _stats(layout: Json, media: Media) -> dict[str, Json]:
    seen = {"width": media.video.width, "height": media.video.height} if media.video else {}
    counted = {"frames": layout["frames"]} if media.video else {}
    return {**seen, **counted, "duration": media.duration, "segments": len(media.segments)}


def _second(round: Round, layout: Json, media: Media, parts: Sequence[Part]) -> Again | None:
    """Return the round that follows the segments, None if nothing is left to make."""
    wanted = lanes.wanted(media, round.recipe)
    spans, places = describing.later(round)
    spans = [*((ROLE, lanes.span(lane)) for lane in wanted), *spans]
    if not spans:
        return None
    segments = [part for part in parts if part.line.role == ROLE]
    held = {"sounds": lanes.held(media, wanted, segments)} if wanted else {}
    return Again(_numbered(round, spans), layout | held | places)


def _woven(round: Round, wholes: Mapping[str, Sequence[Whole]], parts: Sequence[Part]) -> Again | None:
    """Return the round that weaves the clusters of WebM, None if there is no such rendition or they are there."""
    named = [one.name for one in round.recipe.renditions if one.format == "webm" and wholes[one.name]]
    if not named or any("weave" in part.line.span for part in parts):
        return None
    spans = [(ROLE, span) for name in named for span in weaving.spans(name, *blocks.laid(wholes[name]))]
    return Again(_numbered(round, spans))


def _numbered(round: Round, spans: Sequence[describing.RoledSpan]) -> list[Line]:
    """Return the lines of the round that follows."""
    return [Line(f"{len(round.lines)}-{at:05}", role, span) for at, (role, span) in enumerate(spans)]


def _text(described: Json) -> bytes:
    return json.dumps(described, indent=2, ensure_ascii=False).encode() + b"\n"


def _wholes(media: Media, rendition: Rendition, parts: Sequence[Part]) -> list[Whole]:
    """Return the tracks of one rendition, pictures first."""
    segments = [part for part in parts if part.line.role == ROLE and "segment" in part.line.span]
    sounds = {lanes.lane_at(part.line.span): part for part in parts if "sound" in part.line.span}
    wholes: list[Whole] = []
    if pictures := tracks.video_of(media, rendition, segments):
        _certify(pictures)
        wholes.append(pictures)
    if has_audio(media, rendition):
        for stream in media.audio:
            if copies_audio(media, stream, rendition):
                wholes.append(tracks.copied_audio(media, stream, segments))
            else:
                wholes.append(tracks.encoded_audio(stream, sounds[lanes.lane_of(media, stream, rendition)]))
    return wholes


def _file(media: Media, rendition: Rendition, wholes: Sequence[Whole], parts: Sequence[Part]) -> Output:
    """Return a rendition that is one file."""
    name = f"{rendition.name}.{rendition.format}"
    match rendition.format:
        case "webm":
            woven = [part for part in parts if part.line.span.get("weave") == rendition.name]
            kind = "video" if wholes[0].stream.kind == "video" else "audio"
            return Output(name, assembling.pieces(media, wholes, woven), f"{kind}/webm")
        case form:
            return Output(name, files.pieces(form, media, wholes), _TYPES[form])


def _playlists(
    layout: Json, media: Media, streamed: Mapping[str, Sequence[playlists.Track]], texts: Sequence[Text]
) -> Iterator[Output]:
    """Yield playlists and heads of all renditions that are streamed."""
    described = {one["index"]: one for one in layout["described"]["streams"]}
    colour = described[media.video.index].get("colour", {}) if media.video else {}
    shown = [variants.Shown(name, listed) for name, listed in streamed.items()]
    yield from variants.outputs(media, shown, texts, colour.get("transfer"))
    longest_s = playlists.target_s([track for listed in streamed.values() for track in listed])
    for listed in streamed.values():
        yield from playlists.outputs(media, listed, longest_s)


def _certify(pictures: Whole) -> None:
    """Refuse segments that do not follow each other. Raises BrokenVideo."""
    stored = [pictures.stored[number] for number in range(len(pictures.stored))]
    for before, after in pairwise(stored):
        last, first = before.last, after.start
        if last >= first and not pictures.copied:
            at = Fraction(first, pictures.timescale)
            raise BrokenVideo(f"the pictures around {float(at):.3f} s are shown twice: the index contradicts itself")
