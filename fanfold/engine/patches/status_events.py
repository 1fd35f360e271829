"""Step Functions: the status events that tell others how an execution fares.

(https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html)
"""

from __future__ import annotations

import json
import logging
from typing import Any

from ministack.services import eventbridge
from ministack.services import stepfunctions as sf

from fanfold.engine import patches
from fanfold.engine.mend import Original, Patch
from fanfold.engine.patches import executions

EMIT = Original("ministack.services.stepfunctions", "_emit_execution_status_event", "9c89e45693e353eb")

LIMIT_BYTES = 248 * 1024
"""An input or output whose escaped JSON is longer is left out."""

logger = logging.getLogger("fanfold.engine")


def detail(execution: dict[str, Any]) -> dict[str, Any]:
    """Return the detail of the event that tells of an execution's status."""
    status = execution["status"]
    redrive, reason = executions.redrivable(execution)
    made: dict[str, Any] = {
        "executionArn": execution["executionArn"],
        "stateMachineArn": execution["stateMachineArn"],
        "name": execution["name"],
        "status": status,
        "startDate": sf._iso_to_epoch_ms(execution["startDate"]),
        "stopDate": sf._iso_to_epoch_ms(execution.get("stopDate")),
        "input": execution["input"],
        "inputDetails": {"included": True},
        "output": execution.get("output") if status == "SUCCEEDED" else None,
        "outputDetails": {"included": True} if status == "SUCCEEDED" else None,
        "stateMachineVersionArn": None,
        "stateMachineAliasArn": None,
        "redriveCount": execution.get("redriveCount", 0),
        "redriveDate": sf._iso_to_epoch_ms(execution.get("redriveDate")),
        "redriveStatus": redrive,
        "redriveStatusReason": reason,
        "error": execution.get("error"),
        "cause": execution.get("cause"),
    }
    for name in ("input", "output"):
        if made[name] is not None and len(json.dumps(made[name])) > LIMIT_BYTES:
            made[name], made[f"{name}Details"] = None, {"included": False}
    return made


def emit(execution: dict[str, Any]) -> None:
    """Put an execution's status on the default event bus. Children of Map Runs and synchronous ones have no events."""
    patches.on_change()
    if execution.get("sync") or execution.get("mapRunArn"):
        return
    entry = {
        "Source": "aws.states",
        "DetailType": "Step Functions Execution Status Change",
        "Detail": json.dumps(detail(execution)),
        "Resources": [execution["executionArn"]],
    }
    eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)


def _apply() -> None:
    EMIT.replace(emit)


PATCHES = [
    Patch(
        "status-events",
        "Status events always say that nothing was redriven, and drop the error of what was not FAILED.",
        (EMIT,),
        _apply,
    ),
]
