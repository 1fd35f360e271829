"""Map Runs and redrives as on AWS: only what had not succeeded runs again, in the Map Run it belongs to."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.engine.place import Place, until

PARTS = ("pending", "running", "succeeded", "failed", "timedOut", "aborted", "pendingRedrive")


def redriven(place: Place, arn: str, job: str) -> dict[str, Any]:
    place.mend(job)
    place.states.redrive_execution(executionArn=arn)
    return place.ended(arn)


def counts(run: dict[str, Any]) -> dict[str, int]:
    assert run["itemCounts"] == run["executionCounts"]
    assert sum(run["itemCounts"][part] for part in PARTS) == run["itemCounts"]["total"]
    return {part: run["itemCounts"][part] for part in PARTS if run["itemCounts"][part]}


def test_a_failed_child_is_redriven_in_its_map_run(place: Place) -> None:
    arn, job = place.rounds(7, fails={"work-0-4": {}}, concurrency=1)
    told = place.ended(arn)
    assert (told["status"], told["error"]) == ("FAILED", "States.ExceedToleratedFailureThreshold")
    assert (told["redriveStatus"], told["redriveCount"]) == ("REDRIVABLE", 0)
    [run] = place.map_runs(arn)
    assert (run["status"], counts(run)) == ("FAILED", {"succeeded": 4, "failed": 1, "pending": 2})
    told = redriven(place, arn, job)
    assert (told["status"], told["redriveCount"], told["redriveStatus"]) == ("SUCCEEDED", 1, "NOT_REDRIVABLE")
    assert told["redriveStatusReason"]
    assert told["redriveDate"] > told["startDate"]
    [again] = place.map_runs(arn)
    assert (again["mapRunArn"], again["redriveCount"]) == (run["mapRunArn"], 1)
    assert counts(again) == {"succeeded": 7}
    calls = place.calls(job)
    assert {name for name, number in calls.items() if number > 1} == {"work-0-4"}
    assert len([name for name in calls if name.startswith("work")]) == 7
    types = [event["type"] for event in place.history(arn)]
    assert types.count("MapRunStarted") == types.count("MapRunFailed") == types.count("MapRunRedriven") == 1
    with pytest.raises(ClientError, match="ExecutionNotRedrivable"):
        place.states.redrive_execution(executionArn=arn)


def test_a_failed_split_is_run_again(place: Place) -> None:
    arn, job = place.rounds(2, fails={"split": {}})
    place.ended(arn)
    assert redriven(place, arn, job)["status"] == "SUCCEEDED"
    assert place.calls(job) == {"split": 1, "work-0-0": 1, "work-0-1": 1, "merge-0": 1}


def test_a_failure_in_a_later_round_leaves_the_earlier_round_alone(place: Place) -> None:
    arn, job = place.rounds(3, rounds=1, fails={"work-1-1": {}})
    place.ended(arn)
    first, second = place.map_runs(arn)
    assert (first["status"], second["status"]) == ("SUCCEEDED", "FAILED")
    assert redriven(place, arn, job)["status"] == "SUCCEEDED"
    first, second = place.map_runs(arn)
    assert (first["redriveCount"], second["redriveCount"]) == (0, 1)
    assert {name for name, number in place.calls(job).items() if number > 1} <= {"work-1-1", "work-1-0"}
    assert place.calls(job)["work-1-1"] == 2


def test_a_round_after_a_redrive_has_a_map_run_of_its_own(place: Place) -> None:
    arn, job = place.rounds(3, rounds=1, fails={"work-0-2": {}})
    place.ended(arn)
    assert redriven(place, arn, job)["status"] == "SUCCEEDED"
    first, second = place.map_runs(arn)
    assert (first["redriveCount"], second["redriveCount"]) == (1, 0)
    assert {place.calls(job)[f"work-1-{line}"] for line in (0, 1)} == {1}


def test_a_second_merge_that_fails_is_run_again_alone(place: Place) -> None:
    arn, job = place.rounds(2, rounds=1, fails={"merge-1": {}})
    place.ended(arn)
    assert redriven(place, arn, job)["status"] == "SUCCEEDED"
    assert {name for name, number in place.calls(job).items() if number > 1} == {"merge-1"}
    assert len(place.map_runs(arn)) == 2


def test_a_redrive_that_fails_can_be_redriven(place: Place) -> None:
    arn, job = place.rounds(2, fails={"merge-0": {"times": 2}})
    assert place.ended(arn)["status"] == "FAILED"
    place.states.redrive_execution(executionArn=arn)
    assert place.ended(arn)["status"] == "FAILED"
    place.states.redrive_execution(executionArn=arn)
    assert place.ended(arn)["redriveCount"] == 2
    assert place.calls(job)["merge-0"] == 3


def test_a_stopped_execution_aborts_its_children_stays_aborted_and_is_redriven(place: Place) -> None:
    slow = {f"work-0-{line}": {"do": "sleep", "seconds": 0.1, "times": 1} for line in range(20)}
    arn, job = place.rounds(20, fails=slow)
    until(lambda: len(place.keys(f"calls/{job}/work")) > 4)
    place.states.stop_execution(executionArn=arn, error="Asked", cause="for")
    told = place.ended(arn)
    assert (told["status"], told["error"], told["cause"]) == ("ABORTED", "Asked", "for")
    [run] = place.map_runs(arn)
    assert run["status"] == "ABORTED"
    assert counts(run).keys() <= {"succeeded", "aborted", "pending"}
    time.sleep(0.5)
    before = place.calls(job)
    time.sleep(0.5)
    assert place.calls(job) == before
    assert place.ended(arn)["status"] == "ABORTED"
    assert redriven(place, arn, job)["status"] == "SUCCEEDED"
    [run] = place.map_runs(arn)
    assert counts(run) == {"succeeded": 20}
    children = place.states.list_executions(mapRunArn=run["mapRunArn"])["executions"]
    finished = {child["executionArn"] for child in children if child["redriveCount"] == 0}
    assert len(finished) >= before["work-0-0"]
    assert sum(place.calls(job).values()) <= 22 + 2 * len(slow) - len(finished)


def test_tolerated_failures_are_written_and_do_not_fail_the_map_run(place: Place) -> None:
    arn, _ = place.rounds(5, tolerated=2, fails={"work-0-1": {}, "work-0-3": {}})
    told = place.ended(arn)
    assert told["status"] == "SUCCEEDED"
    [run] = place.map_runs(arn)
    assert (run["status"], counts(run), run["toleratedFailureCount"]) == ("SUCCEEDED", {"succeeded": 3, "failed": 2}, 2)
    files = json.loads(place.get(json.loads(told["output"])["written"]))["ResultFiles"]
    rows = [json.loads(line) for line in place.get(files["FAILED"][0]["Key"]).splitlines()]
    assert {row["Error"] for row in rows} == {"PoisonError"}
    assert files["PENDING"] == []


@pytest.mark.parametrize(("status", "number"), [("FAILED", 1), ("SUCCEEDED", 4), ("RUNNING", 0)])
def test_children_are_listed_by_status(place: Place, status: str, number: int) -> None:
    arn, _ = place.rounds(5, tolerated=1, fails={"work-0-2": {}})
    place.ended(arn)
    run = place.map_runs(arn)[0]["mapRunArn"]
    listed = place.states.list_executions(mapRunArn=run, statusFilter=status)["executions"]
    assert len(listed) == number
    for child in listed:
        types = [event["type"] for event in place.history(child["executionArn"])]
        assert types[:2] == ["ExecutionStarted", "TaskStateEntered"]
        assert types[-1] == {"FAILED": "ExecutionFailed", "SUCCEEDED": "ExecutionSucceeded"}[status]
        told = place.states.describe_execution(executionArn=child["executionArn"])
        assert told["mapRunArn"] == run
        if status == "FAILED":
            assert told["redriveStatus"] == "REDRIVABLE_BY_MAP_RUN"


def test_a_map_run_without_items_succeeds(place: Place) -> None:
    arn, _ = place.rounds(0)
    assert place.ended(arn)["status"] == "SUCCEEDED"
    [run] = place.map_runs(arn)
    assert run["itemCounts"]["total"] == 0


def test_a_plan_that_is_not_there_fails_and_is_read_again_by_a_redrive(place: Place) -> None:
    arn, job = place.rounds(2, rounds=1, fails={"merge-0": {"do": "sleep", "seconds": 0.5, "times": 1}})
    until(lambda: place.keys(f"calls/{job}/merge-0"))
    place.switch(job, "none")
    plan = f"plans/{job}/1.jsonl"
    until(lambda: place.keys(plan))
    assert place.ended(arn)["status"] == "SUCCEEDED"
    missing = place.run({"Map": {**reader(place, "plans/missing.jsonl")}})
    assert (missing["status"], missing["error"]) == ("FAILED", "States.ItemReaderFailed")
    place.put("plans/missing.jsonl", b'{"do": "echo"}\n')
    place.states.redrive_execution(executionArn=missing["executionArn"])
    assert place.ended(missing["executionArn"])["status"] == "SUCCEEDED"
    place.put("plans/wrong.jsonl", b"not JSON\n")
    assert place.run({"Map": {**reader(place, "plans/wrong.jsonl")}})["error"] == "States.ItemReaderFailed"


def reader(place: Place, key: str) -> dict[str, Any]:
    task = place.task()
    task["Arguments"]["Payload"] = "{% $states.input %}"
    return {
        "Type": "Map",
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "JSONL"},
            "Arguments": {"Bucket": place.bucket, "Key": key},
        },
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "Work",
            "States": {"Work": task},
        },
        "End": True,
    }


def test_a_hundred_trivial_chunks_a_second(place: Place) -> None:
    """1000 children through a Distributed Map, the machine's other work included."""
    place.put("plans/many.jsonl", b'{"do": "echo"}\n' * 1000)
    machine = place.machine({"Map": {**reader(place, "plans/many.jsonl"), "MaxConcurrency": 40, "Output": "done"}})
    place.ended(place.start(machine))
    told = place.ended(place.start(machine))
    assert told["status"] == "SUCCEEDED"
    assert (told["stopDate"] - told["startDate"]).total_seconds() < 10
