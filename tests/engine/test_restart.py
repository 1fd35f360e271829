"""What an engine knew before its end, it knows after its next start."""

from __future__ import annotations

import os
import signal
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from fanfold import engine as engines
from tests.engine.conftest import engine_without
from tests.engine.place import APP, Place, until


def follows(place: Place, name: str) -> bool:
    """Tell whether the stream's consumer sees a new record within some seconds."""
    place.client("dynamodb").put_item(TableName=place.outputs["Table"], Item={"pk": {"S": name}, "sk": {"S": "1"}})
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline:
        if place.keys(f"changes/{name}/"):
            return True
        time.sleep(0.1)
    return False


def test_everything_survives_down_and_up(tmp_path: Path) -> None:
    place = Place(engines.up(tmp_path, folder=APP))
    text = uuid.uuid4().hex
    place.invoke(do="log", text=text)
    body = os.urandom(300_000)
    versions = [place.put("versioned", version)["VersionId"] for version in (b"first", body)]
    upload = place.s3.create_multipart_upload(Bucket=place.bucket, Key="unfinished")["UploadId"]
    part = place.s3.upload_part(
        Bucket=place.bucket, Key="unfinished", UploadId=upload, PartNumber=1, Body=os.urandom(5 << 20)
    )
    table = place.outputs["Table"]
    place.client("dynamodb").put_item(TableName=table, Item={"pk": {"S": "a"}, "sk": {"S": "b"}, "n": {"N": "1.5"}})
    place.client("sqs").send_message(QueueUrl=place.outputs["DeadLetters"], MessageBody="letter")
    assert follows(place, "record#before")
    done, job = place.rounds(3)
    place.ended(done)
    history = place.history(done)
    runs = place.map_runs(done)
    running, slow = place.rounds(2, fails={"work-0-1": {"do": "sleep", "seconds": 2, "times": 1}})
    until(lambda: place.calls(slow)["work-0-1"])
    outputs = place.outputs

    engines.down(tmp_path)
    place = Place(engines.up(tmp_path, folder=APP))
    try:
        assert place.outputs == outputs
        assert [place.get("versioned", VersionId=version) for version in versions] == [b"first", body]
        assert place.get("versioned") == body
        parts = {"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]}
        place.s3.complete_multipart_upload(
            Bucket=place.bucket, Key="unfinished", UploadId=upload, MultipartUpload=parts
        )
        item = place.client("dynamodb").get_item(TableName=table, Key={"pk": {"S": "a"}, "sk": {"S": "b"}})["Item"]
        assert item["n"] == {"N": "1.5"}
        queue = place.outputs["DeadLetters"]
        assert place.client("sqs").receive_message(QueueUrl=queue)["Messages"][0]["Body"] == "letter"
        assert place.history(done) == history
        assert [run["itemCounts"] for run in place.map_runs(done)] == [run["itemCounts"] for run in runs]
        assert place.calls(job)["merge-0"] == 1
        logged = place.client("logs").filter_log_events(
            logGroupName=f"/aws/lambda/{place.outputs['Probe']}", filterPattern=f'"{text}"'
        )["events"]
        assert [event["message"] for event in logged] == [text]
        _comes_back_aborted(place, running, slow)
        assert follows(place, "record#after")
    finally:
        engines.down(tmp_path)


def _comes_back_aborted(place: Place, arn: str, job: str) -> None:
    """What ran at the engine's end is ABORTED, tells of it, and is redriven."""
    told = place.states.describe_execution(executionArn=arn)
    assert (told["status"], told["redriveStatus"]) == ("ABORTED", "REDRIVABLE")
    [run] = place.map_runs(arn)
    assert run["status"] == "ABORTED"
    assert run["itemCounts"]["running"] == 0

    def wanted(event: dict[str, Any]) -> bool:
        return event["detail"].get("executionArn") == arn and event["detail"]["status"] == "ABORTED"

    assert place.told(wanted)
    place.states.redrive_execution(executionArn=arn)
    assert place.ended(arn)["status"] == "SUCCEEDED"
    assert place.calls(job)["work-0-0"] == 1
    assert place.calls(job)["merge-0"] == 1


def test_a_killed_engine_loses_little(tmp_path: Path) -> None:
    engine = engines.up(tmp_path, folder=APP)
    place = Place(engine)
    arn, _ = place.rounds(2)
    place.ended(arn)
    until(lambda: '"status": "SUCCEEDED"' in (tmp_path / "state" / "current" / "stepfunctions.json").read_text())
    os.kill(engine.pid, signal.SIGKILL)
    os.waitpid(engine.pid, 0)
    with engines.session(tmp_path, folder=APP) as again:
        place = Place(again)
        assert place.states.describe_execution(executionArn=arn)["status"] == "SUCCEEDED"
        assert place.keys("plans/")


def test_objects_that_are_gone_leave_the_disk(tmp_path: Path) -> None:
    with engines.session(tmp_path, folder=APP) as engine:
        place = Place(engine)
        version = place.put("large", os.urandom(1 << 20))["VersionId"]
        assert list((tmp_path / "objects").iterdir())
        place.s3.delete_object(Bucket=place.bucket, Key="large", VersionId=version)
    assert not list((tmp_path / "objects").iterdir())


@pytest.mark.parametrize("patch", ["objects-kept", "streams-kept"])
def test_without_the_patch_something_is_lost(tmp_path: Path, patch: str) -> None:
    with engine_without(tmp_path, patch) as place:
        place.put("kept", b"kept")
        assert follows(place, "record#before")
    with engine_without(tmp_path, patch) as place:
        if patch == "objects-kept":
            assert not place.keys("kept")
        else:
            assert not follows(place, "record#after")
