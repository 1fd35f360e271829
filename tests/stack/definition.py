"""What may be wrong with a definition in the Amazon States Language, without AWS to ask.

https://states-language.net/spec.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonata

State = dict[str, Any]

STATES_ERRORS = {
    "States.ALL",
    "States.BranchFailed",
    "States.DataLimitExceeded",
    "States.ExceedToleratedFailureThreshold",
    "States.HeartbeatTimeout",
    "States.Http.Socket",
    "States.IntrinsicFailure",
    "States.ItemReaderFailed",
    "States.NoChoiceMatched",
    "States.ParameterPathFailure",
    "States.Permissions",
    "States.QueryEvaluationError",
    "States.ResultPathMatchFailure",
    "States.ResultWriterFailed",
    "States.Runtime",
    "States.TaskFailed",
    "States.Timeout",
}
"""https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html"""

LAMBDA_ERRORS = {
    "Lambda.AWSLambdaException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.SdkClientException",
    "Lambda.ServiceException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
    "Runtime.ExitError",
    "Sandbox.Timedout",
}
"""https://docs.aws.amazon.com/step-functions/latest/dg/sfn-best-practices.html and
https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html"""

LABEL = re.compile(r"[^\s?*<>{}\[\]:;,\\|^~$#%&`\"\u0000-\u001f\u007f-\u009f]{1,40}")
"""https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html"""


def scopes(definition: State) -> Iterator[tuple[str, State]]:
    """Yield the top level and every inner set of states, each with a name."""
    yield "top", definition
    for name, state in definition["States"].items():
        for inner in [state.get("ItemProcessor"), *state.get("Branches", [])]:
            if inner:
                for scope, found in scopes(inner):
                    yield f"{name}/{scope}", found


def states(definition: State) -> Iterator[tuple[str, State]]:
    """Yield every state, with a name."""
    for scope, found in scopes(definition):
        for name, state in found["States"].items():
            yield f"{scope}/{name}", state


def targets(state: State) -> list[str]:
    """Return the names of the states that may follow."""
    found = [state.get("Next"), state.get("Default")]
    found += [rule["Next"] for rule in [*state.get("Choices", []), *state.get("Catch", [])]]
    return [name for name in found if name]


def expressions(node: Any) -> Iterator[str]:
    """Yield every JSONata expression, without its `{% %}`."""
    if isinstance(node, str):
        if node.startswith("{%"):
            yield node.removeprefix("{%").removesuffix("%}").strip()
    elif isinstance(node, dict | list):
        for inner in node.values() if isinstance(node, dict) else node:
            yield from expressions(inner)


def faults(definition: State, retryable: set[str]) -> Iterator[str]:
    """Yield what is wrong, one line each.

    retryable: the names of our own errors that a Retry may list. Those of AWS are known here.
    """
    for scope, found in scopes(definition):
        known = set(found["States"])
        reached, waiting = set(), [found["StartAt"]]
        while waiting:
            name = waiting.pop()
            if name not in known:
                yield f"{scope}: there is no state {name!r}"
            elif name not in reached:
                reached.add(name)
                waiting += targets(found["States"][name])
        yield from (f"{scope}: nothing leads to {name!r}" for name in sorted(known - reached))
    for name, state in states(definition):
        ends = state["Type"] in ("Succeed", "Fail") or state.get("End") or targets(state)
        if not ends:
            yield f"{name}: neither ends nor leads on"
        if state["Type"] == "Choice" and "Default" not in state:
            yield f"{name}: has no Default, so that an input may match nothing"
        if state["Type"] == "Task" and "TimeoutSeconds" not in state:
            yield f"{name}: has no TimeoutSeconds"
        if "Catch" in state:
            yield f"{name}: catches, and a caught failure cannot be redriven"
        if "Assign" in state:
            yield f"{name}: assigns, and a redrive on the engine loses variables"
        if state["Type"] == "Map" and "Retry" in state:
            yield f"{name}: a Retry of a Map runs every child again"
        if state["Type"] == "Map" and not LABEL.fullmatch(state.get("Label", "")):
            yield f"{name}: {state.get('Label')!r} is no label"
        for retrier in state.get("Retry", []):
            unknown = set(retrier["ErrorEquals"]) - STATES_ERRORS - LAMBDA_ERRORS - retryable
            yield from (f"{name}: retries {error}, which nothing raises" for error in sorted(unknown))
            if {"States.ALL", "States.TaskFailed"} & set(retrier["ErrorEquals"]):
                yield f"{name}: retries everything, bugs and bad input included"
    for expression in expressions(definition):
        if "Execution.Input" in expression:
            yield f"{expression}: reads Execution.Input, which a redrive on the engine loses"
        try:
            jsonata.Jsonata(re.sub(r"\$\{\w+\}", "{}", expression))
        except jsonata.JException as error:
            yield f"{expression}: {error}"
