"""What a text is about: its phrases by C-value, near repetitions left out.

K. Frantzi, S. Ananiadou, H. Mima, Automatic recognition of multi-word terms: the C-value/NC-value method, 2000. A
phrase counts as often as it is said, less what is said of it inside longer ones, times the logarithm of its length. It
has up to three words, begins and ends with none that every text has, and goes over no punctuation.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import log2
from typing import Any

from fanfold.kinds.video.languages import short
from fanfold.words import words

LONGEST = 3
"""Words of a phrase, those inside it that every text has included."""

SHORTEST_LETTERS = 3

ALIKE = 0.5
"""Two phrases that share more of their words than this are one keyword."""

KNOWN_SHARE = 0.15
"""How many of the words of a text are such as every text of its language has, at least."""

_BREAKS = re.compile(r"[^\w\s'\u2019-]+|(?<!\w)-|-(?!\w)")

Phrase = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence, or a part of one, and when it begins."""

    text: str
    start_ms: int


def keywords(sources: Iterable[tuple[str, Sequence[Said]]], count: int) -> list[dict[str, Any]]:
    """Return the `count` best phrases of each language, the best first; none of a language that is not known.

    sources: languages, by ISO 639-1 or 639-2, and what is said in them. `und` is told by the words.
    """
    parts: dict[str, list[tuple[list[str], int]]] = defaultdict(list)
    for language, said in sources:
        found = [(words(part), one.start_ms) for one in said for part in _BREAKS.split(one.text)]
        if code := _language(language, (word for part, _ in found for word in part)):
            parts[code] += found
    return [keyword for code, found in parts.items() for keyword in _ranked(code, found, count)]


def _ranked(code: str, parts: Iterable[tuple[Sequence[str], int]], count: int) -> Iterator[dict[str, Any]]:
    common = _common(code)
    times: dict[Phrase, list[int]] = defaultdict(list)
    spellings: dict[Phrase, Counter[Phrase]] = defaultdict(Counter)
    for found, start_ms in parts:
        for phrase in _phrases(found, common):
            one = tuple(word if word in common else _singular(word) for word in phrase)
            times[one].append(start_ms)
            spellings[one][phrase] += 1
    counts = {phrase: len(at) for phrase, at in times.items()}
    values = _values(counts, common)
    # Of equal phrases the one that is said first comes first: that is the order they were found in.
    ranked = sorted(values, key=lambda phrase: (-values[phrase], -counts[phrase]))
    for phrase in _unlike(ranked, common, count):
        yield {
            "text": " ".join(spellings[phrase].most_common(1)[0][0]),
            "language": code,
            "count": counts[phrase],
            "score": round(values[phrase], 3),
            "first_s": min(times[phrase]) / 1000,
        }


def _phrases(found: Sequence[str], common: frozenset[str]) -> Iterator[Phrase]:
    for start, word in enumerate(found):
        if not _is_end(word, common):
            continue
        for stop in range(start + 1, min(start + LONGEST, len(found)) + 1):
            if _is_end(found[stop - 1], common):
                yield tuple(found[start:stop])


def _is_end(word: str, common: frozenset[str]) -> bool:
    return word not in common and len(word) >= SHORTEST_LETTERS and not word.isnumeric()


def _values(counts: Mapping[Phrase, int], common: frozenset[str]) -> dict[Phrase, float]:
    """Return the C-value of each phrase, its length counted in words that not every text has, two at most."""
    around: dict[Phrase, Counter[Phrase]] = defaultdict(Counter)
    for phrase, count in counts.items():
        for size in range(1, len(phrase)):
            for start in range(len(phrase) - size + 1):
                inner = phrase[start : start + size]
                if inner in counts:
                    around[inner][phrase] += count
    values = {}
    for phrase, count in counts.items():
        outer = around[phrase]
        inside = sum(outer.values()) / len(outer) if outer else 0.0
        values[phrase] = log2(1 + min(2, len(_essence(phrase, common)))) * (count - inside)
    return values


def _essence(phrase: Phrase, common: frozenset[str]) -> frozenset[str]:
    """Return the words that a phrase is told by."""
    return frozenset(word for word in phrase if word not in common)


def _singular(word: str) -> str:
    """Return a word without its genitive, and without the plural that English, French and Spanish have."""
    word = word.removesuffix("'s")
    return word if word.endswith(("ss", "us", "is")) or len(word) <= SHORTEST_LETTERS else word.removesuffix("s")


def _unlike(ranked: Iterable[Phrase], common: frozenset[str], count: int) -> list[Phrase]:
    chosen: list[Phrase] = []
    essences: list[frozenset[str]] = []
    for phrase in ranked:
        if len(chosen) == count:
            break
        mine = _essence(phrase, common)
        if all(len(mine & other) <= ALIKE * min(len(mine), len(other)) for other in essences):
            chosen.append(phrase)
            essences.append(mine)
    return chosen


def code_of(language: str) -> str:
    """Return a language, as containers and recipes name it, by ISO 639-1 as far as that is known."""
    code = language.lower().partition("-")[0]
    return short(code)


def _language(given: str, found: Iterable[str]) -> str | None:
    from stop_words import LANGUAGE_MAPPING

    code = code_of(given)
    if code in LANGUAGE_MAPPING:
        return code
    counts = Counter(found)
    shares = {
        one: sum(count for word, count in counts.items() if word in _common(one)) / max(1, counts.total())
        for one in sorted(LANGUAGE_MAPPING)
    }
    best = max(shares, key=lambda one: shares[one])
    return best if code in ("", "und") and shares[best] >= KNOWN_SHARE else None


@cache
def _common(code: str) -> frozenset[str]:
    """Return the words that every text of a language has."""
    from stop_words import get_stop_words

    return frozenset(word for line in get_stop_words(code) for word in words(line))
