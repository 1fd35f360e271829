"""The smallest kind that goes through every step: it turns letters into capitals, span by span.

An object that holds `!` fails its chunk, `?` fails it for a passing reason, and `#` asks for a repair.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fanfold.errors import InvalidInput, TransientError
from fanfold.model import Again, Copied, Desk, Folded, Json, Line, Output, Part, Plan, Record, Round, Source

name = "table"
parts_version = 1
processed: list[str] = []
"""The ids of the lines that were worked on, in order."""


def sniff(head: bytes, key: str) -> bool:
    return True


def plan(source: Source, recipe: Any) -> Plan:
    starts = range(0, source.size_bytes, recipe.chunk)
    spans = [{"start": start, "stop": min(start + recipe.chunk, source.size_bytes)} for start in starts]
    return Plan({"capital": True}, [Line(f"0-{number:05}", "rows", span) for number, span in enumerate(spans)])


def process(source: Source, recipe: Any, layout: Json, line: Line, desk: Desk) -> Mapping[str, Json]:
    processed.append(line.id)
    text = source.read(line.span["start"], line.span["stop"])
    desk.note({"began": line.id})
    if b"!" in text:
        raise InvalidInput(f"chunk {line.id} holds an exclamation mark")
    if b"?" in text:
        raise TransientError("a question mark")
    wrong = b"#" in text and "pin" not in line.span
    desk.write("text", text.upper())
    return {"wrong": wrong, "length": len(text)}


def records(recipe: Any, layout: Json, line: Line, desk: Desk) -> Iterator[Record]:
    processed.append(line.id)
    for ordinal in range(line.span["first"], line.span["first"] + line.span["rows"]):
        yield Record("all", recipe.index.sort and str(ordinal), ordinal, {"n": ordinal})


def merge(round: Round) -> Again | Folded:
    newest: dict[int, Line] = {}
    for line in (line for lines in round.lines for line in lines if line.role == "rows"):
        newest[line.span["start"]] = line
    parts: dict[int, Part | None] = {start: round.part(line) for start, line in newest.items()}
    number = len(round.lines)
    broken = [newest[start] for start, part in parts.items() if part and part.facts["wrong"]]
    if broken:
        lines = [Line(f"{number}-{at:05}", "rows", {**line.span, "pin": True}) for at, line in enumerate(broken)]
        return Again(lines)
    done = {start: part for start, part in parts.items() if part}
    asked = [line for line in round.lines[-1] if line.role == "index"]
    if round.recipe.index and (not asked or any(round.part(line) is None for line in asked)):
        first = 0
        lines = []
        for at, part in enumerate(done.values()):
            lines.append(Line(f"{number}-{at:05}", "index", {"first": first, "rows": part.facts["length"]}))
            first += part.facts["length"]
        return Again(lines, publishes=True)
    pieces = [Copied(made.key, 0, made.size_bytes) for part in done.values() for made in [part.objects["text"]]]
    missing = [newest[start].span for start, part in parts.items() if part is None]
    refused = (
        InvalidInput("too loud") if any(b"Z" in round.read(p.objects["text"], 0, 99) for p in done.values()) else None
    )
    repaired = sum("pin" in line.span for lines in round.lines for line in lines)
    return Folded([Output("text.txt", pieces, "text/plain")], {"rows": len(done)}, missing, repaired, refused)
