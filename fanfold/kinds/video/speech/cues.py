"""Words into cues: what is read at one glance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fanfold.kinds.video.speech.words import Word

LONGEST_MS = 7000
MOST_LETTERS = 84
"""Two lines of 42, as broadcasters have them."""

PAUSE_MS = 700
"""A pause that ends a cue wherever it is."""

ENDS = (".", "?", "!")
LEAST_MS = 1000
"""What a sentence lasts at least to be a cue of its own."""


def cues(words: Iterable[Word]) -> Iterator[list[Word]]:
    """Yield the words of each cue: up to the end of a sentence or a pause, and no more than is read at once."""
    held: list[Word] = []
    for word in words:
        if held and _ends(held, word):
            yield held
            held = []
        held.append(word)
    if held:
        yield held


def _ends(held: list[Word], word: Word) -> bool:
    last = held[-1]
    if word.start_ms - last.stop_ms >= PAUSE_MS or word.stop_ms - held[0].start_ms > LONGEST_MS:
        return True
    if len(text(held)) + 1 + len(word.text) > MOST_LETTERS:
        return True
    return last.text.endswith(ENDS) and last.stop_ms - held[0].start_ms >= LEAST_MS


def text(held: Iterable[Word]) -> str:
    """Return what a cue says."""
    return " ".join(word.text for word in held)
