"""The attempts at a job: every execution, and within each every redrive, with what differed from the one before."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from fanfold.aws.executions import TOO_MANY_FAILED, explained
from fanfold.aws.faults import code
from fanfold.aws.objects import Listed
from fanfold.aws.stack import Stack
from fanfold.job import Keys, canonical
from fanfold.standing import SECOND

ATTEMPTS_SHOWN = 20
"""How many of the latest executions of a job are looked up."""

Event = Mapping[str, Any]

ENDS = {
    "ExecutionSucceeded": "SUCCEEDED",
    "ExecutionFailed": "FAILED",
    "ExecutionAborted": "ABORTED",
    "ExecutionTimedOut": "TIMED_OUT",
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """From a start or a redrive to the end that followed."""

    execution: str
    redrive: int
    """0 for the start of the execution."""
    status: str
    started: datetime
    stopped: datetime | None
    states: Sequence[str]
    """The states that it entered, in their order; a redrive goes on in the one that had failed."""
    differs: Sequence[str]
    """What is not as it was in the attempt before, in words."""
    error: Mapping[str, str] | None

    @property
    def seconds(self) -> float | None:
        return (self.stopped - self.started).total_seconds() if self.stopped else None


def executions(latest: str) -> list[str]:
    """Return the ARNs of a job's executions up to the latest, whose name counts them, the first one first."""
    found = re.fullmatch(r"(.+-[0-9a-f]{16})(?:-r(\d+))?", latest)
    if found is None:
        return [latest]
    first, count = found[1], int(found[2] or 0)
    numbers = range(max(0, count - ATTEMPTS_SHOWN + 1), count + 1)
    return [f"{first}-r{number}" if number else first for number in numbers]


def attempts(stack: Stack, job_id: str, latest: str) -> list[Attempt]:
    """Return the attempts at a job, the first one first, as far as Step Functions still knows them.

    latest: the ARN of its latest execution. An execution is forgotten 90 days after it ended.
    """
    made: list[Attempt] = []
    before: dict[str, Any] | None = None
    for arn in executions(latest):
        try:
            described = stack.executions.describe(arn)
        except ClientError as error:
            if code(error) != "ExecutionDoesNotExist":
                raise
            continue
        differs = changes(json.loads(before["input"]), json.loads(described["input"])) if before else []
        if before:
            differs = ["begins anew from Split, and finds the parts that are finished", *differs]
        events = list(stack.executions.history(arn))
        made += _of_execution(described, events, differs)
        before = described
    kept = list(stack.stores.work.listed(f"{Keys(job_id).prefix}failures/"))
    return [_with_reason(stack, one, kept) for one in made]


def _with_reason(stack: Stack, attempt: Attempt, kept: Sequence[Listed]) -> Attempt:
    """Return an attempt whose Map failed with the error of a chunk that failed in it: the Map's own says too little."""
    if not attempt.error or attempt.error["name"] != TOO_MANY_FAILED or attempt.stopped is None:
        return attempt
    for failure in kept:
        if attempt.started < failure.modified + SECOND and failure.modified <= attempt.stopped + SECOND:
            return replace(attempt, error=json.loads(stack.stores.work.get(failure.key))["error"])
    return attempt


def _of_execution(described: Mapping[str, Any], events: Sequence[Event], differs: list[str]) -> Iterator[Attempt]:
    runs = list(_cut(events))
    for number, run in enumerate(runs):
        started: datetime = run[0]["timestamp"]
        end = next((event for event in reversed(run) if event["type"] in ENDS), None)
        status = ENDS[end["type"]] if end else str(described["status"]) if number == len(runs) - 1 else "RUNNING"
        states = [event["stateEnteredEventDetails"]["name"] for event in run if event["type"].endswith("StateEntered")]
        if number:
            where = states[0] if states else "the state that had failed"
            differs = [f"goes on where it had failed: {where}; what is finished stays"]
        yield Attempt(
            execution=str(described["executionArn"]),
            redrive=number,
            status=status,
            started=started,
            stopped=end["timestamp"] if end else None,
            states=states,
            differs=differs,
            error=_error(end) if end else None,
        )


def _cut(events: Sequence[Event]) -> Iterator[list[Event]]:
    """Cut a history where redrives begin."""
    run: list[Event] = []
    for event in events:
        if event["type"] == "ExecutionRedriven" and run:
            yield run
            run = []
        run.append(event)
    if run:
        yield run


def _error(end: Event) -> dict[str, str] | None:
    if ENDS[end["type"]] == "SUCCEEDED":
        return None
    name = end["type"][0].lower() + end["type"][1:] + "EventDetails"
    return explained({"status": ENDS[end["type"]], **end.get(name, {})})


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return in words where the inputs of two executions differ: the version of the object, fields of the recipe."""
    found = []
    if before["source"] != now["source"]:
        found.append(f"the object is another version: {now['source']['version_id'] or now['source']['etag']}")
    if before["recipe_name"] != now["recipe_name"]:
        found.append(f"the recipe is {now['recipe_name']} instead of {before['recipe_name']}")
    old, new = (dict(_fields(told["recipe"])) for told in (before, now))
    for path in sorted(old.keys() | new.keys()):
        if old.get(path) != new.get(path):
            found.append(f"{path} is {new.get(path, 'left out')} instead of {old.get(path, 'left out')}")
    return found


def _fields(recipe: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the fields of a recipe as their path and JSON."""
    if isinstance(recipe, dict) and recipe:
        for name, value in recipe.items():
            yield from _fields(value, f"{path}.{name}" if path else name)
    else:
        yield path, canonical(recipe)
