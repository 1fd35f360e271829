"""What the pages show of runs: read through the memory, so that many pages ask once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from fanfold import attempts, costs, figures, report, standing
from fanfold.aws.jobs import Filters
from fanfold.console.reads import FOREVER, WatchedStack
from fanfold.errors import SourceGone, UsageError
from fanfold.standing import Board, Chunk, Standing

Item = Mapping[str, Any]

PAGE = 50
"""Runs on a page of the list."""

TRUE_S = 20.0
"""How often it is asked whether the event of a run's end was lost."""

LISTINGS_A_SECOND = 5
"""A standing of a job with many unfinished lines takes as many listings; it is made anew no more often than this."""

SAMPLED = 8
"""Parts that are read to tell how long one takes."""

CHILDREN_ASKED = 50
"""Running children that are asked for their lines at a time."""

LIVE = ("PENDING", "RUNNING")


@dataclass(frozen=True, slots=True)
class Row:
    """A run in the list."""

    item: Item
    round: int
    done: int | None
    total: int | None
    cost: float | None
    about: bool
    """Whether the cost is a projection of some parts' time to all."""

    @property
    def took(self) -> float | None:
        return took(self.item)


@dataclass(frozen=True, slots=True)
class Child:
    """One child execution of a Map Run, which did or does one line."""

    arn: str
    status: str
    started: datetime
    stopped: datetime | None
    round: int


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of one stack."""

    stack: WatchedStack

    def page(
        self, filters: Filters, after: tuple[str, str] | None = None, *, backwards: bool = False
    ) -> tuple[list[Row], bool]:
        """Return a page of the list, and whether there are more behind (or, backwards, before) it."""
        jobs = self.stack.stores.jobs
        items, more = self.stack.remembered.get(
            ("page", filters, after, backwards), 0.7, lambda: jobs.page(PAGE, filters, after, backwards=backwards)
        )
        return [self.row(item) for item in items], more

    def row(self, item: Item) -> Row:
        """Return a run as the list shows it."""
        item = (
            self.stack.remembered.peek(("true", item["job"], _stamp(item)), TRUE_S, lambda: self._trued(item)) or item
        )
        planned = item.get("planned")
        found: Standing | None = None
        if "planned" in item and (item["status"] in LIVE or "effort" not in item):
            found = self.stack.remembered.peek(*self._standing_key(item), lambda: self._stand(item))
        if found:
            cost, about = self.cost(item, found)
            return Row(item, len(found.rounds), *found.latest, cost, about)
        chunks = item.get("chunks", {})
        done = chunks["planned"] - chunks["failed"] if chunks else None
        cost, about = self.cost(item, None)
        return Row(item, 1, done, planned, cost, about)

    def _trued(self, item: Item) -> Item:
        return report.trued(self.stack, dict(item))

    def item(self, job_id: str) -> Item:
        """Return the item of a job; raise UsageError where there is none."""
        item = self.stack.remembered.get(("item", job_id), 0.4, lambda: self.stack.stores.jobs.get(job_id))
        if not item:
            raise UsageError(f"there is no run {job_id!r}")
        return self.stack.remembered.peek(("true", job_id, _stamp(item)), TRUE_S, lambda: self._trued(item)) or item

    def described(self, item: Item) -> dict[str, Any] | None:
        """Return what Step Functions says of the job's latest execution, None where it has none."""
        if (arn := item.get("execution")) is None:
            return None
        key = ("execution", item["job"], arn, _stamp(item))
        fresh_s = 2.0 if item["status"] in LIVE else FOREVER
        return self.stack.remembered.get(key, fresh_s, lambda: self.stack.executions.describe(arn))

    def history(self, item: Item) -> list[dict[str, Any]]:
        """Return the events of the job's latest execution, oldest first."""
        if (arn := item.get("execution")) is None:
            return []
        key = ("history", item["job"], arn, _stamp(item))
        fresh_s = 1.0 if item["status"] in LIVE else FOREVER
        return self.stack.remembered.get(key, fresh_s, lambda: list(self.stack.executions.history(arn)))

    def definition(self, item: Item) -> dict[str, Any] | None:
        """Return the definition that the latest execution runs."""
        if (arn := item.get("execution")) is None:
            return None
        key = ("definition", item["job"], arn)
        return self.stack.remembered.get(key, FOREVER, lambda: self.stack.executions.definition(arn))

    def attempts(self, item: Item) -> list[attempts.Attempt]:
        """Return every attempt at the job, the first one first."""
        if (arn := item.get("execution")) is None:
            return []
        key = ("attempts", item["job"], arn, _stamp(item))
        fresh_s = 3.0 if item["status"] in LIVE else FOREVER
        return self.stack.remembered.get(key, fresh_s, lambda: attempts.attempts(self.stack, item["job"], arn))

    def standing(self, item: Item) -> Standing:
        """Return where the chunks of a job stand."""
        return self.stack.remembered.get(*self._standing_key(item), lambda: self._stand(item))

    def _standing_key(self, item: Item) -> tuple[tuple[str, ...], float]:
        if item["status"] not in LIVE:
            return ("standing", item["job"], _stamp(item)), FOREVER
        stretches = item.get("planned", 0) / standing.STRETCH
        return ("standing", item["job"], _stamp(item)), max(0.7, stretches / LISTINGS_A_SECOND)

    def board(self, job_id: str) -> Board:
        return self.stack.remembered.get(("board", job_id), FOREVER, lambda: Board(self.stack, job_id))

    def _stand(self, item: Item) -> Standing:
        found = self.described(item) or {}
        started = found.get("startDate")
        running = self._running_lines(item) if item["status"] == "RUNNING" else []
        try:
            return self.board(item["job"]).refresh(
                item.get("planned", 0), started, found.get("redriveDate") or started, running
            )
        except SourceGone:
            return Standing((), 0)  # the work bucket has let go of the job since it was listed

    def map_runs(self, item: Item) -> list[tuple[str, bool]]:
        """Return the Map Runs of the latest execution, a round each, and whether it is under way."""
        found: list[tuple[str, bool]] = []
        for event in self.history(item):
            if event["type"] == "MapRunStarted":
                found.append((event["mapRunStartedEventDetails"]["mapRunArn"], True))
            elif event["type"] == "MapRunRedriven" and found:
                found[-1] = found[-1][0], True
            elif event["type"] in MAP_RUN_ENDS and found:
                found[-1] = found[-1][0], False
        return found

    def children(self, item: Item) -> list[Child]:
        """Return the children of all Map Runs of the latest execution, in the order of their starts."""
        made: list[Child] = []
        for number, (arn, runs) in enumerate(self.map_runs(item)):
            key = ("children", item["job"], arn, runs, _stamp(item))
            read = partial(self._children, arn)
            found = self.stack.remembered.get(key, 3.0 if runs else FOREVER, read)
            made += (
                Child(child["executionArn"], child["status"], child["startDate"], child.get("stopDate"), number)
                for child in found
            )
        return sorted(made, key=lambda child: child.started)

    def _children(self, map_run_arn: str) -> list[dict[str, Any]]:
        return list(self.stack.executions.children(map_run_arn))

    def line_of(self, child_arn: str) -> str | None:
        """Return the id of the line that a child does, None until that is read, which waits until there is room."""
        if not self.stack.paced.paces["DescribeExecution"].spare:
            return None

        def read() -> str:
            return str(json.loads(self.stack.executions.describe(child_arn)["input"])["line"]["id"])

        return self.stack.remembered.peek(("child", child_arn), FOREVER, read)

    def _running_lines(self, item: Item) -> list[str]:
        runs = self.map_runs(item)
        if not runs or not runs[-1][1]:
            return []
        arn = runs[-1][0]
        found = self.stack.remembered.get(
            ("running", item["job"], arn), 1.5, lambda: list(self.stack.executions.children(arn, "RUNNING"))
        )
        lines = (self.line_of(child["executionArn"]) for child in found[:CHILDREN_ASKED])
        return [line for line in lines if line]

    def cost(self, item: Item, found: Standing | None) -> tuple[float | None, bool]:
        """Return what a run has cost so far, and whether that is a projection."""
        if effort := item.get("effort"):
            return costs.usd(effort["worker_ms"] / 1000, effort["lines"]), False
        if not found:
            return None, False
        done = [chunk for chunk in found.chunks if chunk.key and chunk.status != "reused"]
        sample = done[:: max(1, len(done) // SAMPLED)][:SAMPLED]
        took = [told["seconds"] for chunk in sample if (told := self.details(chunk.key or "", wait=False))]
        mean = sum(took) / len(took) if took else 0.0
        return costs.usd(mean * len(done), len(done)), len(done) > len(took)

    def details(self, key: str, *, wait: bool = True) -> dict[str, Any] | None:
        """Return what a part's record says of its making."""
        read = self.stack.remembered.get if wait else self.stack.remembered.peek
        return read(("part", key), FOREVER, lambda: standing.details(self.stack, key))

    def failures(self, item: Item) -> dict[str, Any]:
        """Return the error of every chunk that failed, by the line's id, with the attempts it took."""
        found = self.standing(item)
        failed = [chunk for chunk in found.chunks if chunk.status == "failed"]
        told: dict[str, Any] = {}
        if item["status"] in ("FAILED", "PARTIAL") and any(chunk.key is None for chunk in found.chunks):
            key = ("dead", item["job"], _stamp(item))
            told |= self.stack.remembered.get(
                key, FOREVER, lambda: report.children_failures(self.stack, item["execution"])
            )
        for chunk in failed[:FAILURES_READ]:
            kept = ("failure", item["job"], chunk.line.id, str(chunk.at))
            read = partial(report.failure, self.stack, item["job"], chunk.line)
            told[chunk.line.id] = self.stack.remembered.get(kept, FOREVER, read)
        return {line_id: failure for line_id, failure in told.items() if failure}

    def log_of(self, item: Item, chunk: Chunk) -> list[dict[str, Any]]:
        """Return what the functions logged of one chunk, in order, with the memory that their reports tell."""
        key = ("log", item["job"], chunk.line.id, chunk.status, _stamp(item))
        return self.stack.remembered.get(
            key, 5.0 if item["status"] in LIVE else 30.0, lambda: report.chunk_log(self.stack, dict(item), chunk.line)
        )


FAILURES_READ = 500
"""Failed chunks whose errors are read."""

MAP_RUN_ENDS = ("MapRunSucceeded", "MapRunFailed", "MapRunAborted", "MapRunTimedOut", "ExecutionAborted")


def _stamp(item: Item) -> str:
    """Return what changes whenever a run starts, ends or is started again."""
    return f"{item['status']} {item.get('order', '')}"


def took(item: Item) -> float | None:
    """Return how long a run took, or has been under way."""
    if item.get("started") and not item.get("stopped") and item["status"] in LIVE:
        began = figures.instant(item["started"])
        return max(0.0, (datetime.now(began.tzinfo) - began).total_seconds())
    return figures.elapsed(item)


def groups(failures: Mapping[str, Any]) -> list[tuple[Mapping[str, str], Sequence[str]]]:
    """Return the errors with the lines that failed with each, the most frequent first.

    Errors are the same that differ in nothing but numbers: offsets, lines, sizes.
    """
    found: dict[tuple[str, str], tuple[Mapping[str, str], list[str]]] = {}
    for line_id, failure in failures.items():
        error = failure["error"]
        shape = "".join("#" if one.isdigit() else one for one in error["message"])
        shape = "#".join(filter(None, shape.split("#")))
        found.setdefault((error["name"], shape), (error, []))[1].append(line_id)
    return sorted(found.values(), key=lambda group: -len(group[1]))
