"""Texts: how often each word stands in one, counted piece by piece."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping

from fanfold.kinds.words.recipe import WordsRecipe

from fanfold.errors import InvalidInput
from fanfold.model import Again, Desk, Folded, Forecast, Json, Line, Output, Plan, Record, Round, Source

name = "words"
parts_version = 1

LONGEST_BYTES = 100
WORD = re.compile(rb"[A-Za-z]+")


def sniff(head: bytes, key: str) -> bool:
    return key.endswith(".txt") and head.isascii()


def plan(source: Source, recipe: WordsRecipe) -> Plan:
    """Plan chunks of bytes: no byte is read."""
    starts = range(0, source.size_bytes, recipe.chunk)
    spans = [{"start": start, "stop": min(start + recipe.chunk, source.size_bytes)} for start in starts]
    return Plan({}, [Line(f"0-{number:05}", "count", span) for number, span in enumerate(spans)])


def forecast(source: Source, recipe: WordsRecipe, plan: Plan) -> Forecast:
    seconds = source.size_bytes / 50e6
    return Forecast(len(plan.lines), recipe.chunk, len(plan.lines), seconds, seconds / len(plan.lines))


def process(source: Source, recipe: WordsRecipe, layout: Json, line: Line, desk: Desk) -> Mapping[str, Json]:
    """Count the words whose first letter lies in the span. Raises InvalidInput."""
    start, stop = line.span["start"], line.span["stop"]
    begin = max(0, start - 1)
    text = source.read(begin, stop + LONGEST_BYTES)
    counts: Counter[str] = Counter()
    for match in WORD.finditer(text):
        first = begin + match.start()
        if first >= stop:
            break
        if first < start:
            continue  # it begins in the chunk before, or ends with it
        if len(match[0]) > LONGEST_BYTES:
            raise InvalidInput(f"the word at byte {first:,} has more than {LONGEST_BYTES} letters")
        word = match[0].decode()
        counts[word.lower() if recipe.fold else word] += 1
    desk.write("counts", json.dumps(counts).encode())
    return {"words": counts.total()}


def records(recipe: WordsRecipe, layout: Json, line: Line, desk: Desk) -> Iterator[Record]:
    yield Record("", None, 0, line.span["stats"])


def merge(round: Round) -> Again | Folded:
    """Add the counts up, have the record written, then describe the output."""
    parts = [round.part(line) for line in round.plan]
    if None in parts:
        missing = [line.span for line in round.plan if round.part(line) is None]
        return Folded((), {}, missing=missing)
    counts: Counter[str] = Counter()
    for made in (part.objects["counts"] for part in parts if part):
        counts.update(json.loads(round.read(made, 0, made.size_bytes)))
    stats = {"words": counts.total(), "different": len(counts)}
    if not round.later:
        return Again([Line("1-00000", "index", {"stats": stats})], publishes=True)
    body = json.dumps(dict(counts.most_common()), indent=1).encode()
    return Folded([Output("words.json", [body], "application/json")], stats)
