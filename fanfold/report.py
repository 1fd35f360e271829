"""What people are shown of jobs: the list, and one job with its states, chunks, error and outputs.

Reads the Jobs table, the execution's history and the job's own objects; the same for the command line
and the console, on AWS and on the engine. Nothing here is per chunk but reads of S3, which has no quota.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fanfold.aws.executions import explained
from fanfold.aws.faults import translated
from fanfold.aws.stack import Stack
from fanfold.errors import SourceGone, UsageError
from fanfold.figures import instant
from fanfold.job import Keys
from fanfold.model import Json, Line, Part
from fanfold.parts import READS_AT_ONCE, read_parts
from fanfold.setting import Setting, read_layout
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
    return (trued(stack, item) for item in stack.stores.jobs.newest())


def trued(stack: Stack, item: dict[str, Any]) -> dict[str, Any]:
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
        return trued(stack, exact)
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
        told["states"] = states(stack.executions.history(item["execution"]))
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


REPORT = re.compile(r"REPORT RequestId: (\S+)\s.*Memory Size: (\d+) MB\s+Max Memory Used: (\d+) MB")
"""What Lambda logs at the end of each call: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html"""

REPORTS_SOUGHT = 8
"""Calls of one chunk whose reports are looked up."""


def chunk_log(stack: Stack, item: dict[str, Any], line: Line) -> list[dict[str, Any]]:
    """Return what the workers logged of one line, in order: as `logs`, and `memory_mb` and `limit_mb` of each call."""
    client = stack.account.client("logs")
    kind = item["kind"].capitalize()
    since = int(instant(item["started"]).timestamp() * 1000)
    found = []
    for logical, function in stack.functions.items():
        if not logical.startswith(kind) or logical.endswith(("Split", "Merge")):
            continue
        group = {"logGroupName": f"/aws/lambda/{function}", "startTime": since}
        with translated(f"reading the logs of {function}"):
            try:
                events = _filtered(client, f'"{item["job"]}" "{line.id}"', group)
            except client.exceptions.ResourceNotFoundException:
                continue  # a function that was never called has no log
            entries = [_entry(logical, event) for event in events]
            calls = {
                entry["message"]["function_request_id"]
                for entry in entries
                if isinstance(entry["message"], dict) and "function_request_id" in entry["message"]
            }
            for call in sorted(calls)[:REPORTS_SOUGHT]:
                for event in _filtered(client, f'"REPORT" "{call}"', group):
                    if told := REPORT.search(event["message"]):
                        memory = {"memory_mb": int(told[3]), "limit_mb": int(told[2])}
                        entries.append(_entry(logical, event) | memory)
        found += entries
    return sorted(found, key=lambda entry: str(entry["time"]))


def _filtered(client: Any, pattern: str, group: dict[str, Any]) -> list[dict[str, Any]]:
    pages = client.get_paginator("filter_log_events").paginate(filterPattern=pattern, **group)
    return [event for page in pages for event in page["events"]]


def _entry(function: str, event: dict[str, Any]) -> dict[str, Any]:
    try:
        message = json.loads(event["message"])
    except ValueError:
        message = event["message"].rstrip()
    at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC).isoformat(timespec="milliseconds")
    return {"time": at, "function": function, "message": message}


def states(events: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the states that an execution's history says it entered, in order, with when and for how long."""
    entered: list[dict[str, Any]] = []
    for event in events:
        at: datetime = event["timestamp"]
        if event["type"].endswith("StateEntered"):
            if entered and "_failed" in entered[-1]:
                entered[-1] |= entered[-1].pop("_failed")  # the redrive goes on in an entry of its own
            name = event["stateEnteredEventDetails"]["name"]
            entered.append({"name": name, "status": "RUNNING", "entered": at.isoformat(), "seconds": None, "_at": at})
        elif event["type"].endswith("StateExited") and entered:
            _leave(entered[-1], "SUCCEEDED", at)
        elif event["type"] == "ExecutionRedriven" and entered and entered[-1]["status"] == "FAILED":
            failed = {name: entered[-1][name] for name in ("status", "seconds")}
            entered[-1] |= {"status": "RUNNING", "seconds": None, "_failed": failed}
        elif event["type"] in ("ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut") and entered:
            _leave(entered[-1], "FAILED", at)
    return [{name: value for name, value in state.items() if not name.startswith("_")} for state in entered]


def _leave(state: dict[str, Any], status: str, at: datetime) -> None:
    if state["status"] == "RUNNING":
        state |= {"status": status, "seconds": round((at - state["_at"]).total_seconds(), 3)}


def chunks(stack: Stack, item: dict[str, Any], found: Progress) -> list[dict[str, Any]]:
    """Return every plan line of a job: id, round, role, span, status, attempts, seconds, error.

    status: done, reused (by another execution's part), failed or pending.
    """

    def kept(line: Line) -> Json:
        return failure(stack, item["job"], line) if found.parts[line.id] is None else None

    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        failures = dict(zip((line.id for line in found.lines), pool.map(kept, found.lines), strict=True))
    if item.get("status") in ("FAILED", "PARTIAL") and any(failures[line.id] is None for line in found.unfinished):
        failures |= children_failures(stack, item["execution"])
    return [
        {"id": line.id, "round": number, "role": line.role, "span": dict(line.span)}
        | _told(found.parts[line.id], failures[line.id], item.get("execution"))
        for number, lines in enumerate(found.rounds)
        for line in lines
    ]


def failure(stack: Stack, job_id: str, line: Line) -> Json:
    """Return what a line's worker kept of its failure: error, attempt and seconds; None where it kept nothing."""
    found = stack.stores.work.find(Keys(job_id).failure(line))
    return json.loads(found) if found else None


def _told(part: Part | None, failure: Json, execution: str | None) -> dict[str, Any]:
    if part:
        status = "done" if part.execution == execution else "reused"
        return {"status": status, "attempts": part.attempt, "seconds": part.seconds, "error": None}
    if failure:
        attempts, seconds, error = failure["attempt"], failure["seconds"], failure["error"]
        return {"status": "failed", "attempts": attempts, "seconds": seconds, "error": error}
    return {"status": "pending", "attempts": 0, "seconds": None, "error": None}


def children_failures(stack: Stack, execution: str) -> dict[str, Json]:
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
