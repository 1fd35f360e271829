"""What is told of a video besides its metadata: scenes, posters, subtitles, and what is said in it.

In the first round workers look at the segments, listen to the sound and read the subtitles. In the next one others hear
the pieces of the sound, and one puts the posters together. `telling` makes the outputs of what they left.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING, Any

from fanfold.errors import BrokenVideo
from fanfold.kinds.video.media import Media, Stream, planned
from fanfold.kinds.video.mp4.muxing import UNDETERMINED
from fanfold.kinds.video.reading import stored
from fanfold.kinds.video.recipe import VideoRecipe
from fanfold.kinds.video.speech import hearing
from fanfold.kinds.video.told import posters, subtitles
from fanfold.kinds.video.told.keywords import code_of
from fanfold.kinds.video.told.posters import Sheet, Shown
from fanfold.kinds.video.told.scenes import Differences
from fanfold.model import Desk, Json, Part, PartObject, Round, Source
from fanfold.speech import ENGINES

if TYPE_CHECKING:
    from av import Packet
    from av.container import InputContainer

    from fanfold.kinds.video.speech.pauses import Levels

ROLE = "describe"

DIFFERENCES, PICTURES, PIECES, SOUND, TRACK = "differences", "pictures", "pieces", "sound-", "track-"
"""The objects that the first round leaves; the last two are followed by a number."""

STREAMED_BLOCK_BYTES = 4 << 20

PIXELS_A_SECOND, LISTENED_A_SECOND = 100e6, 200
"""Pixels that one worker looks at, and seconds of sound that it decodes; measured on one core of a shared machine."""

RoledSpan = tuple[str, dict[str, Json]]


def first(
    recipe: VideoRecipe, media: Media, described: Json, segments: Sequence[Mapping[str, Json]]
) -> Iterator[RoledSpan]:
    """Yield roles and spans of the first round; `segments`: the spans that segments are read by."""
    sheet = sheet_of(recipe, media)
    if media.video and (recipe.scenes or sheet):
        for span in segments:
            if recipe.scenes or (sheet and numbers_of(sheet, media, span["segment"])):
                yield ROLE, {**span, "describe": span["segment"]}
    if recipe.transcript and media.audio:
        yield ROLE, {"listen": spoken(media, recipe.transcript.code).index}
    if recipe.subtitles and (tracks := text_tracks(described)):
        yield ROLE, {"subtitles": [track["index"] for track in tracks]}


def spoken(media: Media, language: str) -> Stream:
    """Return the sound that is transcribed: the one in that language, else the one that players choose, else one."""
    wanted = language.partition("-")[0]
    of_language = [one for one in media.audio if code_of(one.language) == wanted]
    return next(iter([*of_language, *(one for one in media.audio if one.default), media.audio[0]]))


def text_tracks(described: Json) -> list[Mapping[str, Any]]:
    """Return the tracks of subtitles that are text, each with its language."""
    tracks = [one for one in described["streams"] if one["type"] == "subtitle" and one.get("codec") in subtitles.CODECS]
    return [{"language": UNDETERMINED, **one} for one in tracks]


@dataclass(frozen=True, slots=True)
class Forecast:
    """What workers take to look, to listen and to hear, in seconds, and how many of them hear."""

    looks_s: float
    listens_s: float
    hears_s: float
    hearers: int


def forecast(recipe: VideoRecipe, media: Media, frames: int) -> Forecast:
    """Tell what describing will take, by speeds measured before."""
    looks = media.video is not None and (recipe.scenes or recipe.posters)
    pixels = media.video.width * media.video.height * frames if media.video and looks else 0
    sound_s = float(Fraction(media.duration)) if recipe.transcript and media.audio else 0.0
    engine = ENGINES[recipe.transcript.engine if recipe.transcript else "embedded"]
    hearers = max(1, ceil(sound_s / engine.line_s))
    return Forecast(pixels / PIXELS_A_SECOND, sound_s / LISTENED_A_SECOND, sound_s / engine.speed, hearers)


def process(
    source: Source, recipe: VideoRecipe, layout: Json, span: Mapping[str, Any], desk: Desk
) -> Mapping[str, Json]:
    """Work on one line. Raises BrokenVideo, TooMuchSound, TooManyCues."""
    media = Media.from_json(layout["media"])
    match span:
        case {"describe": number}:
            return _look(stored(source, layout, desk), recipe, media, number, span, desk)
        case {"listen": index}:
            return _listen(source, media, index, desk)
        case {"subtitles": indexes}:
            return _read(source, media, indexes, desk)
        case _:
            return _put_together(layout, desk)


def sheet_of(recipe: VideoRecipe, media: Media) -> Sheet | None:
    """Return how the posters are laid out, None if there are none."""
    if not (recipe.posters and media.video):
        return None
    stream = media.video
    shape = Fraction(*stream.shown_size) * Fraction(stream.shape)
    shape = 1 / shape if stream.turn % 180 else shape
    return posters.laid_out(Fraction(media.duration), recipe.posters.every_ms, recipe.posters.width, shape)


def numbers_of(sheet: Sheet, media: Media, segment: int) -> range:
    """Return which posters are taken in a segment."""
    zero = Fraction(media.origin)
    return sheet.numbers(*(bound if bound is None else bound - zero for bound in media.bounds(segment)))


def _look(
    source: Source, recipe: VideoRecipe, media: Media, number: int, span: Mapping[str, Any], desk: Desk
) -> Mapping[str, Json]:
    """Look at the pictures of a segment, each once."""
    from fanfold.kinds.video.decoding import frames

    assert media.video is not None
    tick, zero = media.video.tick, Fraction(media.origin)
    sheet = sheet_of(recipe, media)
    seen = Differences() if recipe.scenes else None
    shown = Shown(sheet, numbers_of(sheet, media, number), media.video.turn) if sheet else None
    count = 0
    for frame in frames(source, media, span):
        assert frame.pts is not None
        count += 1
        if shown:
            shown.see(frame, frame.pts * tick - zero)
        if seen:
            seen.see(frame)
        elif shown is None or shown.is_done:
            break
    if seen:
        desk.write(DIFFERENCES, seen.to_bytes())
    pictures = shown.finish() if shown else {}
    if pictures:
        desk.write(PICTURES, b"".join(pictures.values()))
    return {"pictures": list(pictures), "decoded": count}


def _listen(source: Source, media: Media, index: int, desk: Desk) -> Mapping[str, Json]:
    """Decode the sound, and find where it may be cut."""
    import numpy as np

    from fanfold.kinds.video.ranges import opened
    from fanfold.kinds.video.speech import listening, pauses

    levels: list[Levels] = []
    with opened(_in_blocks(source, media), media.container) as found:
        decoder = listening.Decoder()
        sound = listening.on_the_clock(decoder.frames(_packets(found, [index])), Fraction(media.origin))
        for number, (samples, its_levels) in enumerate(listening.objects(sound)):
            desk.write(f"{SOUND}{number:05}", samples.astype("<i2").tobytes())
            levels.append(its_levels)
    pieces = pauses.pieces(np.concatenate(levels)) if levels else ()
    made = [[one.start, one.stop, one.before, one.after] for one in pieces]
    desk.write(PIECES, json.dumps(made).encode())
    return {"undecoded": decoder.undecoded}


def _read(source: Source, media: Media, indexes: Sequence[int], desk: Desk) -> Mapping[str, Json]:
    """Read tracks of subtitles, all in one pass."""
    from fanfold.kinds.video.ranges import opened

    with opened(_in_blocks(source, media), media.container) as found:
        cues = subtitles.read(_packets(found, indexes), Fraction(media.origin))
    for index in indexes:
        told = [[cue.start_ms, cue.stop_ms, cue.payload] for cue in cues.get(index, ())]
        desk.write(f"{TRACK}{index:05}", json.dumps(told, ensure_ascii=False).encode())
    return {}


def _in_blocks(source: Source, media: Media) -> Source:
    """Return a source that is read in large blocks where all of it is: only MP4 tells where each stream's bytes are."""
    from fanfold.kinds.video.ranges import Kept

    return Kept(source) if media.container == "mp4" else Kept(source, STREAMED_BLOCK_BYTES)


def _packets(found: InputContainer, indexes: Sequence[int]) -> Iterator[Packet[Any]]:
    """Yield the packets of some streams. Raises BrokenVideo."""
    import av

    try:
        yield from found.demux([found.streams[index] for index in indexes])
    except av.error.FFmpegError as error:
        raise BrokenVideo(f"the container cannot be read on: {error.strerror}") from error


def later(round: Round) -> tuple[list[RoledSpan], Mapping[str, Json]]:
    """Return roles and spans of what the first round made ready, and what their layout says besides.

    None, once they were asked for. Every line so far has its part. Raises BrokenVideo where no picture decodes.
    """
    if any("speech" in line.span or "sprite" in line.span for lines in round.lines for line in lines):
        return [], {}
    spans: list[RoledSpan] = []
    layout: dict[str, Json] = {}
    parts = parts_of(round)
    looked = [part.facts["decoded"] for part in parts if "describe" in part.line.span]
    if looked and not any(looked):
        raise BrokenVideo("not one picture of the video can be decoded")
    if sheet := sheet_of(round.recipe, Media.from_json(planned(round)["media"])):
        spans.append((ROLE, {"sprite": True}))
        layout["sheet"] = asdict(sheet)
        taken = [part for part in parts if PICTURES in part.objects]
        layout["pictures"] = [[*_place(part, PICTURES), part.facts["pictures"]] for part in taken]
    for part in parts:
        if PIECES in part.objects:
            pieces = json.loads(whole(round, part.objects[PIECES]))
            spans += [(hearing.ROLE, span) for span in hearing.spans(pieces, ENGINES[round.recipe.transcript.engine])]
            layout["heard"] = [_place(part, name) for name in sorted(part.objects) if name.startswith(SOUND)]
    return spans, layout


def _put_together(layout: Json, desk: Desk) -> Mapping[str, Json]:
    """Put the posters on their sheet."""
    sheet = Sheet(**layout["sheet"])
    picture_bytes = sheet.width * sheet.height * 3

    def pictures() -> Iterator[tuple[int, bytes]]:
        for key, size_bytes, numbers in layout["pictures"]:
            data = desk.read(PartObject(key, size_bytes))
            for at, number in enumerate(numbers):
                yield number, data[at * picture_bytes : (at + 1) * picture_bytes]

    desk.write(posters.SHEET, posters.assembled(sheet, pictures()))
    return {}


def parts_of(round: Round) -> list[Part]:
    """Return every part there is, in the order of the lines."""
    return [part for lines in round.lines for line in lines if (part := round.part(line)) is not None]


def whole(round: Round, made: PartObject) -> bytes:
    """Return all of a part's object."""
    return round.read(made, 0, made.size_bytes)


def _place(part: Part, name: str) -> list[Json]:
    made = part.objects[name]
    return [made.key, made.size_bytes]
