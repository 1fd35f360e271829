"""What is told of a video, as outputs and records: of what the workers left, by the merge and by the index."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from fanfold.kinds.video.media import Media, planned
from fanfold.kinds.video.recipe import Transcript, VideoRecipe
from fanfold.kinds.video.speech import cues, hearing
from fanfold.kinds.video.speech.words import from_bytes, joined
from fanfold.kinds.video.told import posters, scenes, subtitles, webvtt
from fanfold.kinds.video.told.describing import DIFFERENCES, TRACK, parts_of, sheet_of, text_tracks, whole
from fanfold.kinds.video.told.keywords import Said, keywords
from fanfold.kinds.video.told.scenes import Differences
from fanfold.kinds.video.told.webvtt import Cue, Text
from fanfold.model import Copied, Desk, Json, Output, PartObject, Record, Round
from fanfold.speech import ENGINES, Word
from fanfold.words import words

JSON, VTT, JPEG = "application/json", "text/vtt", "image/jpeg"


@dataclass(frozen=True, slots=True)
class Told:
    """The outputs that tell of a video, how much is in them, and which a player may show."""

    outputs: list[Output]
    stats: dict[str, Json]
    texts: list[Text]


def told(round: Round) -> Told:
    """Return what tells of a video. Every line has its part."""
    recipe, layout = round.recipe, planned(round)
    media = Media.from_json(layout["media"])
    outputs: list[Output] = []
    stats: dict[str, Json] = {}
    texts: list[Text] = []
    if recipe.scenes:
        found = _scenes(round, media)
        outputs.append(_json("scenes.json", {"scenes": found}))
        stats["scenes"] = len(found)
    if sheet := sheet_of(recipe, media):
        [made] = [part.objects[posters.SHEET] for part in parts_of(round) if posters.SHEET in part.objects]
        outputs.append(Output(posters.SHEET, [Copied(made.key, 0, made.size_bytes)], JPEG))
        outputs.append(Output(posters.INDEX, [sheet.index(Fraction(media.duration)).encode()], VTT))
        stats["posters"] = sheet.count
    tracks = _tracks(round, layout["described"]) if recipe.subtitles else []
    for name, (track, shown) in zip(subtitles.names([one["language"] for one, _ in tracks]), tracks, strict=True):
        outputs.append(Output(name, [webvtt.text(shown).encode()], VTT))
        texts.append(Text(name, track["language"], track.get("title", "")))
    if recipe.subtitles:
        stats["subtitles"] = len(tracks)
    heard: list[list[Word]] = []
    if recipe.transcript:
        asked = recipe.transcript
        heard = list(cues.cues(heard_in(round), asked.space))
        outputs.append(_json("transcript.json", _transcript(asked, media, heard)))
        shown = [_cue(cue, asked.space) for cue in heard]
        outputs.append(Output("transcript.vtt", [webvtt.text(shown).encode()], VTT))
        if heard:
            texts.append(Text("transcript.vtt", asked.code, "transcript"))
        undecoded = sum(part.facts.get("undecoded", 0) for part in parts_of(round))
        stats |= {"cues": len(heard), "words": sum(map(len, heard)), "undecoded": undecoded}
    if recipe.keywords:
        sources = []
        if heard:
            asked = recipe.transcript
            sources = [(asked.code, [Said(cues.text(cue, asked.space), cue[0].start_ms) for cue in heard])]
        sources += [
            (one["language"], [Said(webvtt.plain(cue.payload), cue.start_ms) for cue in shown]) for one, shown in tracks
        ]
        found = keywords(sources, recipe.keywords)
        outputs.append(_json("keywords.json", {"keywords": found}))
        stats["keywords"] = len(found)
    return Told(outputs, stats, texts)


def _scenes(round: Round, media: Media) -> list[dict[str, Any]]:
    if media.video is None:
        return []
    parts = [part for part in parts_of(round) if DIFFERENCES in part.objects]
    seen = scenes.joined(Differences.from_bytes(whole(round, part.objects[DIFFERENCES])) for part in parts)
    return scenes.described(seen, media.video.tick, Fraction(media.origin), Fraction(media.duration))


def _tracks(round: Round, described: Json) -> list[tuple[Json, list[Cue]]]:
    """Return every track of subtitles, and its cues."""
    objects = {name: made for part in parts_of(round) for name, made in part.objects.items()}
    return [
        (track, [Cue(*cue) for cue in json.loads(whole(round, objects[f"{TRACK}{track['index']:05}"]))])
        for track in text_tracks(described)
    ]


def heard_in(round: Round) -> list[Word]:
    """Return every word that was heard."""
    parts = [part for part in parts_of(round) if hearing.WORDS in part.objects]
    return joined(from_bytes(whole(round, part.objects[hearing.WORDS])) for part in parts)


def _transcript(asked: Transcript, media: Media, heard: Sequence[Sequence[Word]]) -> dict[str, Json]:
    return {
        "language": asked.code,
        "engine": ENGINES[asked.engine].title,
        "duration_s": scenes.seconds(Fraction(media.duration)),
        "text": asked.space.join(cues.text(cue, asked.space) for cue in heard),
        "cues": [
            {
                "start_s": cue[0].start_ms / 1000,
                "stop_s": cue[-1].stop_ms / 1000,
                "text": cues.text(cue, asked.space),
                "words": [
                    {
                        "text": word.text,
                        "start_s": word.start_ms / 1000,
                        "stop_s": word.stop_ms / 1000,
                        "probability": word.probability,
                    }
                    for word in cue
                ],
            }
            for cue in heard
        ],
    }


def _cue(cue: Sequence[Word], space: str) -> Cue:
    return Cue(cue[0].start_ms, cue[-1].stop_ms, webvtt.escaped(cues.text(cue, space)))


def _json(name: str, data: Json) -> Output:
    return Output(name, [json.dumps(data, indent=2, ensure_ascii=False).encode() + b"\n"], JSON)


def recorded(round: Round) -> tuple[list[dict[str, Json]], dict[str, Json]]:
    """Return the spans of lines that write records, and what their layout says besides."""
    made = [part.objects[hearing.WORDS] for part in parts_of(round) if hearing.WORDS in part.objects]
    if not made:
        return [], {}
    return [{"records": "transcript"}], {"words": [[one.key, one.size_bytes] for one in made]}


def records(recipe: VideoRecipe, layout: Json, desk: Desk) -> Iterator[Record]:
    """Yield a record of every cue of the transcript, under the key of the video, and one of every word in it."""
    pieces = (from_bytes(desk.read(PartObject(key, size_bytes))) for key, size_bytes in layout["words"])
    assert recipe.transcript is not None
    space, spoken = recipe.transcript.space, 0
    for number, cue in enumerate(cues.cues(joined(pieces), space), start=1):
        text = cues.text(cue, space)
        where = {"start_s": _exact(cue[0].start_ms), "stop_s": _exact(cue[-1].stop_ms), "text": text}
        yield Record("", None, number, where)
        place = 0
        for word in cue:
            for name in words(word.text):
                yield Record("", None, spoken, {"at_s": _exact(word.start_ms), **where, "place": place}, word=name)
                spoken, place = spoken + 1, place + 1


def _exact(milliseconds: int) -> Decimal:
    return Decimal(milliseconds) / 1000
