"""The state machine's definition: what it must hold for Redrive, and what its expressions answer."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import jsonata
import pytest

from fanfold import errors, steps
from fanfold.job import Keys
from fanfold.kinds.image import staging
from fanfold.kinds.table import planning
from fanfold.kinds.video import media
from fanfold.kinds.video.speech import hearing
from fanfold.kinds.video.told import describing
from tests.stack import definition as asl
from tests.stack import template

TEXT = (template.ROOT / "statemachines" / "fanout.asl.json").read_text()
DEFINITION: dict[str, Any] = json.loads(TEXT)
STATES = DEFINITION["States"]
WORK = STATES["Process"]["ItemProcessor"]["States"]["Work"]

RETRYABLE = {errors.TransientError.__name__}

TASKS = [(name, state) for name, state in asl.states(DEFINITION) if state["Type"] == "Task"]

RETRIERS = [(name, retrier) for name, state in asl.states(DEFINITION) for retrier in state.get("Retry", [])]


def evaluate(expression: str, states: dict[str, Any], **substitutions: str) -> Any:
    """Answer a `{% %}` text as Step Functions would, with `$states` bound."""
    (text,) = asl.expressions(expression)
    for name, value in substitutions.items():
        text = text.replace(f"${{{name}}}", value)
    compiled = jsonata.Jsonata(text)
    frame = compiled.create_frame()
    frame.bind("states", states)
    return compiled.evaluate(None, frame)


def test_the_definition_has_no_fault() -> None:
    assert list(asl.faults(DEFINITION, RETRYABLE)) == []


def set_at(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(made: dict[str, Any]) -> None:
        node: Any = made["States"]
        *before, last = path.split("/")
        for step in before:
            node = node[int(step) if step.isdigit() else step]
        node[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (set_at("Split/Next", "Chunks?"), "there is no state 'Chunks?'"),
        (set_at("Again?/Choices/0/Next", "Proces"), "there is no state 'Proces'"),
        (set_at("Process/ItemProcessor/StartAt", "Werk"), "there is no state 'Werk'"),
        (set_at("Merge/Next", "Merge"), "nothing leads to 'Again?'"),
        (set_at("Merge/Next", None), "neither ends nor leads on"),
        (set_at("Again?/Default", None), "has no Default"),
        (set_at("Split/Catch", [{"ErrorEquals": ["States.ALL"], "Next": "Done"}]), "catches"),
        (set_at("Split/Assign", {"job": 1}), "assigns"),
        (set_at("Process/Retry", [{"ErrorEquals": ["States.Timeout"]}]), "runs every child again"),
        (set_at("Process/Label", "a chunk"), "'a chunk' is no label"),
        (set_at("Split/Retry/0/ErrorEquals", ["InvalidInput"]), "retries InvalidInput"),
        (set_at("Split/Retry/0/ErrorEquals", ["Lambda.Unknwon"]), "retries Lambda.Unknwon"),
        (set_at("Split/Retry/0/ErrorEquals", ["States.ALL"]), "retries everything"),
        (set_at("Split/TimeoutSeconds", None), "has no TimeoutSeconds"),
        (set_at("Split/Output", "{% $states.context.Execution.Input %}"), "reads Execution.Input"),
        (set_at("Split/Output", "{% $merge([$states.input) %}"), "$merge([$states.input): "),
    ],
)
def test_a_faulty_definition_is_found(change: Callable[[dict[str, Any]], None], said: str) -> None:
    """The check itself can fail: every kind of fault, put into the real definition, is named."""
    made = copy.deepcopy(DEFINITION)
    change(made)
    found = list(asl.faults(_without_nothing(made), RETRYABLE))
    assert any(said in fault for fault in found), found


def _without_nothing(node: Any) -> Any:
    """Drop what a change set to None."""
    if isinstance(node, dict):
        return {name: _without_nothing(value) for name, value in node.items() if value is not None}
    return [_without_nothing(value) for value in node] if isinstance(node, list) else node


def test_transient_error_is_the_only_error_of_ours_that_is_retried() -> None:
    ours = set(errors._tree(errors.FanfoldError))
    listed = {name for _, retrier in RETRIERS for name in retrier["ErrorEquals"]}
    assert listed & ours == RETRYABLE


@pytest.mark.parametrize(("name", "state"), TASKS)
def test_every_function_is_retried_when_lambda_fails_and_a_little_when_it_is_the_function(
    name: str, state: dict[str, Any]
) -> None:
    """AWS's own failures are tried often; a timeout or a lack of memory will mostly come again, so seldom."""
    attempts = {error: retrier["MaxAttempts"] for retrier in state["Retry"] for error in retrier["ErrorEquals"]}
    service = asl.LAMBDA_ERRORS - {"Lambda.Unknown", "Runtime.ExitError", "Sandbox.Timedout"}
    assert all(attempts[error] >= 5 for error in {*service, "TransientError"})
    assert all(
        1 <= attempts[error] <= 2
        for error in ("Lambda.Unknown", "Runtime.ExitError", "Sandbox.Timedout", "States.Timeout")
    )


@pytest.mark.parametrize(("name", "retrier"), RETRIERS)
def test_throttled_calls_come_back_at_random_times(name: str, retrier: dict[str, Any]) -> None:
    if "Lambda.TooManyRequestsException" in retrier["ErrorEquals"]:
        assert retrier["JitterStrategy"] == "FULL"


def waits(retrier: dict[str, Any]) -> list[float]:
    """Return the seconds before each attempt."""
    return [
        min(retrier["IntervalSeconds"] * retrier["BackoffRate"] ** number, retrier["MaxDelaySeconds"])
        for number in range(retrier["MaxAttempts"])
    ]


def test_merge_waits_longer_than_a_lost_right_to_publish_lasts() -> None:
    """A job that died while it held the right to publish lets go of it before the next one gives up."""
    (retrier,) = (found for found in STATES["Merge"]["Retry"] if "TransientError" in found["ErrorEquals"])
    assert retrier["JitterStrategy"] == "NONE"
    assert sum(waits(retrier)) > steps.CLAIM_S


@pytest.mark.parametrize("machine", template.MACHINES)
def test_a_function_reports_its_own_timeout_before_the_state_gives_up_on_it(machine: str) -> None:
    """States.Timeout leaves the function running; Sandbox.Timedout does not."""
    given = template.properties(machine)["DefinitionSubstitutions"]
    functions = {name: [template.named(given[f"{name}Function"])] for name in ("Split", "Merge")}
    functions["Work"] = re.findall(r"\$\{(\w+\.Arn)\}", template.named(given["Workers"]))
    for name, state in TASKS:
        for function in functions[name.rpartition("/")[2]]:
            assert template.properties(function.removesuffix(".Arn"))["Timeout"] < state["TimeoutSeconds"]


@pytest.mark.parametrize("machine", template.MACHINES)
def test_the_template_gives_every_substitution_and_no_other(machine: str) -> None:
    given = template.properties(machine)["DefinitionSubstitutions"]
    assert set(re.findall(r"\$\{(\w+)\}", TEXT)) == set(given)


@pytest.mark.parametrize(
    ("machine", "workers_of"),
    [
        ("TableMachine", {planning.ROLE: "TableRows", steps.INDEX: "TableIndex"}),
        ("ImageMachine", {staging.ROLE: "ImagePixels", staging.RECOGNISE: "ImageRecognise", steps.INDEX: "ImageIndex"}),
        (
            "VideoMachine",
            {
                describing.ROLE: "VideoDescribe",
                media.ROLE: "VideoEncode",
                hearing.ROLE: "VideoSpeech",
                steps.INDEX: "VideoIndex",
            },
        ),
    ],
)
def test_every_role_of_a_plan_line_has_a_worker(machine: str, workers_of: dict[str, str]) -> None:
    given = template.named(template.properties(machine)["DefinitionSubstitutions"]["Workers"])
    workers = re.sub(r"\$\{(\w+)\.Arn\}", r"\1", given)
    function = WORK["Arguments"]["FunctionName"]
    found = {role: evaluate(function, {"input": {"line": {"role": role}}}, Workers=workers) for role in workers_of}
    assert found == workers_of


def test_a_plan_with_no_line_goes_to_merge_at_once() -> None:
    """Nothing says what Step Functions makes of a dataset of no items, so it never sees one."""
    (rule,) = STATES["Any chunks?"]["Choices"]
    assert evaluate(rule["Condition"], {"input": {"lines": 1}}) is True
    assert evaluate(rule["Condition"], {"input": {"lines": 0}}) is False
    assert STATES["Any chunks?"]["Default"] == "Merge"


def test_the_map_writes_what_merge_reads_line_by_line() -> None:
    assert STATES["Process"]["ResultWriter"]["WriterConfig"] == {"Transformation": "NONE", "OutputType": "JSONL"}


def test_another_round_goes_back_to_process_and_an_end_does_not() -> None:
    (rule,) = STATES["Again?"]["Choices"]
    assert rule["Next"] == "Process"
    assert evaluate(rule["Condition"], {"input": {"again": True}}) is True
    assert evaluate(rule["Condition"], {"input": {"again": False}}) is False


def test_a_worker_is_told_its_job_its_execution_its_line_and_which_attempt_this_is() -> None:
    line = {"id": "0", "role": "rows", "span": {}, "layout": 0}
    outer = {
        "input": {"job": "j", "execution": "arn", "concurrency": 4, "tolerated_failures": 1},
        "context": {"Map": {"Item": {"Value": line}}},
    }
    item = {name: evaluate(value, outer) for name, value in STATES["Process"]["ItemSelector"].items()}
    assert item == {"job": "j", "execution": "arn", "line": line}
    told = evaluate(WORK["Arguments"]["Payload"], {"input": item, "context": {"State": {"RetryCount": 2}}})
    assert told == item | {"attempt": 3}
    assert steps.Attempt(told).number == 3


def test_split_is_told_the_execution_and_the_map_hands_on_the_round_and_where_its_results_are() -> None:
    split = STATES["Split"]["Arguments"]["Payload"]
    told = evaluate(split, {"input": {"job": "j"}, "context": {"Execution": {"Id": "arn"}}})
    assert told == {"job": "j", "execution": "arn"}
    key = "jobs/j/map/1b2c/manifest.json"
    outer = {
        "input": {"job": "j", "round": 1, "manifests": [None], "concurrency": 4, "tolerated_failures": 1},
        "result": {"MapRunArn": "arn", "ResultWriterDetails": {"Bucket": "work", "Key": key}},
    }
    process = STATES["Process"]
    assert evaluate(process["Output"], outer) == outer["input"] | {"manifest": key}
    prefix = evaluate(process["ResultWriter"]["Arguments"]["Prefix"], outer)
    assert f"{prefix}/" == Keys("j").results
    assert evaluate(process["MaxConcurrency"], outer) == 4
    assert evaluate(process["ToleratedFailureCount"], outer) == 1
