"""Words as people look for them: one spelling of each, whatever its case and its punctuation."""

from __future__ import annotations

import unicodedata
from itertools import groupby

LETTERS_LIMIT = 64
"""How many characters of a word count: no word that is looked for has more."""

APOSTROPHES = "'\u2019"


def words(text: str) -> list[str]:
    """Return the words of a text in their order: letters, marks and digits, apostrophes inside them, without case."""
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    spans = ("".join(letters) for is_word, letters in groupby(plain, _is_of_word) if is_word)
    trimmed = (_trimmed(span)[:LETTERS_LIMIT] for span in spans)
    return [word for span in trimmed if (word := _trimmed(span).replace("\u2019", "'"))]


def _is_of_word(letter: str) -> bool:
    return letter in APOSTROPHES or unicodedata.category(letter)[0] in "LMN"


def _trimmed(span: str) -> str:
    """Return a span without the apostrophes around it, and without marks that belong to no letter."""
    span = span.strip(APOSTROPHES)
    while span and unicodedata.category(span[0])[0] == "M":
        span = span[1:].strip(APOSTROPHES)
    return span
