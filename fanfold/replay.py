"""Replay: run what has not finished, and only that.

A redrive resumes the failed execution where it failed. Where Step Functions cannot redrive it (it is too
old, or ended well), or where the definition, the recipe or the version of fanfold has changed since, a new
execution begins from Split, and its workers find the parts that are finished already.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from fanfold import __version__, intake, report
from fanfold.aws.stack import Stack
from fanfold.errors import TransientError, UsageError
from fanfold.job import Job
from fanfold.model import Line
from fanfold.parts import read_parts
from fanfold.setting import Setting

ATTEMPTS_MAX = 1000


@dataclass(frozen=True, slots=True)
class Preview:
    """What a replay would do."""

    job: Job
    how: Literal["redrive", "restart", "nothing"]
    reason: str
    execution: str | None
    finished: Sequence[Line]
    """Lines whose parts stand, and will not run again."""
    unfinished: Sequence[Line]
    """Lines that will run. Empty where the plan itself is still to be made, or only Merge is left."""


def preview(stack: Stack, wanted: str) -> Preview:
    """Return what a replay of a job would do; raise UsageError where no job is meant."""
    item = report.find(stack, wanted)
    execution = item.get("execution")
    if execution is None:
        raise UsageError(f"job {item['job']} was {item['status'].lower()} and never ran")
    before = Job.from_json(_input(stack, execution))
    now = _as_it_would_be_now(stack, before)
    if item["status"] in ("PENDING", "RUNNING"):
        return Preview(now, "nothing", f"the job is {item['status'].lower()}", execution, (), ())
    found = report.progress(stack, item["job"])
    change = _change(stack, before, now, execution, found)
    if item["status"] == "SUCCEEDED" and change is None:
        return Preview(now, "nothing", "the job succeeded, and nothing has changed since", execution, (), ())
    how, reason = _way(stack, execution, change)
    if found is None:
        return Preview(now, how, reason, execution, (), ())
    parts = found.parts
    if now.id != before.id:
        parts = read_parts(Setting.of(now, stack.stores), found.rounds, found.layouts)
    finished = [line for line in found.lines if parts[line.id]]
    unfinished = [line for line in found.lines if not parts[line.id]]
    return Preview(now, how, reason, execution, finished, unfinished)


def replay(stack: Stack, wanted: str) -> tuple[Preview, str | None]:
    """Replay a job; return what was decided and the ARN of the execution that now runs, None if none does."""
    plan = preview(stack, wanted)
    if plan.how == "nothing" or plan.execution is None:
        return plan, None
    order = stack.stores.jobs.get(plan.job.id).get("order", "")
    started = _set_going(stack, plan, plan.execution)
    stack.stores.jobs.reopen(plan.job.id, order)
    return plan, started


def _set_going(stack: Stack, plan: Preview, execution: str) -> str:
    if plan.how == "redrive":
        stack.executions.redrive(execution)
        return execution
    stack.stores.jobs.arrive(plan.job)
    stack.stores.jobs.begin(plan.job)
    for attempt in range(1, ATTEMPTS_MAX):
        if started := stack.executions.start(stack.machines[plan.job.kind], plan.job, attempt):
            return started
    raise TransientError(f"job {plan.job.id} was replayed {ATTEMPTS_MAX} times; no execution name is left")


def wait(stack: Stack, job_id: str) -> dict[str, Any]:
    """Return the item of a job once it has ended."""
    pause = 0.05
    while (item := stack.stores.jobs.get(job_id)).get("status", "PENDING") in ("PENDING", "RUNNING"):
        time.sleep(pause)
        pause = min(1.0, pause * 1.2)
    return item


def _input(stack: Stack, execution: str) -> dict[str, object]:
    return dict(json.loads(stack.executions.describe(execution)["input"]))


def _as_it_would_be_now(stack: Stack, before: Job) -> Job:
    """Return the job that the same version of the object would get under the recipes of today."""
    name, recipe = intake.current_recipe(before, stack.stores)
    now = replace(before, recipe_name=name, recipe=recipe)
    return now if now.id == before.id else replace(now, reuse=(before.id, *before.reuse))


def _change(stack: Stack, before: Job, now: Job, execution: str, found: report.Progress | None) -> str | None:
    if now.id != before.id:
        return "the recipe has changed"
    if found and found.version != __version__:
        return f"the job was planned by fanfold {found.version}, and this is {__version__}"
    if stack.executions.definition_changed(execution):
        return "the state machine has changed"
    return None


def _way(stack: Stack, execution: str, change: str | None) -> tuple[Literal["redrive", "restart"], str]:
    if change:
        return "restart", change
    described = stack.executions.describe(execution)
    if described.get("redriveStatus") == "REDRIVABLE":
        return "redrive", "the execution resumes where it failed"
    return "restart", described.get("redriveStatusReason") or "the execution cannot be redriven"
