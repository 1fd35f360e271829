"""Words into cues: what is read at one glance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fanfold.speech import Word

LONGEST_MS = 7000
MOST_LETTERS = 84
"""Two lines of 42, as broadcasters have them."""

PAUSE_MS = 700
"""A pause that ends a cue wherever it is."""

ENDS = (".", "?", "!", "\u3002", "\uff1f", "\uff01")
LEAST_MS = 1000
"""What a sentence lasts at least to be a cue of its own."""


def cues(words: Iterable[Word], space: str) -> Iterator[list[Word]]:
    """Yield the words of each cue: up to the end of a sentence or a pause, and no more than is read at once.

    space: what stands between two words.
    """
    held: list[Word] = []
    for word in words:
        if held and _ends(held, word, space):
            yield held
            held = []
        held.append(word)
    if held:
        yield held


def _ends(held: list[Word], word: Word, space: str) -> bool:
    last = held[-1]
    if word.start_ms - last.stop_ms >= PAUSE_MS or word.stop_ms - held[0].start_ms > LONGEST_MS:
        return True
    if len(text(held, space)) + len(space) + len(word.text) > MOST_LETTERS:
        return True
    return last.text.endswith(ENDS) and last.stop_ms - held[0].start_ms >= LEAST_MS


def text(held: Iterable[Word], space: str) -> str:
    """Return what a cue says."""
    return space.join(word.text for word in held)
