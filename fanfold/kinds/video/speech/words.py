"""Words with their times, and how the pieces that they were heard in are joined."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from fanfold.speech import Word


def to_bytes(words: Iterable[Word]) -> bytes:
    """Return words as a part keeps them."""
    return json.dumps(list(words), ensure_ascii=False, separators=(",", ":")).encode()


def from_bytes(data: bytes) -> list[Word]:
    """Read back what `to_bytes` gave."""
    return [Word(*word) for word in json.loads(data)]


def joined(pieces: Iterable[Sequence[Word]]) -> list[Word]:
    """Return the words of pieces that follow each other.

    Where two pieces heard the same word at their seam, and each took it for its own, it is said once. A word never
    begins before the one that precedes it.
    """
    found: list[Word] = []
    for piece in pieces:
        for word in piece:
            if found and word.start_ms < found[-1].stop_ms:
                if bare(word.text) == bare(found[-1].text):
                    continue
                start_ms = max(word.start_ms, found[-1].start_ms)
                found[-1] = found[-1]._replace(stop_ms=start_ms)
                word = word._replace(start_ms=start_ms, stop_ms=max(word.stop_ms, start_ms))
            found.append(word)
    return found


def bare(text: str) -> str:
    """Return a word without case and punctuation."""
    return "".join(letter for letter in text.casefold() if letter.isalnum())
