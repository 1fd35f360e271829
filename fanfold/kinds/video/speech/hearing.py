"""The worker that hears: it turns some pieces of the sound into words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fanfold.kinds.pieces import Pieces
from fanfold.kinds.video.recipe import Transcript
from fanfold.kinds.video.speech.words import joined, to_bytes
from fanfold.model import Desk, Json, PartObject
from fanfold.speech import RATE, SAMPLE_BYTES, Engine, Word, transcriber

# The merge and the splitter name the role, and have neither numpy nor the model in their packages.

ROLE, WORDS = "speech", "words"
"""The role of the lines that hear, and the object that each leaves."""

A_MS = RATE // 1000
"""Samples of a millisecond."""


def spans(pieces: Sequence[Sequence[int]], engine: Engine) -> Iterator[dict[str, Json]]:
    """Yield the spans of the lines that hear pieces."""
    heard = list(_together(pieces, engine.together_s * RATE))
    for start in range(0, len(heard), engine.a_line):
        yield {"speech": heard[start : start + engine.a_line]}


def _together(pieces: Sequence[Sequence[int]], most: int) -> Iterator[list[int]]:
    """Yield what is heard at once: pieces with what lies between them, where that is not too long."""
    held: list[int] = []
    for start, stop, before, after in pieces:
        if held and stop - held[0] <= most:
            held[1], held[3] = stop, after
            continue
        if held:
            yield held
        held = [start, stop, before, after]
    if held:
        yield held


def process(asked: Transcript, layout: Json, span: Mapping[str, Any], desk: Desk) -> Mapping[str, Json]:
    """Write the words of the pieces of a line. Raises NoSpeechModel, TransientError, PermanentError."""
    objects = [PartObject(key, size_bytes) for key, size_bytes in layout["heard"]]
    sound = Pieces(objects, desk.read)
    found = [_owned(asked, piece, sound) for piece in span["speech"]]
    words = joined(found)
    desk.write(WORDS, to_bytes(words))
    return {"words": len(words)}


def _owned(asked: Transcript, piece: Sequence[int], sound: Pieces) -> list[Word]:
    """Return the words of a piece: of those in its halos its neighbours have what begins there."""
    start, stop, before, after = piece
    first, last = start - before, stop + after
    heard = transcriber(asked.engine).words(sound.read(first * SAMPLE_BYTES, last * SAMPLE_BYTES), asked.code)
    start_ms = start // A_MS if before else 0
    stop_ms = stop // A_MS if after else last // A_MS + 1
    offset_ms = first // A_MS
    words = [word._replace(start_ms=word.start_ms + offset_ms, stop_ms=word.stop_ms + offset_ms) for word in heard]
    return [word for word in words if start_ms <= word.start_ms < stop_ms]
