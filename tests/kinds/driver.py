"""Runs a kind from plan to outputs in memory, through the Kind protocol alone, as the state machine would."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import IO, Any

from fanfold.job import canonical
from fanfold.model import Again, Copied, Folded, Json, Kind, Line, Output, Part, PartObject, Record, Round

ROUNDS_LIMIT = 300


class CountingSource:
    """An object in memory that keeps count of what is read of it."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.reads: list[tuple[int, int]] = []

    @property
    def size_bytes(self) -> int:
        return len(self._data)

    def read(self, start: int, stop: int) -> bytes:
        assert 0 <= start <= stop
        found = self._data[start:stop]
        self.reads.append((start, start + len(found)))
        return found

    @property
    def read_bytes(self) -> int:
        return sum(stop - start for start, stop in self.reads)


@dataclass
class MemoryDesk:
    """Keeps what a worker notes and writes."""

    line: Line
    store: dict[str, bytes]
    noted: Json = None
    objects: dict[str, PartObject] = field(default_factory=dict)

    def note(self, facts: Json) -> None:
        self.noted = json_copy(facts)

    def write(self, name: str, data: bytes | IO[bytes]) -> None:
        assert name not in self.objects, f"{name} is written twice"
        if not isinstance(data, bytes):
            data.seek(0)
            data = data.read()
        key = f"parts/{self.line.id}/{name}"
        self.store[key] = data
        self.objects[name] = PartObject(key, len(data))

    def read(self, part_object: PartObject, start: int = 0, stop: int | None = None) -> bytes:
        data = self.store[part_object.key]
        assert len(data) == part_object.size_bytes
        return data[start:stop]


def json_copy(data: Json) -> Json:
    """Return data as it comes back from the work bucket."""
    import json

    return json.loads(canonical(data))


@dataclass
class Result:
    """What a job came to."""

    outputs: dict[str, bytes]
    folded: Folded
    records: list[Record]
    rounds: list[list[Line]]
    layouts: list[Json]
    reads: dict[str, int]
    """By line, how many bytes its worker read of the source."""

    @property
    def stats(self) -> Mapping[str, Json]:
        return self.folded.stats


Failing = Callable[[Line], str | None]
"""Says of a line whether its worker fails: `before` its note, `after` it, or not at all."""


def run(
    kind: Kind, data: bytes, recipe: Any, *, seed: int | None = None, failing: Failing = lambda line: None
) -> Result:
    """Run a job; workers in an order that `seed` shuffles. Raises what plan, merge or the result would raise."""
    source = CountingSource(data)
    plan = kind.plan(source, recipe)
    shuffler = random.Random(seed)
    layouts, rounds, plan_round = [json_copy(plan.layout)], [list(plan.lines)], 0
    store: dict[str, bytes] = {}
    parts: dict[str, Part | None] = {}
    notes: dict[str, Json] = {}
    reads: dict[str, int] = {}
    records: list[Record] = []
    while True:
        assert len(rounds) < ROUNDS_LIMIT, "the rounds do not end"
        order = list(rounds[-1])
        if seed is not None:
            shuffler.shuffle(order)
        for line in order:
            assert line.id not in parts, f"the line {line.id} is there twice"
            line = replace(line, span=json_copy(line.span))
            desk = MemoryDesk(line, store)
            source.reads.clear()
            parts[line.id] = _part(kind, source, recipe, layouts[line.layout], line, desk, records, failing(line))
            reads[line.id] = source.read_bytes
            notes[line.id] = desk.noted
        round = Round(
            source=source,
            recipe=recipe,
            layouts=layouts,
            lines=rounds,
            part=lambda line: parts[line.id],
            note=lambda line: notes[line.id],
            read=lambda made, start, stop: store[made.key][start:stop],
            plan_round=plan_round,
        )
        answer = kind.merge(round)
        assert kind.merge(round) == answer or isinstance(answer, Folded), "a merge is a function of the parts"
        if isinstance(answer, Folded):
            break
        plan_round = len(rounds) if answer.plans else plan_round
        _ask_again(answer, layouts, rounds)
    outputs = {output.name: assembled(output, store) for output in answer.outputs}
    put = [one for lines in rounds for line in lines for one in line.span.get("place", ())]
    placed = [output for output in answer.outputs if output.placed]
    copied = [(output.name, piece) for output in placed for piece in output.pieces if isinstance(piece, Copied)]
    assert put == [[name, one.key, one.start, one.stop] for name, one in copied], "what is placed was put there once"
    return Result(outputs, answer, records, rounds, layouts, reads)


def _part(
    kind: Kind,
    source: CountingSource,
    recipe: Any,
    layout: Json,
    line: Line,
    desk: MemoryDesk,
    records: list[Record],
    fails: str | None,
) -> Part | None:
    if "place" in line.span:
        return Part(line, {"placed": len(line.span["place"])}, {}, "execution", 1, 0.0)
    if line.role == "index":
        found = list(kind.records(recipe, layout, line, desk))
        records += found
        return Part(line, {"records": len(found)}, {}, "execution", 1, 0.0)
    if fails == "before":
        return None
    facts = json_copy(kind.process(source, recipe, layout, line, desk))
    return None if fails else Part(line, facts, desk.objects, "execution", 1, 0.0)


def _ask_again(again: Again, layouts: list[Json], rounds: list[list[Line]]) -> None:
    lines = list(again.lines)
    # Of a plan that has none the state machine goes on to its merge, whenever it is made.
    assert lines or again.plans, "a round has no lines"
    if again.layout is not None:
        lines = [replace(line, layout=len(layouts)) for line in lines]
        layouts.append(json_copy(again.layout))
    rounds.append(lines)


def assembled(output: Output, store: Mapping[str, bytes]) -> bytes:
    """Return an output's bytes."""
    return b"".join(
        store[piece.key][piece.start : piece.stop] if isinstance(piece, Copied) else piece for piece in output.pieces
    )
