"""An image's records: one under its key, and one for each place of a word that was recognised in it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any

from fanfold.kinds.image.metadata import UNRECORDED
from fanfold.model import Desk, Json, Line, PartObject, Record
from fanfold.recognition import FACES, TEXT
from fanfold.words import words

PLACES = 2_000
"""The most places of words that are recorded, in the order in which they stand in the image."""

WORDS, WORDS_BYTES = 1_000, 64 << 10
"""The most different words that the image's own record names, and the most bytes of them: an item holds 400 KiB."""


def records(line: Line, desk: Desk) -> Iterator[Record]:
    """Yield what `metadata.json` says, what was recognised, and what was made of the image; then where words stand."""
    span = line.span
    said: dict[str, Any] = _read(desk, span["metadata"]) if "metadata" in span else {}
    recorded = {name: value for name, value in said.items() if name not in UNRECORDED}
    seen: dict[str, Any] = _read(desk, span["recognised"]) if "recognised" in span else {}
    if seen:
        recorded |= {"width": seen["width"], "height": seen["height"], "engine": seen["engine"]}
    if TEXT in seen:
        recorded |= _different(seen[TEXT])
    if FACES in seen:
        recorded["faces"] = len(seen[FACES])
    yield Record("", None, 0, {**recorded, "outputs": span["outputs"]})
    for ordinal, (word, place) in enumerate(islice(_places(seen.get(TEXT, ())), PLACES)):
        yield Record("", None, ordinal, place, word=word)


def _read(desk: Desk, stored: Json) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(desk.read(PartObject(*stored)), parse_float=Decimal)
    return found


def _places(texts: Sequence[Json]) -> Iterator[tuple[str, Mapping[str, Json]]]:
    for text in texts:
        line = {name: text[name] for name in ("text", "score", "box")}
        yield from ((word, {**line, "place": place}) for place, word in enumerate(words(text["text"])))


def _different(texts: Sequence[Json]) -> dict[str, Json]:
    """Return the words of an image once each, as many as are named, and how many are left out."""
    found = list(dict.fromkeys(word for word, _ in _places(texts)))
    named: list[str] = []
    room = WORDS_BYTES
    for word in found[:WORDS]:
        room -= len(word.encode()) + 1
        if room < 0:
            break
        named.append(word)
    return {"words": named, "words_left_out": len(found) - len(named)}
