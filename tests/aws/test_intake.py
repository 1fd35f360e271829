"""Intake and watch: one execution for each upload that is work, and a reason for each that is not."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from typing import Any

import pytest

from fanfold import intake, watch
from fanfold.aws.stores import Stores
from fanfold.job import Job

DEFINITION = json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})
RECIPES = b"version: 1\nrecipes:\n  orders: {table: {output: csv}}\n"


@pytest.fixture
def machines(stores: Stores) -> dict[str, str]:
    role = "arn:aws:iam::123456789012:role/machine"
    client = stores.account.client("stepfunctions")
    made = client.create_state_machine(name="table", definition=DEFINITION, roleArn=role)
    return {"table": made["stateMachineArn"]}


def event(stores: Stores, key: str, body: bytes, sequencer: str = "01", **more: Any) -> dict[str, Any]:
    answer = stores.account.client("s3").put_object(Bucket="uploads", Key=key, Body=body, **more)
    made = {
        "key": key,
        "size": len(body),
        "etag": answer["ETag"].strip('"'),
        "version-id": answer["VersionId"],
        "sequencer": sequencer,
    }
    return {"detail-type": "Object Created", "detail": {"bucket": {"name": "uploads"}, "object": made}}


def executions(stores: Stores, machines: dict[str, str]) -> list[dict[str, Any]]:
    client = stores.account.client("stepfunctions")
    return list(client.list_executions(stateMachineArn=machines["table"])["executions"])


def input_of(stores: Stores, execution: dict[str, Any]) -> Job:
    found = stores.account.client("stepfunctions").describe_execution(executionArn=execution["executionArn"])
    return Job.from_json(json.loads(found["input"]))


def test_the_same_event_any_number_of_times_is_one_execution(stores: Stores, machines: dict[str, str]) -> None:
    events = [event(stores, key, b"a,b\n1,2\n") for key in ("x.csv", "y.csv", "z.csv")] * 10
    random.Random(2).shuffle(events)
    # Step Functions answers an equal name and input with the execution that runs, and later with a refusal.
    assert {intake.receive(one, stores, machines).outcome for one in events} <= {"started", "duplicate"}
    assert len(executions(stores, machines)) == 3


def test_a_new_version_is_a_new_job_and_the_stale_one_is_none(stores: Stores, machines: dict[str, str]) -> None:
    old = event(stores, "x.csv", b"a,b\n1,2\n", sequencer="01")
    new = event(stores, "x.csv", b"a,b\n3,4\n", sequencer="02")
    assert intake.receive(new, stores, machines).outcome == "started"
    late = intake.receive(old, stores, machines)
    assert (late.outcome, late.reason.partition(":")[0]) == ("ignored", "Superseded")
    assert len(executions(stores, machines)) == 1


def test_the_first_segment_of_the_key_names_the_recipe(stores: Stores, machines: dict[str, str]) -> None:
    stores.work.put(intake.RECIPES_KEY, RECIPES)
    for key, name, output in (("orders/2026/a.csv", "orders", "csv"), ("other/a.csv", "table", "jsonl")):
        decision = intake.receive(event(stores, key, b"a,b\n1,2\n"), stores, machines)
        job = next(found for one in executions(stores, machines) if (found := input_of(stores, one)).id == decision.job)
        assert (job.recipe_name, job.recipe.body.output, job.source.key) == (name, output, key)
        item = stores.jobs.get(decision.job)
        assert (item["recipe"], item["status"], item["source"]["key"]) == (name, "PENDING", key)


def test_the_upload_itself_can_set_the_chunk(stores: Stores, machines: dict[str, str]) -> None:
    made = event(stores, "x.csv", b"a,b\n1,2\n", Metadata={"fanfold-chunk": "64KiB"})
    intake.receive(made, stores, machines)
    assert input_of(stores, executions(stores, machines)[0]).recipe.body.chunk == 64 << 10


@pytest.mark.parametrize(
    ("key", "body", "metadata", "reason"),
    [
        ("folder/", b"", {}, "EmptyObject: 'folder/' is a folder marker"),
        ("empty.csv", b"", {}, "EmptyObject: 'empty.csv' is an object of 0 bytes"),
        ("paper.csv", b"%PDF-1.7\n\x00\x00", {}, "UnknownFormat: 'paper.csv' is no image or table or video"),
        ("photo.csv", b"\x89PNG\r\n\x1a\n\x00\x00", {}, "UnknownFormat: 'photo.csv' is for the kind image; the stack"),
        (
            "x.csv",
            b"a,b\n1,2\n",
            {"fanfold-chunk": "big"},
            "RecipeError: the chunk that takes the recipe's place: table.chunk: a size is",
        ),
    ],
)
def test_what_is_no_work_is_recorded_with_its_reason(
    stores: Stores, machines: dict[str, str], key: str, body: bytes, metadata: dict[str, str], reason: str
) -> None:
    decision = intake.receive(event(stores, key, body, Metadata=metadata), stores, machines)
    assert decision.outcome == "ignored"
    assert decision.reason.startswith(reason)
    item = stores.jobs.get(stores.jobs.of_object("uploads", key)["job"])
    assert item["status"] == "IGNORED"
    assert reason.endswith(item["error"]["message"]) or item["error"]["message"].startswith(reason.split(": ", 1)[1])
    assert executions(stores, machines) == []


def test_an_object_that_is_gone_is_no_work(stores: Stores, machines: dict[str, str]) -> None:
    made = event(stores, "x.csv", b"a,b\n1,2\n")
    version = made["detail"]["object"]["version-id"]
    stores.account.client("s3").delete_object(Bucket="uploads", Key="x.csv", VersionId=version)
    assert intake.receive(made, stores, machines).reason.startswith("SourceGone")


@pytest.mark.parametrize(
    "key",
    [
        "a b.csv",
        "a+b.csv",
        "a%2Fb.csv",
        "'\"quo\"te'.csv",
        "new\nline.csv",
        "\N{SNOWMAN}\N{GRINNING FACE}.csv",
        "../../up.csv",
    ],
)
def test_a_key_is_opaque(stores: Stores, machines: dict[str, str], key: str) -> None:
    intake.receive(event(stores, key, b"a,b\n1,2\n"), stores, machines)
    job = input_of(stores, executions(stores, machines)[0])
    assert job.source.key == key
    assert job.output_key("rows.csv") == f"table/{key}/rows.csv"


def status(job: Job, name: str, status: str, start: int, **more: Any) -> dict[str, Any]:
    detail = {
        "executionArn": f"arn:aws:states:us-east-1:123456789012:execution:table:{name}",
        "name": name,
        "status": status,
        "startDate": start,
        "input": json.dumps(job.to_json()),
        "redriveCount": 0,
    }
    return {"detail": detail | more}


def test_the_jobs_table_follows_the_status_of_the_executions(stores: Stores, machines: dict[str, str]) -> None:
    intake.receive(event(stores, "x.csv", b"a,b\n1,2\n"), stores, machines)
    job = input_of(stores, executions(stores, machines)[0])
    stores.jobs.claim(job, 900)
    summary = {"job": job.id, "status": "PARTIAL", "chunks": {"planned": 2}, "stats": {"rows": 1}, "result": "s3://o/r"}
    ended = status(job, "e1", "SUCCEEDED", 1000, stopDate=61_000, output=json.dumps(summary))
    assert watch.observe(ended, stores)
    assert not watch.observe(status(job, "e1", "RUNNING", 1000), stores)
    found = stores.jobs.get(job.id)
    assert {name: found[name] for name in ("status", "chunks", "stats", "result", "stopped")} == {
        "status": "PARTIAL",
        "chunks": {"planned": 2},
        "stats": {"rows": 1},
        "result": "s3://o/r",
        "stopped": "1970-01-01T00:01:01.000Z",
    }
    assert "holder" not in stores.jobs.of_object("uploads", "x.csv")


def test_an_event_that_was_lost_is_made_again_of_the_execution_itself(stores: Stores, machines: dict[str, str]) -> None:
    intake.receive(event(stores, "x.csv", b"a,b\n1,2\n"), stores, machines)
    job = input_of(stores, executions(stores, machines)[0])
    heard = status(
        job, "e1", "SUCCEEDED", 1_700_000_000_123, stopDate=1_700_000_009_456, output='{"status": "SUCCEEDED"}'
    )
    detail = heard["detail"]
    described = detail | {name: datetime.fromtimestamp(detail[name] / 1000, UTC) for name in ("startDate", "stopDate")}
    made = watch.event_of(described)
    assert made["detail"] == {name: detail[name] for name in made["detail"]}
    assert watch.observe(made, stores)
    assert stores.jobs.get(job.id)["stopped"] == "2023-11-14T22:13:29.456Z"
