"""Where every chunk of a job stands, from listings alone: no read per chunk, however many there are.

A part's key is made of its line and its fingerprint, so the names of the objects say which lines are done, and the
times at which they were written, when. A board remembers what cannot change any more: a stretch of lines that are all
done is not listed again.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from fanfold.aws.objects import Listed
from fanfold.aws.stack import Stack
from fanfold.job import Keys
from fanfold.model import Json, Line
from fanfold.parts import INDEX
from fanfold.setting import Setting, read_layout

STRETCH = 400
"""Lines that are listed together: each has up to two names below `parts/`, and S3 lists a thousand at once."""

LISTINGS_AT_ONCE = 16

SECOND = timedelta(seconds=1)
"""S3 lists times to the second."""

Status = Literal["pending", "running", "succeeded", "reused", "repaired", "failed"]


@dataclass(frozen=True, slots=True)
class Chunk:
    """One line of a job's plans, and where it stands."""

    line: Line
    round: int
    status: Status
    key: str | None
    """The key of its part's record, None while there is none."""
    at: datetime | None
    """When the part, or the failure, was written."""


@dataclass(frozen=True, slots=True)
class Standing:
    """All chunks of a job, round by round."""

    rounds: Sequence[Sequence[Chunk]]
    plan_round: int
    """Which round is the plan proper; the ones before it made the object ready to be split."""

    @property
    def chunks(self) -> list[Chunk]:
        return [chunk for chunks in self.rounds for chunk in chunks]

    def counts(self) -> dict[str, int]:
        """Return how many chunks of all rounds have each status, those that none has left out."""
        found: dict[str, int] = {}
        for chunk in self.chunks:
            found[chunk.status] = found.get(chunk.status, 0) + 1
        return found

    @property
    def latest(self) -> tuple[int, int]:
        """How many lines of the latest round are done, and of how many."""
        if not self.rounds:
            return 0, 0
        last = self.rounds[-1]
        return sum(chunk.key is not None for chunk in last), len(last)


@dataclass(slots=True)
class Board:
    """What is known of one job's chunks; each `refresh` lists what may have changed since the last one."""

    stack: Stack
    job_id: str
    _plans: dict[str, tuple[str, list[Line]]] = field(default_factory=dict)
    """The lines of each plan by its key, with the ETag of what was read."""
    _layouts: dict[int, tuple[str, Setting, Json]] = field(default_factory=dict)
    _keys: dict[str, tuple[str, str]] = field(default_factory=dict)
    """The end of the key of a line's part by the line's id, with the ETag of the layout that it is made of."""
    _parts: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    """The key and the time of every part that is there, by the line's id."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def refresh(
        self,
        planned: int,
        started: datetime | None = None,
        began: datetime | None = None,
        running: Iterable[str] = (),
    ) -> Standing:
        """Return where the chunks stand now, none before the job is planned.

        planned: how many lines its plan proper has. started: when its latest execution did; what was done before is
        reused. began: when that execution was last redriven, or started; what failed before is to run again. running:
        the ids of lines that are known to be under way.
        """
        with self._lock:
            rounds = self._read_plans()
            if not rounds:
                return Standing((), 0)
            self._find_parts(rounds)
            failed = self._failures(began) if self._unfinished(rounds) else {}
            return self._standing(planned, started, rounds, failed, frozenset(running))

    def _read_plans(self) -> list[list[Line]]:
        work, keys = self.stack.stores.work, Keys(self.job_id)
        listed = {found.key: found.etag for found in work.listed(keys.prefix)}
        rounds: list[list[Line]] = []
        while (key := keys.plan(len(rounds))) in listed and keys.layout(0) in listed:
            etag = listed[key]
            if self._plans.get(key, ("",))[0] != etag:
                setting, _ = self._layout(0, listed)
                self._plans[key] = etag, setting.read_plan(len(rounds))
            rounds.append(self._plans[key][1])
        for line in (line for lines in rounds for line in lines):
            number = line.layout
            if self._keys.get(line.id, ("",))[0] != listed[keys.layout(number)]:
                setting, layout = self._layout(number, listed)
                name = f"{line.id}-{setting.fingerprint(line, layout)}.json"
                self._keys[line.id] = listed[keys.layout(number)], name
        return rounds

    def _layout(self, number: int, listed: Mapping[str, str]) -> tuple[Setting, Json]:
        etag = listed[Keys(self.job_id).layout(number)]
        if self._layouts.get(number, ("",))[0] != etag:
            self._layouts[number] = etag, *read_layout(self.stack.stores, self.job_id, number)
        return self._layouts[number][1:]

    @property
    def setting(self) -> Setting:
        """What the job's steps share; only once it is planned."""
        return self._layouts[0][1]

    def _unfinished(self, rounds: Sequence[Sequence[Line]]) -> bool:
        return any(line.id not in self._parts for lines in rounds for line in lines)

    def _find_parts(self, rounds: Sequence[Sequence[Line]]) -> None:
        """List the stretches of lines that are not all done, in this job and in those whose parts it may reuse."""
        places: list[tuple[str, list[Line]]] = []
        for lines in rounds:
            ordered = sorted(lines, key=lambda line: line.id)
            for start in range(0, len(ordered), STRETCH):
                stretch = ordered[start : start + STRETCH]
                if any(line.id not in self._parts for line in stretch):
                    places.append((self.job_id, stretch))
                    may_reuse = [line for line in stretch if line.role != INDEX and line.id not in self._parts]
                    places += [(job_id, may_reuse) for job_id in self.setting.job.reuse if may_reuse]
        with ThreadPoolExecutor(LISTINGS_AT_ONCE) as pool:
            for (_, stretch), found in zip(places, pool.map(lambda place: self._names(*place), places), strict=True):
                for line in stretch:
                    if line.id not in self._parts and (made := found.get(self._keys[line.id][1])):
                        self._parts[line.id] = made.key, made.modified

    def _names(self, job_id: str, stretch: Sequence[Line]) -> dict[str, Listed]:
        prefix = f"{Keys(job_id).prefix}parts/"
        first, last = f"{prefix}{stretch[0].id}", f"{prefix}{stretch[-1].id}."
        found = self.stack.stores.work.listed(prefix, after=first, until=last)
        return {one.key.removeprefix(prefix): one for one in found}

    def _failures(self, began: datetime | None) -> dict[str, datetime]:
        prefix = f"{Keys(self.job_id).prefix}failures/"
        return {
            found.key.removeprefix(prefix).removesuffix(".json"): found.modified
            for found in self.stack.stores.work.listed(prefix)
            if began is None or found.modified + SECOND > began
        }

    def _standing(
        self,
        planned: int,
        started: datetime | None,
        rounds: Sequence[Sequence[Line]],
        failed: Mapping[str, datetime],
        running: frozenset[str],
    ) -> Standing:
        plan_round = next((at for at, lines in enumerate(rounds) if len(lines) == planned), 0)
        latest = {
            (line.role, line.span["start"], number >= plan_round): number
            for number, lines in enumerate(rounds)
            for line in lines
            if line.role != INDEX and "start" in line.span and line.id in self._parts
        }

        def chunk(line: Line, number: int) -> Chunk:
            if made := self._parts.get(line.id):
                key, at = made
                status: Status = "succeeded"
                if not key.startswith(Keys(self.job_id).prefix) or (started and at + SECOND <= started):
                    status = "reused"
                if latest.get((line.role, line.span.get("start"), number >= plan_round), number) > number:
                    status = "repaired"
                return Chunk(line, number, status, key, at)
            if line.id in running:
                return Chunk(line, number, "running", None, None)
            if line.id in failed:
                return Chunk(line, number, "failed", None, failed[line.id])
            return Chunk(line, number, "pending", None, None)

        made = [[chunk(line, number) for line in lines] for number, lines in enumerate(rounds)]
        return Standing(made, plan_round)


def details(stack: Stack, key: str) -> dict[str, Any]:
    """Return what a part's record says of its making: execution, attempt, seconds, and its objects."""
    record = json.loads(stack.stores.work.get(key))
    return {name: record[name] for name in ("execution", "attempt", "seconds", "facts", "objects")}
