"""Step Functions: how an execution runs, ends, is stopped, and is redriven.

MiniStack walks a definition from its start to its end, once. This walks one from any of its states, which is what a
redrive is, and children of a Map Run as executions of their own.
(https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html)
"""

from __future__ import annotations

import contextvars
import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json, json_response, now_iso
from ministack.services import stepfunctions as sf

from fanfold.engine.mend import Original, Patch

MODULE = "ministack.services.stepfunctions"
RUN = Original(MODULE, "_run_execution", "996dff84e0e0605a")
FAIL = Original(MODULE, "_fail_execution", "e6da895fa0b74cdd")
START = Original(MODULE, "_start_execution", "9923282fc76c57b9")
STOP = Original(MODULE, "_stop_execution", "44d2d84ccd5c9702")
DESCRIBE = Original(MODULE, "_describe_execution", "c3ad294ad8b5070a")
RESTORE = Original(MODULE, "_restore_state", "b94c49c3dd97e93d")
HANDLE = Original(MODULE, "handle_request", "efa6e8c4532a9e05")

Execution = dict[str, Any]

ENDED = {
    "SUCCEEDED": "ExecutionSucceeded",
    "FAILED": "ExecutionFailed",
    "ABORTED": "ExecutionAborted",
    "TIMED_OUT": "ExecutionTimedOut",
}
REDRIVABLE = ("FAILED", "ABORTED", "TIMED_OUT")

logger = logging.getLogger("fanfold.engine")
_settling = threading.Lock()

ROLE = contextvars.ContextVar("fanfold_role", default="")
"""The role of the state machine whose execution the current thread works on."""


class Stopped(sf._ExecutionError):  # type: ignore[misc]
    """The execution has ended otherwise: whoever works on it leaves."""

    def __init__(self) -> None:
        super().__init__("States.Aborted", "the execution has ended")


def settle(execution: Execution, status: str, **fields: Any) -> bool:
    """End a running execution; False when it has ended already, and stays as it is."""
    with _settling:
        if execution["status"] != "RUNNING":
            return False
        execution.update(status=status, stopDate=now_iso(), **fields)
    name = ENDED[status]
    details = {key: value for key, value in fields.items() if value is not None}
    sf._add_event(execution, name, {name[0].lower() + name[1:] + "EventDetails": details})
    return True


def go_on(execution: Execution) -> None:
    """Raise Stopped unless the execution still runs."""
    if execution["status"] != "RUNNING":
        raise Stopped


def pause(execution: Execution, seconds: float) -> None:
    """Sleep, but no longer than the execution runs."""
    end = time.monotonic() + seconds * sf._SFN_WAIT_SCALE
    while (left := end - time.monotonic()) > 0:
        go_on(execution)
        time.sleep(min(left, 0.1))


def walk(execution: Execution, states: dict[str, Any], name: str, data: Any, ctx: dict[str, Any]) -> Any:
    """Run the states from `name` on; return the output of the last. Raises _ExecutionError, or Stopped."""
    at: str | None = name
    while at:
        go_on(execution)
        state = states.get(at)
        if state is None:
            raise sf._ExecutionError("States.Runtime", f"there is no state {at!r} in the definition")
        ctx["State"] = {"Name": at, "EnteredTime": now_iso(), "RetryCount": 0}
        kind = state["Type"]
        entered = {"stateEnteredEventDetails": {"name": at, "input": json.dumps(data)}}
        sf._add_event(execution, f"{kind}StateEntered", entered)
        data, following = _step(kind, state, data, execution, ctx)
        execution["_resuming"] = False
        go_on(execution)
        sf._add_event(
            execution, f"{kind}StateExited", {"stateExitedEventDetails": {"name": at, "output": json.dumps(data)}}
        )
        at = following
    return data


def _step(
    kind: str, state: dict[str, Any], data: Any, execution: Execution, ctx: dict[str, Any]
) -> tuple[Any, str | None]:
    if kind == "Fail":
        raise sf._ExecutionError(*sf._fail_state_error(state, data, ctx))
    if kind == "Succeed":
        if sf._state_query_language(state, ctx) == "JSONata":
            return sf._apply_jsonata_output(state, data, ctx, default=data), None
        return sf._apply_output_path(state, sf._apply_input_path(state, data, ctx), ctx), None
    working = {"Task": sf._execute_task, "Parallel": sf._execute_parallel, "Map": sf._execute_map}
    if kind in working:
        output, following = working[kind](state, data, execution, ctx)
        return output, following
    passing = {"Pass": sf._execute_pass, "Choice": sf._execute_choice, "Wait": sf._execute_wait}
    if kind not in passing:
        raise sf._ExecutionError("States.Runtime", f"unknown state type: {kind}")
    output, following = passing[kind](state, data, ctx)
    return output, following


def run(arn: str) -> None:
    """Run an execution from its start, or a redriven one from the state at which it ended."""
    execution = sf._executions.get(arn)
    if execution is None:
        return
    machine = sf._state_machines.get(execution["stateMachineArn"])
    if machine is None:
        fail(execution, "StateMachineDeleted", "the state machine no longer exists")
        return
    # A redrive uses the definition that the execution started with.
    definition = json.loads(execution.setdefault("_definition", machine["definition"]))
    execution["_role"] = machine.get("roleArn", "")
    ROLE.set(execution["_role"])
    ctx = {
        "QueryLanguage": definition.get("QueryLanguage", "JSONPath"),
        "Execution": context_of(execution),
        "StateMachine": {"Id": execution["stateMachineArn"], "Name": machine["name"]},
        "variables": {},
    }
    name, data = resumed_at(execution) or (definition["StartAt"], json.loads(execution["input"]))
    timer = _limit(execution, definition.get("TimeoutSeconds"))
    try:
        output = walk(execution, definition["States"], name, data, ctx)
    except Stopped:
        return
    except sf._ExecutionError as error:
        fail(execution, error.error, error.cause)
    except Exception as error:  # whatever the interpreter stumbles over is the execution's failure
        logger.exception("execution %s", arn)
        fail(execution, "States.Runtime", str(error))
    else:
        if settle(execution, "SUCCEEDED", output=json.dumps(output)):
            sf._emit_execution_status_event(execution)
    finally:
        if timer:
            timer.cancel()


def context_of(execution: Execution) -> dict[str, Any]:
    """Return what the context object says of an execution."""
    return {
        "Id": execution["executionArn"],
        "Input": json.loads(execution["input"]),
        "Name": execution["name"],
        "RoleArn": execution.get("_role", ""),
        "StartTime": execution["startDate"],
        "RedriveCount": execution.get("redriveCount", 0),
    }


def resumed_at(execution: Execution) -> tuple[str, Any] | None:
    """Return the state at which a redriven execution goes on, and its input; None for one that was not redriven."""
    if not execution.get("_resuming"):
        return None
    for event in reversed(execution["events"]):
        if event["type"].endswith("StateEntered"):
            details = event["stateEnteredEventDetails"]
            return details["name"], json.loads(details["input"])
    execution["_resuming"] = False
    return None


def _limit(execution: Execution, seconds: float | None) -> threading.Timer | None:
    if not seconds:
        return None
    context = contextvars.copy_context()

    def end() -> None:
        if settle(execution, "TIMED_OUT", error="States.Timeout", cause=None):
            _abort_children(execution)
            sf._emit_execution_status_event(execution)

    timer = threading.Timer(seconds, context.run, (end,))
    timer.daemon = True
    timer.start()
    return timer


def fail(execution: Execution, error: str, cause: str) -> None:
    """End an execution as failed, unless it has ended otherwise."""
    if settle(execution, "FAILED", error=error, cause=cause):
        sf._emit_execution_status_event(execution)


def _abort_children(execution: Execution) -> None:
    from fanfold.engine.patches import map_runs

    for found in list(sf._map_runs.values()):
        if found["executionArn"] == execution["executionArn"] and found["status"] == "RUNNING":
            map_runs.end(found, "ABORTED")


def stop(data: dict[str, Any]) -> Any:
    """StopExecution: the execution and the children of its Map Runs are ABORTED, and stay so."""
    execution = sf._executions.get(data.get("executionArn"))
    if execution is None:
        return error_response_json(
            "ExecutionDoesNotExist", f"Execution Does Not Exist: '{data.get('executionArn')}'", 400
        )
    if settle(execution, "ABORTED", error=data.get("error"), cause=data.get("cause")):
        if execution.get("mapRunArn"):
            map_runs_of(execution)
        else:
            _abort_children(execution)
            sf._emit_execution_status_event(execution)
    elif execution["status"] != "ABORTED":
        return error_response_json("ValidationException", "Execution is not running", 400)
    return json_response({"stopDate": execution["stopDate"]})


def map_runs_of(child: Execution) -> None:
    """Tell the Map Run of a child that it has ended."""
    from fanfold.engine.patches import map_runs

    map_runs.wake(child["mapRunArn"])


def start(original: Callable[[dict[str, Any]], Any], data: dict[str, Any]) -> Any:
    """StartExecution: the same name and input as one that runs is that one."""
    answer = original(data)
    if answer[0] != 400 or not data.get("name"):
        return answer
    if json.loads(answer[2]).get("__type", "").endswith("ExecutionAlreadyExists"):
        machine = sf._resolve_state_machine_arn(data["stateMachineArn"])
        found = sf._executions.get(machine.replace(":stateMachine:", ":execution:") + f":{data['name']}")
        if found and found["status"] == "RUNNING" and found["input"] == data.get("input", "{}"):
            return json_response({"executionArn": found["executionArn"], "startDate": found["startDate"]})
    return answer


def redrivable(execution: Execution) -> tuple[str, str | None]:
    """Return the redriveStatus of an execution, and the reason where it cannot be redriven."""
    if execution.get("mapRunArn"):
        if execution["status"] in REDRIVABLE:
            return "REDRIVABLE_BY_MAP_RUN", None
    elif execution["status"] in REDRIVABLE:
        return "REDRIVABLE", None
    return "NOT_REDRIVABLE", f"Execution is {execution['status']} and cannot be redriven"


def redrive(data: dict[str, Any]) -> Any:
    """RedriveExecution: go on at the state at which the execution ended."""
    arn = data.get("executionArn")
    execution = sf._executions.get(arn)
    if execution is None:
        return error_response_json("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'", 400)
    status, reason = redrivable(execution)
    if status == "REDRIVABLE_BY_MAP_RUN":
        reason = "A child workflow execution is redriven by its Map Run"
    if status != "REDRIVABLE":
        return error_response_json("ExecutionNotRedrivable", reason, 400)
    revive(execution)
    sf._emit_execution_status_event(execution)
    spawn(run, arn)
    return json_response({"redriveDate": execution["redriveDate"]})


def revive(execution: Execution) -> None:
    """Make an ended execution run again; its next state is the one at which it ended."""
    with _settling:
        execution.update(
            status="RUNNING",
            stopDate=None,
            output=None,
            error=None,
            cause=None,
            redriveCount=execution.get("redriveCount", 0) + 1,
            redriveDate=now_iso(),
            _resuming=True,
        )
    details = {"redriveCount": execution["redriveCount"]}
    sf._add_event(execution, "ExecutionRedriven", {"executionRedrivenEventDetails": details})


def spawn(work: Callable[..., None], *arguments: Any) -> None:
    """Run something in a thread of its own, in the account and region of the caller."""
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(work, *arguments), daemon=True).start()


def describe(original: Callable[[dict[str, Any]], Any], data: dict[str, Any]) -> Any:
    """DescribeExecution, with what it says of redrives."""
    answer = original(data)
    execution = sf._executions.get(data.get("executionArn"))
    if answer[0] != 200 or execution is None:
        return answer
    status, reason = redrivable(execution)
    told = json.loads(answer[2]) | {"redriveCount": execution.get("redriveCount", 0), "redriveStatus": status}
    if reason:
        told["redriveStatusReason"] = reason
    if execution.get("redriveDate"):
        told["redriveDate"] = execution["redriveDate"]
    return json_response(told)


def restore(original: Callable[[Any], None], data: Any) -> None:
    """End what ran when the engine ended: ABORTED, so that it can be redriven. Its event follows once all are up."""
    running = [found for found in data["executions"].all_values() if found["status"] == "RUNNING"] if data else []
    arns = {found["executionArn"] for found in running}
    for found in running:
        settle(found, "ABORTED", error="States.Aborted", cause="the engine was stopped while this ran")
    original(data)
    for found in sf._map_runs.all_values():
        if found["status"] == "RUNNING":
            from fanfold.engine.patches import map_runs

            map_runs.end(found, "ABORTED")
    for (account, region, _), found in list(sf._executions._data.items()):
        if found["executionArn"] in arns and not found.get("mapRunArn"):
            threading.Timer(0.5, _emit_in, (account, region, found)).start()


def _emit_in(account: str, region: str, execution: Execution) -> None:
    from ministack.core.responses import _request_account_id, _request_region

    _request_account_id.set(account)
    _request_region.set(region)
    sf._emit_execution_status_event(execution)


def _apply() -> None:
    RUN.replace(run)
    FAIL.replace(fail)
    STOP.replace(stop)
    HANDLE.amend(
        ('"StopExecution": _stop_execution,', '"StopExecution": _stop_execution, "RedriveExecution": _redrive,'),
        _redrive=redrive,
    )
    describing = DESCRIBE.value()
    DESCRIBE.replace(lambda data: describe(describing, data))
    restoring = RESTORE.value()
    RESTORE.replace(lambda data: restore(restoring, data))


def _apply_start() -> None:
    starting = START.value()
    START.replace(lambda data: start(starting, data))


PATCHES = [
    Patch(
        "redrive",
        "There is no RedriveExecution; StopExecution lets the children run, a late failure overwrites ABORTED, and the "
        "machine's TimeoutSeconds is ignored.",
        (RUN, FAIL, STOP, HANDLE, DESCRIBE, RESTORE),
        _apply,
    ),
    Patch(
        "start-again",
        "Starting the name and input of an execution that runs is refused.",
        (START,),
        _apply_start,
    ),
]
