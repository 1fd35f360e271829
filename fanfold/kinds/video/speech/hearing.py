"""The worker that hears: it turns some pieces of the sound into words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fanfold.kinds.pieces import Pieces
from fanfold.kinds.video.speech.words import Word, joined, to_bytes
from fanfold.model import Desk, Json, PartObject

# The merge and the splitter name the role, and have neither numpy nor the model in their packages.

ROLE, WORDS = "speech", "words"
"""The role of the lines that hear, and the object that each leaves."""

ENGINE = "whisper tiny.en"

PIECES_A_LINE = 4
"""What one worker hears: up to 104 seconds, beside which the second that the model takes to load is little."""

SAMPLE_BYTES = 2
A_MS = 16
"""Samples of a millisecond."""


def spans(pieces: Sequence[Sequence[int]]) -> Iterator[dict[str, Json]]:
    """Yield the spans of the lines that hear pieces."""
    for start in range(0, len(pieces), PIECES_A_LINE):
        yield {"speech": [list(piece) for piece in pieces[start : start + PIECES_A_LINE]]}


def process(layout: Json, span: Mapping[str, Any], desk: Desk) -> Mapping[str, Json]:
    """Write the words of the pieces of a line. Raises NoSpeechModel."""
    objects = [PartObject(key, size_bytes) for key, size_bytes in layout["heard"]]
    sound = Pieces(objects, desk.read)
    found = [_owned(piece, sound) for piece in span["speech"]]
    words = joined(found)
    desk.write(WORDS, to_bytes(words))
    return {"words": len(words)}


def _owned(piece: Sequence[int], sound: Pieces) -> list[Word]:
    """Return the words of a piece: of those in its halos its neighbours have what begins there."""
    import numpy as np

    from fanfold.kinds.video.speech import whisper

    start, stop, before, after = piece
    first, last = start - before, stop + after
    samples = np.frombuffer(sound.read(first * SAMPLE_BYTES, last * SAMPLE_BYTES), "<i2")
    start_ms = start // A_MS if before else 0
    stop_ms = stop // A_MS if after else last // A_MS + 1
    return [word for word in whisper.loaded().words(samples, first // A_MS) if start_ms <= word.start_ms < stop_ms]
