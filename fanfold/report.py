"""What people are shown of jobs: the list, and one job with its states, chunks, error and outputs.

Reads the Jobs table, the execution's history and the job's own objects; the same for the command line
and the console, on AWS and on the engine. Nothing here is per chunk but reads of S3, which has no quota.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fanfold.aws.executions import explained
from fanfold.aws.faults import translated
from fanfold.aws.stack import Stack
from fanfold.errors import SourceGone, UsageError
from fanfold.job import Keys
from fanfold.model import Json, Line, Part
from fanfold.steps import READS_AT_ONCE, Setting, read_layout, read_parts
from fanfold.watch import event_of, observe

EXPLAINED_CHILDREN = 100
"""How many failed children are asked why: DescribeExecution refills at 15 a second."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A job's plans and parts as they lie in the work bucket now."""

    setting: Setting
    layouts: Sequence[Json]
    rounds: Sequence[Sequence[Line]]
    parts: dict[str, Part | None]
    version: str
    """The version of fanfold that planned the job."""

    @property
    def lines(self) -> list[Line]:
        return [line for lines in self.rounds for line in lines]

    @property
    def unfinished(self) -> list[Line]:
        return [line for line in self.lines if self.parts[line.id] is None]


def progress(stack: Stack, job_id: str) -> Progress | None:
    """Return how far a job has come, None if it was not planned yet."""
    work = stack.stores.work
    keys = Keys(job_id)
    first = work.find(keys.layout(0))
    if first is None or work.find(keys.plan(0)) is None:
        return None
    setting, layout = read_layout(stack.stores, job_id, 0)
    layouts, rounds = [layout], [setting.read_plan(0)]
    try:
        while True:
            rounds.append(setting.read_plan(len(rounds)))
            for line in rounds[-1]:
                while line.layout >= len(layouts):
                    layouts.append(read_layout(stack.stores, job_id, len(layouts))[1])
    except SourceGone:
        pass  # the plan behind the last one
    parts = read_parts(setting, rounds, layouts)
    return Progress(setting, layouts, rounds, parts, json.loads(first)["version"])


def jobs(stack: Stack) -> Iterator[dict[str, Any]]:
    """Yield what the Jobs table says of every job, the latest started first."""
    return (_trued(stack, item) for item in stack.stores.jobs.newest())


def _trued(stack: Stack, item: dict[str, Any]) -> dict[str, Any]:
    """Return a job's item, mended first if it has not heard that its execution ended."""
    if item["status"] != "RUNNING":
        return item
    execution = stack.executions.describe(item["execution"])
    if execution["status"] == "RUNNING":
        return item
    observe(event_of(execution), stack.stores)
    return stack.stores.jobs.get(item["job"])


def find(stack: Stack, wanted: str) -> dict[str, Any]:
    """Return the item of the job whose id begins with `wanted`; raise UsageError where none or several do."""
    if exact := stack.stores.jobs.get(wanted):
        return _trued(stack, exact)
    found = [item for item in jobs(stack) if item["job"].startswith(wanted)]
    if len(found) != 1:
        what = "no job begins" if not found else f"{len(found)} jobs begin"
        raise UsageError(f"{what} with {wanted!r}: `fanfold ls` lists them")
    return found[0]


def job(stack: Stack, wanted: str) -> dict[str, Any]:
    """Return all there is to say of a job: its item, `states`, `chunks`, `outputs` and `missing`."""
    item = find(stack, wanted)
    told: dict[str, Any] = item | {"states": [], "chunks_detail": [], "outputs": [], "missing": []}
    if "execution" in item:
        told["states"] = states(stack, item["execution"])
    if found := progress(stack, item["job"]):
        told["chunks_detail"] = chunks(stack, item, found)
    told["outputs"] = outputs(stack, item)
    if "result" in item:
        told["missing"] = _result(stack, item)[1]["missing"]
    return told


def outputs(stack: Stack, item: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the outputs of a job as `{name, uri, bytes}`, `result.json` among them; none where it wrote none.

    A job that was refused for its rejects has written those.
    """
    if "result" not in item:
        refused = stack.stores.work.find(Keys(item["job"]).refused) if item["status"] == "FAILED" else None
        return list(json.loads(refused)) if refused else []
    size, found = _result(stack, item)
    return [*found["outputs"], {"name": "result.json", "uri": item["result"], "bytes": size}]


def _result(stack: Stack, item: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Return result.json of a job that ended well, and its size in bytes."""
    body = stack.stores.outputs.get(item["result"].removeprefix(f"s3://{stack.stores.outputs.name}/"))
    return len(body), json.loads(body)


def logs(stack: Stack, job_id: str) -> list[dict[str, Any]]:
    """Return what a job's functions logged, in order: `{time, function, message}`.

    message: the object that the function logged, or its text where that is no JSON.
    """
    client = stack.account.client("logs")
    found = []
    for logical, function in stack.functions.items():
        pages = client.get_paginator("filter_log_events").paginate(
            logGroupName=f"/aws/lambda/{function}", filterPattern=f'"{job_id}"'
        )
        with translated(f"reading the logs of {function}"):
            found += [_entry(logical, event) for page in pages for event in page["events"]]
    return sorted(found, key=lambda entry: str(entry["time"]))


def _entry(function: str, event: dict[str, Any]) -> dict[str, Any]:
    try:
        message = json.loads(event["message"])
    except ValueError:
        message = event["message"].rstrip()
    at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC).isoformat(timespec="milliseconds")
    return {"time": at, "function": function, "message": message}


def states(stack: Stack, execution: str) -> list[dict[str, Any]]:
    """Return the states that an execution entered, in order, with when and for how long."""
    entered: list[dict[str, Any]] = []
    for event in stack.executions.history(execution):
        at: datetime = event["timestamp"]
        if event["type"].endswith("StateEntered"):
            name = event["stateEnteredEventDetails"]["name"]
            entered.append({"name": name, "status": "RUNNING", "entered": at.isoformat(), "seconds": None, "_at": at})
        elif event["type"].endswith("StateExited") and entered:
            _leave(entered[-1], "SUCCEEDED", at)
        elif event["type"] in ("ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut") and entered:
            _leave(entered[-1], "FAILED", at)
    for state in entered:
        del state["_at"]
    return entered


def _leave(state: dict[str, Any], status: str, at: datetime) -> None:
    if state["status"] == "RUNNING":
        state |= {"status": status, "seconds": round((at - state["_at"]).total_seconds(), 3)}


def chunks(stack: Stack, item: dict[str, Any], found: Progress) -> list[dict[str, Any]]:
    """Return every plan line of a job: id, round, role, span, status, attempts, seconds, error.

    status: done, reused (by another execution's part), failed or pending.
    """
    setting = found.setting

    def kept(line: Line) -> Json:
        failure = setting.work.find(setting.keys.failure(line)) if found.parts[line.id] is None else None
        return json.loads(failure) if failure else None

    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        failures = dict(zip((line.id for line in found.lines), pool.map(kept, found.lines), strict=True))
    if item.get("status") in ("FAILED", "PARTIAL") and any(failures[line.id] is None for line in found.unfinished):
        failures |= _children_failures(stack, item["execution"])
    return [
        {"id": line.id, "round": number, "role": line.role, "span": dict(line.span)}
        | _told(found.parts[line.id], failures[line.id], item.get("execution"))
        for number, lines in enumerate(found.rounds)
        for line in lines
    ]


def _told(part: Part | None, failure: Json, execution: str | None) -> dict[str, Any]:
    if part:
        status = "done" if part.execution == execution else "reused"
        return {"status": status, "attempts": part.attempt, "seconds": part.seconds, "error": None}
    if failure:
        attempts, seconds, error = failure["attempt"], failure["seconds"], failure["error"]
        return {"status": "failed", "attempts": attempts, "seconds": seconds, "error": error}
    return {"status": "pending", "attempts": 0, "seconds": None, "error": None}


def _children_failures(stack: Stack, execution: str) -> dict[str, Json]:
    """Return why children failed whose workers died before they could say so: killed, timed out, out of memory."""
    why: dict[str, Json] = {}
    for run in stack.executions.map_runs(execution):
        for child in stack.executions.children(run["mapRunArn"], "FAILED"):
            found = stack.executions.describe(child["executionArn"])
            attempts = sum(
                event["type"] in ("TaskScheduled", "LambdaFunctionScheduled")
                for event in stack.executions.history(child["executionArn"])
            )
            seconds = (found["stopDate"] - found["startDate"]).total_seconds()
            line_id = json.loads(found["input"])["line"]["id"]
            why[line_id] = {"error": explained(found), "attempt": attempts, "seconds": round(seconds, 3)}
            if len(why) == EXPLAINED_CHILDREN:
                return why
    return why
