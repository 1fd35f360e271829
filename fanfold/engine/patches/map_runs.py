"""Step Functions: the Distributed Map, its Map Runs, and the child executions they start.

(https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html)
"""

from __future__ import annotations

import contextvars
import copy
import json
import logging
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

from ministack.core.responses import new_uuid, now_iso
from ministack.services import stepfunctions as sf

from fanfold.engine.mend import Original, Patch
from fanfold.engine.patches import executions, result_writer
from fanfold.engine.patches.executions import Execution, Stopped
from fanfold.engine.patches.functions import WORKERS
from fanfold.engine.patches.map_settings import Settings, State

MODULE = "ministack.services.stepfunctions"
RUN = Original(MODULE, "_run_distributed_map", "2b77d3ec0e04f8f1")
READ = Original(MODULE, "_read_map_items", "b846851544b897fa")
LIST = Original(MODULE, "_list_executions", "741208b3007744b3")
DESCRIBE = Original(MODULE, "_map_run_view", "b1ea8fa2df55a9e3")
PARSE = Original(MODULE, "_parse_reader_items", "80954bad8e260c9b")

MapRun = dict[str, Any]

THREADS = 4 * WORKERS
"""Children that run at a time, whatever MaxConcurrency allows: more would only wait for a worker as their time runs."""

COUNTED = {
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "ABORTED": "aborted",
    "TIMED_OUT": "timedOut",
    "RUNNING": "running",
}
COUNTS = (
    *("pending", "running", "succeeded", "failed", "timedOut", "aborted", "total"),
    *("resultsWritten", "failuresNotRedrivable", "pendingRedrive"),
)

logger = logging.getLogger("fanfold.engine")
_changed: dict[str, threading.Condition] = {}
"""For each Map Run that runs, what tells of a child's end."""


def run(
    state: State, raw: Any, effective: Any, processor: dict[str, Any], execution: Execution, ctx: dict[str, Any]
) -> tuple[Any, str | None]:
    """Run the Map state: start a Map Run, or go on with the one that a redrive finds unfinished."""
    settings = Settings(state, raw, effective, ctx)
    resumed = _unfinished(execution, state)
    if resumed is not None:
        found = resumed
        found.update(
            status="RUNNING",
            stopDate=None,
            redriveDate=now_iso(),
            redriveCount=found["redriveCount"] + 1,
            **settings.limits,
        )
    else:
        found = create(execution, state, settings)
    arn = found["mapRunArn"]
    details = {"mapRunArn": arn}
    sf._add_event(execution, "MapStateStarted", {"mapStateStartedEventDetails": {"length": len(found["_inputs"])}})
    if resumed is not None:
        details["redriveCount"] = found["redriveCount"]
        sf._add_event(execution, "MapRunRedriven", {"mapRunRedrivenEventDetails": details})
    else:
        sf._add_event(execution, "MapRunStarted", {"mapRunStartedEventDetails": details})
    _process(found, processor, ctx)
    if found["status"] == "ABORTED":
        raise Stopped
    result = _result(state, settings, found)
    if found["status"] == "FAILED":
        error = "States.ExceedToleratedFailureThreshold"
        cause = "The specified tolerated failure threshold was exceeded"
        details = {"error": error, "cause": cause}
        sf._add_event(execution, "MapRunFailed", {"mapRunFailedEventDetails": details})
        sf._add_event(execution, "MapStateFailed")
        raise sf._ExecutionError(error, cause)
    sf._add_event(execution, "MapRunSucceeded")
    sf._add_event(execution, "MapStateSucceeded")
    if settings.jsonata:
        output = sf._apply_jsonata_output(state, raw, ctx, result=result, default=result)
        sf._apply_state_assign(state, raw, ctx, result=result)
    else:
        selected = sf._apply_result_path(state, raw, sf._apply_result_selector(state, result))
        output = sf._apply_output_path(state, selected, ctx)
    return output, sf._next_or_end(state)


def _names(execution: Execution, state: dict[str, Any]) -> tuple[str, str, str]:
    """Return region and account as ARNs have them, the machine's name, and the Map's label."""
    parts = execution["stateMachineArn"].split(":")
    return f"{parts[3]}:{parts[4]}", parts[6], state.get("Label") or new_uuid()


def _unfinished(execution: Execution, state: dict[str, Any]) -> MapRun | None:
    """Return the Map Run at which the execution ended, when a redrive enters its state again."""
    if not execution.get("_resuming"):
        return None
    owner, machine, label = _names(execution, state)
    mine = [
        found
        for found in sf._map_runs.values()
        if found["executionArn"] == execution["executionArn"]
        and found["_stateMachineArn"] == f"arn:aws:states:{owner}:stateMachine:{machine}/{label}"
    ]
    # A later round has a Map Run of its own under the same label: it is the last that counts.
    return mine[-1] if mine and mine[-1]["status"] != "SUCCEEDED" else None


def create(execution: Execution, state: State, settings: Settings) -> MapRun:
    """Read the items and make the Map Run that will process them."""
    inputs = settings.inputs()
    owner, machine, label = _names(execution, state)
    made: MapRun = {
        "mapRunArn": f"arn:aws:states:{owner}:mapRun:{machine}/{label}:{new_uuid()}",
        "executionArn": execution["executionArn"],
        "status": "RUNNING",
        "startDate": now_iso(),
        "stopDate": None,
        **settings.limits,
        "redriveCount": 0,
        "_stateMachineArn": f"arn:aws:states:{owner}:stateMachine:{machine}/{label}",
        "_tolerates": settings.tolerates,
        "_inputs": inputs,
        "_children": [None] * len(inputs),
        "_again": [],
        "_written": 0,
    }
    sf._map_runs[made["mapRunArn"]] = made
    return made


def children(found: MapRun) -> Iterator[Execution]:
    """Yield the children that have been started."""
    for arn in found["_children"]:
        if arn:
            yield sf._executions[arn]


def counts(found: MapRun) -> dict[str, int]:
    """Return the counts of a Map Run's children: here one item is one child."""
    again = set(found["_again"])
    statuses = Counter(COUNTED[child["status"]] for child in children(found) if child["executionArn"] not in again)
    made = dict.fromkeys(COUNTS, 0) | statuses
    made["total"] = len(found["_inputs"])
    made["pendingRedrive"] = len(again)
    made["pending"] = made["total"] - sum(statuses.values()) - len(again)
    made["resultsWritten"] = found["_written"]
    return made


def view(found: MapRun) -> dict[str, Any]:
    """Return what DescribeMapRun says of a Map Run."""
    told = {key: value for key, value in found.items() if not key.startswith("_") and value is not None}
    counted = counts(found)
    return told | {"itemCounts": counted, "executionCounts": counted}


def exceeded(found: MapRun, failed: int) -> bool:
    """Tell whether `failed` children are more than the Map Run tolerates."""
    if not found["_tolerates"]:
        return failed > 0
    return ("ToleratedFailureCount" in found["_tolerates"] and failed > found["toleratedFailureCount"]) or (
        "ToleratedFailurePercentage" in found["_tolerates"]
        and failed * 100 > found["toleratedFailurePercentage"] * len(found["_inputs"])
    )


def end(found: MapRun, status: str) -> None:
    """End a Map Run: children that run are ABORTED, those that wait stay pending."""
    found.update(status=status, stopDate=now_iso())
    for child in children(found):
        executions.settle(child, "ABORTED")
    wake(found["mapRunArn"])


def wake(arn: str) -> None:
    """Let the Map Run look at its children again."""
    condition = _changed.get(arn)
    if condition:
        with condition:
            condition.notify_all()


def _process(found: MapRun, processor: dict[str, Any], ctx: dict[str, Any]) -> None:
    """Run all children that have not succeeded; return when the Map Run has ended."""
    todo = [
        index
        for index, arn in enumerate(found["_children"])
        if arn is None or sf._executions[arn]["status"] != "SUCCEEDED"
    ]
    # What a redrive will run again does not count as failed.
    found["_again"] = [arn for index in todo if (arn := found["_children"][index])]
    condition = _changed[found["mapRunArn"]] = threading.Condition()
    queue = iter(todo)
    ended = Counter[str]()

    def failing() -> bool:
        return exceeded(found, ended["FAILED"] + ended["TIMED_OUT"])

    def serve() -> None:
        while found["status"] == "RUNNING":
            with condition:
                index = None if failing() else next(queue, None)
            if index is None:
                return
            child = _run_child(found, index, processor, ctx)
            with condition:
                ended[child["status"]] += 1
                condition.notify_all()

    for _ in range(min(found["maxConcurrency"] or THREADS, THREADS, len(todo))):
        threading.Thread(target=contextvars.copy_context().run, args=(serve,), daemon=True).start()
    with condition:
        while found["status"] == "RUNNING" and ended.total() < len(todo) and not failing():
            condition.wait(timeout=1)
    _changed.pop(found["mapRunArn"], None)
    if found["status"] == "RUNNING":
        end(found, "FAILED" if failing() else "SUCCEEDED")


def _run_child(found: MapRun, index: int, processor: dict[str, Any], ctx: dict[str, Any]) -> Execution:
    arn = found["_children"][index]
    if arn is None:
        child = _start_child(found, index, ctx)
        found["_children"][index] = child["executionArn"]
    else:
        child = sf._executions[arn]
        executions.revive(child)
        found["_again"].remove(arn)
    name, data = executions.resumed_at(child) or (processor["StartAt"], json.loads(child["input"]))
    context = {
        "QueryLanguage": processor.get("QueryLanguage") or ctx.get("QueryLanguage"),
        "Execution": executions.context_of(child),
        "StateMachine": {"Id": child["stateMachineArn"], "Name": child["stateMachineArn"].rpartition(":")[2]},
        "variables": copy.deepcopy(ctx.get("variables", {})),
    }
    try:
        output = executions.walk(child, processor["States"], name, data, context)
    except Stopped:
        return child
    except sf._ExecutionError as error:
        executions.settle(child, "FAILED", error=error.error, cause=error.cause)
    except Exception as error:  # whatever the interpreter stumbles over is the child's failure
        logger.exception("execution %s", child["executionArn"])
        executions.settle(child, "FAILED", error="States.Runtime", cause=str(error))
    else:
        executions.settle(child, "SUCCEEDED", output=json.dumps(output))
    return child


def _start_child(found: MapRun, index: int, ctx: dict[str, Any]) -> Execution:
    arn = found["_stateMachineArn"]
    name = new_uuid()
    text = found["_inputs"][index]
    role = ctx["Execution"].get("RoleArn", "")
    child: Execution = {
        "executionArn": f"{arn.replace(':stateMachine:', ':execution:')}:{name}",
        "stateMachineArn": arn,
        "name": name,
        "status": "RUNNING",
        "startDate": now_iso(),
        "stopDate": None,
        "input": text,
        "inputDetails": {"included": True},
        "output": None,
        "outputDetails": {"included": True},
        "mapRunArn": found["mapRunArn"],
        "events": [],
        "testCase": None,
        "mockAttempts": {},
        "_role": role,
    }
    sf._executions[child["executionArn"]] = child
    sf._add_event(child, "ExecutionStarted", {"executionStartedEventDetails": {"input": text, "roleArn": role}})
    return child


def _result(state: dict[str, Any], settings: Settings, found: MapRun) -> Any:
    writer = state.get("ResultWriter") or {}
    target = writer.get("Arguments") or writer.get("Parameters")
    if not target:
        return [json.loads(child["output"]) if child["output"] else None for child in children(found)]
    written = result_writer.write(
        found, list(children(found)), settings.resolve(target), writer.get("WriterConfig") or {}
    )
    found["_written"] = counts(found)["succeeded"]
    return written


def _list(item: dict[str, Any], execution: Execution) -> None:
    """Add to an item of ListExecutions what it lacks."""
    item["redriveCount"] = execution.get("redriveCount", 0)
    if execution.get("redriveDate"):
        item["redriveDate"] = execution["redriveDate"]


def _apply() -> None:
    RUN.replace(run)
    DESCRIBE.replace(view)
    # JSON may hold U+2028 as it is: it ends no line of JSON Lines.
    PARSE.amend(("text.splitlines()", 'text.split("\\n")'))
    LIST.amend(
        (
            "        all_execs.append(item)\n",
            "        _list_more(item, ex)\n        all_execs.append(item)\n",
        ),
        _list_more=_list,
    )


PATCHES = [
    Patch(
        "map-runs",
        "A Distributed Map does not evaluate JSONata, writes no results, keeps no history of its Map Run or its "
        "children, runs on after it was stopped or has failed, and cannot be redriven.",
        (RUN, READ, PARSE, LIST, DESCRIBE),
        _apply,
    ),
]
