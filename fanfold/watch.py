"""Watch: from the event of an execution's status to the Jobs table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fanfold.aws.executions import UNSUCCESSFUL, Executions
from fanfold.aws.stores import Stores
from fanfold.job import Job


def observe(event: Mapping[str, Any], stores: Stores) -> bool:
    """Record what an execution's status event says; return False where something later is recorded already.

    https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
    """
    detail = event["detail"]
    job = Job.from_json(json.loads(detail["input"]))
    status = detail["status"]
    facts: dict[str, Any] = {"execution": detail["executionArn"]}
    if status == "SUCCEEDED":
        summary = json.loads(detail["output"])
        status = summary["status"]
        facts |= {name: summary[name] for name in ("chunks", "effort", "stats", "error", "result") if name in summary}
    elif status in UNSUCCESSFUL:
        facts["error"] = Executions(stores.account.client("stepfunctions")).failure(detail["executionArn"])
        status = "FAILED"
    if detail.get("stopDate"):
        facts["stopped"] = _iso(detail["stopDate"])
    recorded = stores.jobs.status(job.id, status, _order(detail), **facts)
    if status != "RUNNING":
        stores.jobs.release(job)
    return recorded


def event_of(execution: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event that tells an execution's status, made of what DescribeExecution says.

    Events can be lost: to a rule that gave up, or with an engine that was killed.
    """
    detail = {name: execution.get(name) for name in ("executionArn", "status", "input", "output", "redriveCount")}
    for name in ("startDate", "stopDate"):
        at: datetime | None = execution.get(name)
        detail[name] = None if at is None else round(at.timestamp() * 1000)
    return {"detail": detail}


def _order(detail: Mapping[str, Any]) -> str:
    """Return text that grows from an execution to a later one, from a redrive to the next, from start to end."""
    ended = detail["status"] != "RUNNING"
    return f"{int(detail['startDate']):015}.{int(detail.get('redriveCount') or 0):04}.{int(ended)}"


def _iso(epoch_ms: int) -> str:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
