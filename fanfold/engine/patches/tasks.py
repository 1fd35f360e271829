"""Step Functions: how a Task is tried again, what its history says, and how large its data may be.

(https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html and .../limits-overview.html)
"""

from __future__ import annotations

import json
import random
from typing import Any

from ministack.core.responses import error_response_json, get_region, now_iso
from ministack.services import stepfunctions as sf

from fanfold.engine.mend import Original, Patch
from fanfold.engine.patches import executions

MODULE = "ministack.services.stepfunctions"
TASK = Original(MODULE, "_execute_task", "53c818d247dba62c")
AGAIN = Original(MODULE, "_with_retry_and_catch", "b351699db7b381ef")
EVENT = Original(MODULE, "_add_event", "b1db143ccd21809d")
MATCH = Original(MODULE, "_error_matches", "519b9dc729c56a3c")
START = executions.START

LIMIT_BYTES = 256 * 1024
"""How much data one state may give to the next."""

UNCAUGHT = ("States.DataLimitExceeded", "States.Runtime")
"""What States.ALL and States.TaskFailed do not match."""


def delay_s(retrier: dict[str, Any], count: int) -> float:
    """Return how long to wait before the retry that follows `count` earlier ones."""
    delay = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** count
    delay = min(delay, retrier.get("MaxDelaySeconds", delay))
    return float(random.uniform(0, delay) if retrier.get("JitterStrategy") == "FULL" else delay)  # noqa: S311


def _retries() -> None:
    TASK.amend(
        (
            """                sleep_sec = interval * (backoff ** count)
                _scaled_sleep(min(sleep_sec, 60))
""",
            "                _pause(execution, _delay_s(retrier, count))\n",
        ),
        _pause=executions.pause,
        _delay_s=delay_s,
    )
    AGAIN.amend(
        (
            """_scaled_sleep(min(interval * (retrier.get("BackoffRate", 2.0) ** count), 60))""",
            "_scaled_sleep(_delay_s(retrier, count))",
        ),
        _delay_s=delay_s,
    )


def add_event(execution: dict[str, Any], event_type: str, details: dict[str, Any] | None = None) -> dict[str, Any]:
    """Append an event to an execution's history, and return it."""
    events = execution["events"]
    number = len(events) + 1
    # The first two events have no event before them.
    previous = number - 1 if number > 2 else 0
    event = {"timestamp": now_iso(), "type": event_type, "id": number, "previousEventId": previous}
    event.update(details or {})
    events.append(event)
    return event


def _names(resource: str) -> dict[str, str]:
    """Return what events call a resource: `lambda` and `invoke` for arn:aws:states:::lambda:invoke."""
    kind, _, action = resource.removeprefix("arn:aws:states:::").partition(":")
    return {"resourceType": kind, "resource": action} if action else {"resourceType": "lambda", "resource": resource}


def _scheduled(execution: dict[str, Any], resource: str, arguments: Any, state: dict[str, Any]) -> None:
    executions.go_on(execution)
    details = {**_names(resource), "region": get_region(), "parameters": json.dumps(arguments)}
    if "TimeoutSeconds" in state:
        details["timeoutInSeconds"] = state["TimeoutSeconds"]
    sf._add_event(execution, "TaskScheduled", {"taskScheduledEventDetails": details})
    sf._add_event(execution, "TaskStarted", {"taskStartedEventDetails": _names(resource)})


def _succeeded(execution: dict[str, Any], resource: str, result: Any) -> None:
    executions.go_on(execution)
    details = {**_names(resource), "output": json.dumps(result)}
    sf._add_event(execution, "TaskSucceeded", {"taskSucceededEventDetails": details})


def _failed(execution: dict[str, Any], resource: str, error: Any, state_name: str) -> None:
    if isinstance(error, executions.Stopped):
        raise error
    details = {"error": error.error, "cause": error.cause}
    if error.error == "States.QueryEvaluationError":
        sf._add_event(execution, "EvaluationFailed", {"evaluationFailedEventDetails": details | {"state": state_name}})
    elif error.error == "States.Timeout":
        sf._add_event(execution, "TaskTimedOut", {"taskTimedOutEventDetails": _names(resource) | details})
    else:
        sf._add_event(execution, "TaskFailed", {"taskFailedEventDetails": _names(resource) | details})


def _history() -> None:
    EVENT.replace(add_event)
    TASK.amend(
        (
            """            _add_event(execution, "TaskScheduled", {
                "taskScheduledEventDetails": {
                    "resourceType": "lambda" if "lambda" in resource else "states",
                    "resource": resource,
                },
            })
""",
            "            _task_scheduled(execution, resource, effective, state_def)\n",
        ),
        (
            """            _add_event(execution, "TaskSucceeded", {
                "taskSucceededEventDetails": {
                    "output": json.dumps(task_result),
                    "resource": resource,
                },
            })
""",
            "            _task_succeeded(execution, resource, task_result)\n",
        ),
        (
            """            _add_event(execution, "TaskFailed", {
                "taskFailedEventDetails": {
                    "error": err.error, "cause": err.cause,
                    "resource": resource,
                },
            })
""",
            """            _task_failed(execution, resource, err, ctx["State"]["Name"])\n""",
        ),
        _task_scheduled=_scheduled,
        _task_succeeded=_succeeded,
        _task_failed=_failed,
    )
    # The first event is written by hand where an execution starts.
    START.amend(
        ('{"id": 1, "type": "ExecutionStarted",', '{"id": 1, "previousEventId": 0, "type": "ExecutionStarted",'),
    )


def within_limit(name: str, data: Any) -> Any:
    """Return `data`; raise _ExecutionError States.DataLimitExceeded when its JSON is over LIMIT_BYTES."""
    size = len(json.dumps(data, ensure_ascii=False).encode())
    if size > LIMIT_BYTES:
        raise sf._ExecutionError(
            "States.DataLimitExceeded",
            f"The state/task '{name}' returned a result with a size exceeding the maximum number of bytes service "
            f"limit. ({size} bytes, of {LIMIT_BYTES})",
        )
    return data


def matches(error_equals: list[str], error: str) -> bool:
    """Tell whether a Retry or Catch that lists `error_equals` applies to an error."""
    if error in error_equals:
        return True
    if error in UNCAUGHT:
        return False
    return "States.ALL" in error_equals or ("States.TaskFailed" in error_equals and error != "States.Timeout")


def _limits() -> None:
    MATCH.replace(matches)
    TASK.amend(
        (
            "effective = _apply_jsonata_arguments(state_def, raw_input, ctx)",
            'effective = _within_limit(ctx["State"]["Name"], _apply_jsonata_arguments(state_def, raw_input, ctx))',
        ),
        (
            "                task_result = _invoke_resource(resource, effective)\n",
            "                task_result = _invoke_resource(resource, effective)\n\n"
            '            _within_limit(ctx["State"]["Name"], task_result)\n',
        ),
        _within_limit=within_limit,
    )
    stepping = executions._step

    def step(kind: str, state: dict[str, Any], data: Any, execution: dict[str, Any], ctx: dict[str, Any]) -> Any:
        output, following = stepping(kind, state, data, execution, ctx)
        return within_limit(ctx["State"]["Name"], output), following

    executions._step = step
    starting = START.value()

    def start(data: dict[str, Any]) -> Any:
        size = len(data.get("input", "{}").encode())
        if size > LIMIT_BYTES:
            return error_response_json("InvalidExecutionInput", f"Invalid input: {size} bytes, of {LIMIT_BYTES}", 400)
        return starting(data)

    START.replace(start)


PATCHES = [
    Patch(
        "retry-delays",
        "A Retry's MaxDelaySeconds and JitterStrategy are ignored, and no delay is longer than 60 s.",
        (TASK, AGAIN),
        _retries,
    ),
    Patch(
        "history",
        "Events have no previousEventId, and those of a Task neither AWS's names nor a start.",
        (TASK, EVENT, START),
        _history,
    ),
    Patch(
        "data-limit",
        "States pass any amount of data, and States.ALL matches what AWS lets nothing match.",
        (TASK, MATCH, START),
        _limits,
    ),
]
