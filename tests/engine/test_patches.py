"""Each patch mends something: what is asked of the engine here holds with all patches, and not without the one."""

from __future__ import annotations

import json
import statistics
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from fanfold.engine import patches
from fanfold.engine.bodies import Store
from fanfold.engine.patches.functions import WORKERS
from tests.engine.conftest import engine_without
from tests.engine.place import Place, until

Law = Callable[[Place], None]
LAWS: dict[str, list[Law]] = {}
ELSEWHERE = {
    "live-states": "test_snapshot",
    "objects-kept": "test_restart",
    "orphans": "test_process",
    "secure-transport": "tests.privilege",
    "wildcards": "tests.privilege",
    "streams-kept": "test_restart",
}
"""Patches of which another module holds the law, with and without."""


def law(patch: str) -> Callable[[Law], Law]:
    """Note what holds because of a patch."""

    def noted(function: Law) -> Law:
        LAWS.setdefault(patch, []).append(function)
        return function

    return noted


@law("error-names")
def failures_have_the_names_that_lambda_gives_them(place: Place) -> None:
    assert place.invoke(do="poison")[1]["errorType"] == "PoisonError"
    assert place.invoke(do="poison")[1]["stackTrace"]
    assert place.invoke(do="end")[1]["errorType"] == "Runtime.ExitError"
    assert place.invoke("Broken")[1]["errorType"] == "Runtime.ImportModuleError"


@law("error-names")
def a_retry_by_name_tries_again(place: Place) -> None:
    arn, job = place.rounds(
        2, fails={"work-0-1": {"do": "transient", "times": 1}, "work-0-0": {"do": "end", "times": 1}}
    )
    assert place.ended(arn)["status"] == "SUCCEEDED"
    assert place.calls(job)["work-0-1"] == 2
    assert place.calls(job)["work-0-0"] == 2


@law("forked-workers")
def a_worker_is_forked_from_a_process_that_has_its_imports_done(place: Place) -> None:
    time.sleep(1.5)
    place.invoke(do="end")
    _, (_, parent) = place.invoke(do="family")
    status = Path(f"/proc/{parent}/status").read_text()
    assert parent != place.engine.pid
    assert int(status.split("PPid:")[1].split()[0]) == place.engine.pid


@law("living-workers")
def a_handler_that_raises_leaves_its_process_warm(place: Place) -> None:
    _, before = place.invoke(do="log", text="before")
    place.invoke(do="poison")
    assert place.invoke(do="log", text="after")[1] == before


@law("log-mark")
def a_warm_invocation_takes_a_few_milliseconds(place: Place) -> None:
    times = []
    for _ in range(15):
        began = time.perf_counter()
        place.invoke(do="echo")
        times.append(time.perf_counter() - began)
    assert statistics.median(times) < 0.045


@law("worker-cap")
def a_map_of_many_has_as_many_processes_as_there_are_cores(place: Place) -> None:
    job = uuid.uuid4().hex
    items = list(range(4 * WORKERS))
    state = {
        "Type": "Map",
        "Items": items,
        "MaxConcurrency": len(items),
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "INLINE"},
            "StartAt": "Work",
            "States": {"Work": place.task(do="count", job=job, seconds=0.2)},
        },
        "End": True,
    }
    assert place.run({"All": state})["status"] == "SUCCEEDED"
    assert len(place.keys(f"processes/{job}/")) <= WORKERS


@law("retry-delays")
def no_retry_waits_longer_than_it_may(place: Place) -> None:
    retry = {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 4, "MaxDelaySeconds": 1, "MaxAttempts": 1}
    place.invoke(do="echo")
    began = time.monotonic()
    assert place.run({"Fails": {**place.task(do="poison"), "Retry": [retry]}})["status"] == "FAILED"
    assert 1 <= time.monotonic() - began < 3.5


@law("history")
def events_name_the_event_before_them_and_a_task_starts(place: Place) -> None:
    told = place.run({"Echo": place.task(do="echo", value=1)})
    events = place.history(told["executionArn"])
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    assert [event["previousEventId"] for event in events] == [0, 0, *range(2, len(events))]
    assert [event["type"] for event in events] == [
        "ExecutionStarted",
        "TaskStateEntered",
        "TaskScheduled",
        "TaskStarted",
        "TaskSucceeded",
        "TaskStateExited",
        "ExecutionSucceeded",
    ]
    details = events[2]["taskScheduledEventDetails"]
    assert (details["resourceType"], details["resource"]) == ("lambda", "invoke")
    assert json.loads(details["parameters"])["Payload"] == {"do": "echo", "value": 1}


@law("data-limit")
def more_than_256_kib_fails_and_nothing_catches_it(place: Place) -> None:
    catch = {"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}], "Next": "Caught"}
    states = {"Large": {**place.task(do="large", bytes=300_000), **catch}, "Caught": {"Type": "Succeed"}}
    del states["Large"]["End"]
    told = place.run(states)
    assert (told["status"], told.get("error")) == ("FAILED", "States.DataLimitExceeded")


@law("start-again")
def the_same_name_and_input_is_the_execution_that_runs(place: Place) -> None:
    machine = place.machine({"Wait": {"Type": "Wait", "Seconds": 1, "End": True}})
    first = place.start(machine, {"a": 1}, name="one")
    assert place.start(machine, {"a": 1}, name="one") == first
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        place.start(machine, {"a": 2}, name="one")
    place.ended(first)
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        place.start(machine, {"a": 1}, name="one")


@law("redrive")
def a_redrive_runs_what_had_failed_and_no_more(place: Place) -> None:
    arn, job = place.rounds(3, fails={"merge-0": {}})
    assert place.ended(arn)["status"] == "FAILED"
    place.mend(job)
    place.states.redrive_execution(executionArn=arn)
    assert place.ended(arn)["status"] == "SUCCEEDED"
    assert place.calls(job) == {"split": 1, "work-0-0": 1, "work-0-1": 1, "work-0-2": 1, "merge-0": 2}


@law("redrive")
def an_execution_takes_no_longer_than_its_machine_may(place: Place) -> None:
    told = place.run({"Wait": {"Type": "Wait", "Seconds": 3, "End": True}}, TimeoutSeconds=1)
    assert (told["status"], told["error"]) == ("TIMED_OUT", "States.Timeout")


@law("map-runs")
def a_distributed_map_evaluates_jsonata_and_writes_its_results(place: Place) -> None:
    arn, _ = place.rounds(3)
    told = place.ended(arn)
    assert told["status"] == "SUCCEEDED", told
    manifest = json.loads(place.get(json.loads(told["output"])["written"]))
    [written] = manifest["ResultFiles"]["SUCCEEDED"]
    rows = [json.loads(line) for line in place.get(written["Key"]).splitlines()]
    assert sorted(json.loads(row["Output"])["did"] for row in rows) == ["work-0-0", "work-0-1", "work-0-2"]


@law("status-events")
def events_tell_of_redrives_and_of_why_an_execution_ended(place: Place) -> None:
    arn, job = place.rounds(1, fails={"split": {}})
    place.ended(arn)
    place.mend(job)
    place.states.redrive_execution(executionArn=arn)
    place.ended(arn)
    events = place.told(lambda event: event["detail"].get("executionArn") == arn, 4)
    told = {(event["detail"]["status"], event["detail"]["redriveCount"]): event["detail"] for event in events}
    assert set(told) == {("RUNNING", 0), ("FAILED", 0), ("RUNNING", 1), ("SUCCEEDED", 1)}
    assert told["FAILED", 0]["error"] == "PoisonError"
    assert told["FAILED", 0]["redriveStatus"] == "REDRIVABLE"
    assert json.loads(told["SUCCEEDED", 1]["input"])["job"] == job
    assert json.loads(told["SUCCEEDED", 1]["output"])["again"] is False
    assert {event["detail"]["stateMachineArn"] for event in events} == {place.outputs["Machine"]}


@law("bodies-on-disk")
def a_large_object_is_on_disk_and_a_copy_of_it_is_none(place: Place) -> None:
    body = bytes(range(256)) * 4096 * 6

    def used() -> int:
        return sum(path.stat().st_size for path in (place.engine.home / "objects").iterdir())

    before = used()
    place.put("large", body)
    assert used() == before + len(body)
    place.s3.copy_object(Bucket=place.bucket, Key="copy", CopySource={"Bucket": place.bucket, "Key": "large"})
    assert used() == before + len(body)
    assert place.get("copy") == body
    assert place.get("large", Range="bytes=1000000-1000010") == body[1_000_000:1_000_011]


@law("version-ranges")
def a_range_of_a_version_is_a_range(place: Place) -> None:
    old = place.put("ranged", b"0123456789")["VersionId"]
    place.put("ranged", b"newer")
    answer = place.s3.get_object(Bucket=place.bucket, Key="ranged", VersionId=old, Range="bytes=2-4")
    assert answer["Body"].read() == b"234"
    assert (answer["ContentRange"], answer["ContentLength"]) == ("bytes 2-4/10", 3)
    with pytest.raises(ClientError, match="InvalidRange"):
        place.get("ranged", VersionId=old, Range="bytes=10-")


@law("event-versions")
def an_event_names_the_version_that_was_made(place: Place) -> None:
    key = f"events/{uuid.uuid4().hex}"
    versions = [place.put(key, text)["VersionId"] for text in (b"1", b"22")]
    events = place.told(lambda event: event["detail"].get("object", {}).get("key") == key, 2)
    objects = sorted((event["detail"]["object"] for event in events), key=lambda found: found["sequencer"])
    assert [found["version-id"] for found in objects] == versions
    assert [found["size"] for found in objects] == [1, 2]


@law("stream-failures")
def a_change_that_a_function_never_takes_ends_in_the_queue(place: Place) -> None:
    name = f"record#poison-{uuid.uuid4().hex}"
    place.client("dynamodb").put_item(TableName=place.outputs["Table"], Item={"pk": {"S": name}, "sk": {"S": "1"}})
    queue = place.outputs["DeadLetters"]

    def letter() -> dict[str, Any] | None:
        for message in place.client("sqs").receive_message(QueueUrl=queue).get("Messages", []):
            body: dict[str, Any] = json.loads(message["Body"])
            place.client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            if "DDBStreamBatchInfo" in body:
                return body
        return None

    until(lambda: len(place.keys(f"changes/{name}/")) == 2, 6)
    assert until(letter, 10)["requestContext"]["condition"] == "RetryAttemptsExhausted"


@law("map-run-permissions")
def a_permission_may_name_a_map_run(place: Place) -> None:
    arn, _ = place.rounds(1)
    place.ended(arn)
    run = place.map_runs(arn)[0]["mapRunArn"]
    iam, name = place.client("iam"), f"reader{uuid.uuid4().hex}"
    iam.create_user(UserName=name)
    allowed = {"Effect": "Allow", "Action": ["states:DescribeMapRun", "states:ListExecutions"], "Resource": run}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_user_policy(UserName=name, PolicyName="read", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    session: Any = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name=place.engine.region)
    states = session.client("stepfunctions", endpoint_url=place.engine.endpoint)
    assert states.describe_map_run(mapRunArn=run)["mapRunArn"] == run
    assert states.list_executions(mapRunArn=run)["executions"]
    with pytest.raises(ClientError, match="AccessDenied"):
        states.describe_execution(executionArn=arn)


@law("machine-roles")
def a_state_machine_may_do_only_what_its_role_allows(place: Place) -> None:
    reader = place.outputs["Asker"].replace("Asker", "Reader")
    task = place.task()
    task["Arguments"]["FunctionName"] = reader
    told = place.run({"Call": task})
    assert told["error"] == "Lambda.AWSLambdaException"
    assert "not authorized to perform: lambda:InvokeFunction" in told["cause"]
    assert reader in told["cause"]


@pytest.mark.parametrize("patch", list(LAWS))
def test_it_holds_with_all_patches(place: Place, patch: str) -> None:
    for holds in LAWS[patch]:
        holds(place)


@pytest.mark.parametrize("patch", list(LAWS))
def test_it_does_not_hold_without_the_patch(tmp_path: Path, patch: str) -> None:
    with engine_without(tmp_path, patch) as place:
        for holds in LAWS[patch]:
            with pytest.raises(
                (AssertionError, BotoCoreError, ClientError, KeyError, TypeError, pytest.fail.Exception)
            ):
                holds(place)


def test_every_patch_has_a_law(tmp_path: Path) -> None:
    assert {patch.name for patch in patches.every(Store(tmp_path))} == set(LAWS) | set(ELSEWHERE)
