"""Roles against what the functions do: a whole job, watched call by call.

The engine enforces the same roles over HTTP. This is the other half: nothing is allowed that no function does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.stub import Stubber
from moto import mock_aws

from fanfold import intake, publishing, steps, watch
from fanfold.aws import rekognition, transcribe
from fanfold.aws.objects import PART_MIN_BYTES
from fanfold.aws.stores import Stores
from fanfold.errors import SourceGone, TransientError
from fanfold.job import Job
from fanfold.kinds.video.speech import whisper
from fanfold.model import Copied, ObjectRef
from fanfold.speech import RATE, SAMPLE_BYTES, Word
from tests.fakes import FakeTranscribe, made_stores, rekognition_answer, table_recipe
from tests.kinds.image.pictures import picture, saved
from tests.kinds.video.clips import clip
from tests.stack import template
from tests.stack.calls import ACCOUNT, MACHINE_ARNS, Need, Watched, allowed
from tests.steps import machine

EXECUTION_ARN = f"arn:aws:states:{ACCOUNT}:execution:table:orders-a"
NOW = datetime(2026, 1, 1, tzinfo=UTC)

RECIPES = b"""
version: 1
recipes:
  orders: {table: {chunk: 64KiB, index: {partition: id}}}
  large: {table: {output: csv}}
  photos: {image: {tiles: {size: 64}, recognise: {engine: rekognition}}}
  talks:
    video:
      segment: 1s
      renditions: [{name: live, format: hls}, {name: web, audio: opus}]
      posters: {every: 1s}
      transcript: {}
  german: {video: {transcript: {language: de, engine: transcribe}}}
"""

SMALL = b"id,at\n" + b"".join(b"%d,2026-01-01\n" % number for number in range(20))
LARGE = b"id,text\n" + b"".join(b"%d,%s\n" % (number, b"x" * 1000) for number in range(6000))

PHOTO = saved(picture(300, 200), "PNG")
SMALLER_PHOTO = saved(picture(90, 60), "PNG")

TALKS = [clip("plain.mp4", seconds) for seconds in (4, 2)]

# What no function calls: Lambda reads the stream in the function's name, and but for Merge, which lists, the right to
# list is there to make S3 answer 404.
NEVER_CALLED = {
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
    "s3:ListBucket",
}

UNVERSIONED = ("s3:GetObject", "arn:aws:s3:::uploads/*")
VERSIONED = ("s3:GetObjectVersion", "arn:aws:s3:::uploads/*")

VIDEO_READERS = ("VideoSplit", "VideoDescribe", "VideoEncode")

# What roles allow beyond the calls of these jobs, and why.
BESIDES: dict[str, dict[Need, str]] = {
    **{
        function: {UNVERSIONED: "an operator may suspend the versioning of uploads"}
        for function in ("Intake", "TableSplit", "TableRows", "ImageSplit", "ImagePixels", *VIDEO_READERS)
    },
    "TableMerge": {
        UNVERSIONED: "Merge scans the span of a chunk that failed before it noted where its rows lie",
        VERSIONED: "the same",
    },
    "ImageRecognise": {
        UNVERSIONED: "a large TIFF, or JPEG with restart markers, is read where it lies",
        VERSIONED: "the same",
    },
}


class Talker:
    """Hears as many words as there are seconds, where the model would have to listen."""

    def words(self, sound: bytes, language: str) -> list[Word]:
        seconds = len(sound) // (RATE * SAMPLE_BYTES)
        return [Word(f"word{at}", at * 1000, at * 1000 + 500, 1.0) for at in range(seconds)]


SIGN = rekognition_answer("Pizza")
"""What Rekognition reads in the first photo; in the second it reads nothing, so that the word's record goes."""


@pytest.fixture
def stores(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stores]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        made = made_stores()
        client = made.account.client("rekognition")
        monkeypatch.setattr(rekognition, "recogniser", lambda: rekognition.Rekognition(client))
        service = FakeTranscribe(made)
        hears = transcribe.Transcribe(service.client, made.work, sleep=lambda seconds: None)
        monkeypatch.setattr(transcribe, "transcriber", lambda: hears)
        with Stubber(client) as stub:
            for text in (SIGN, {"TextDetections": []}):
                stub.add_response("detect_text", text)
                stub.add_response("detect_faces", {"FaceDetails": []})
            yield made


def upload(stores: Stores, key: str, body: bytes) -> dict[str, Any]:
    answer = stores.account.client("s3").put_object(Bucket="uploads", Key=key, Body=body)
    made = {"key": key, "size": len(body), "etag": answer["ETag"], "version-id": answer["VersionId"], "sequencer": "1"}
    return {"detail": {"bucket": {"name": "uploads"}, "object": made}}


def take_in(stores: Stores, watched: Watched, event: dict[str, Any]) -> dict[str, Any]:
    """Run Intake over an event; return the input of the execution that it starts."""
    with Stubber(stores.account.client("stepfunctions")) as stub, watched.as_function("Intake"):
        stub.add_response("start_execution", {"executionArn": EXECUTION_ARN, "startDate": NOW})
        decision = intake.receive(event, stores, MACHINE_ARNS)
    assert decision.outcome == "started"
    made = event["detail"]["object"]
    ref = ObjectRef("uploads", made["key"], made["size"], made["etag"].strip('"'), made["version-id"])
    name, recipe = intake.current_recipe(Job(ref, "", table_recipe()), stores)
    return Job(ref, name, recipe, "1").to_json()


def run(stores: Stores, watched: Watched, told: dict[str, Any]) -> dict[str, Any]:
    """Run a job from Split to its summary, each step as its function."""
    kind = Job.from_json(told).kind
    split, merge = f"{kind.capitalize()}Split", f"{kind.capitalize()}Merge"
    with watched.as_function(split):
        answer = steps.split(told | {"execution": EXECUTION_ARN}, stores)

    def worked(event: dict[str, Any], stores: Stores) -> dict[str, Any]:
        with watched.as_function(kind.capitalize() + event["line"]["role"].capitalize()):
            return machine.worked(event, stores)

    while answer["again"]:
        answer = machine.mapped(answer, stores, worked)
        with watched.as_function(merge):
            answer = steps.merge(answer, stores)
    return answer


def fail_an_output(stores: Stores, watched: Watched) -> None:
    """Let Merge begin an output of several parts, of which one is gone, and Index one that is gone."""
    lost = Copied("jobs/lost/part", 0, PART_MIN_BYTES)
    for function in ("TableMerge", "ImageMerge", "VideoMerge"):
        with watched.as_function(function), pytest.raises(SourceGone):
            stores.outputs.assemble("orders/a.csv/lost", [lost, b"x"], stores.work, "text/plain")
    with watched.as_function("VideoIndex"), pytest.raises(SourceGone):
        stores.outputs.copy("talks/a.mp4/lost", lost, stores.work, "video/mp4")


def ask_who_holds(stores: Stores, watched: Watched, job: Job) -> None:
    """Let Merge and Index find the right to publish in another's hands, so that they ask whose."""
    stores.jobs.claim(job, 900)
    other = Job(job.source, "orders", table_recipe(output="csv"), job.sequencer)
    for function in ("TableMerge", "TableIndex", "ImageMerge", "ImageIndex", "VideoMerge", "VideoIndex"):
        with watched.as_function(function), pytest.raises(TransientError, match="is publishing"):
            stores.jobs.claim(other, 900)


def end(stores: Stores, watched: Watched, told: dict[str, Any]) -> None:
    """Let Watch hear that the execution failed in one of its chunks."""
    kind = Job.from_json(told).kind
    execution, child = (f"arn:aws:states:{ACCOUNT}:execution:{kind}{name}" for name in (":a", "/Chunk:1b2c"))
    failed = {"status": "FAILED", "startDate": NOW, "stateMachineArn": MACHINE_ARNS[kind]}
    counts = dict.fromkeys(
        ("pending", "running", "succeeded", "failed", "timedOut", "aborted", "total", "resultsWritten"), 0
    )
    map_run = f"arn:aws:states:{ACCOUNT}:mapRun:{kind}/Chunk:1b2c"
    run_of = {"mapRunArn": map_run, "executionArn": execution, "startDate": NOW}
    with Stubber(stores.account.client("stepfunctions")) as stub, watched.as_function("Watch"):
        stub.add_response(
            "describe_execution",
            failed | {"executionArn": execution, "error": "States.ExceedToleratedFailureThreshold"},
        )
        stub.add_response("list_map_runs", {"mapRuns": [run_of | {"stateMachineArn": MACHINE_ARNS[kind]}]})
        limits = {"maxConcurrency": 1, "toleratedFailurePercentage": 0.0, "toleratedFailureCount": 0}
        described = {"itemCounts": counts, "executionCounts": counts, "status": "FAILED"}
        stub.add_response("describe_map_run", run_of | limits | described)
        found = {"executionArn": child, "name": "1b2c"}
        stub.add_response("list_executions", {"executions": [failed | found]})
        stub.add_response("describe_execution", failed | found | {"error": "InvalidInput", "cause": "no"})
        detail = {"executionArn": execution, "status": "FAILED", "startDate": 1, "input": json.dumps(told)}
        assert watch.observe({"detail": detail}, stores)


def change(stores: Stores, watched: Watched) -> None:
    """Let Totals hear of a new record."""
    image = {"totals": {"L": [{"L": [{"S": "by"}, {"S": "a"}, {"N": "1"}]}]}}
    with watched.as_function("Totals"):
        keys = {"pk": {"S": "record#orders#a"}}
        stores.totals.apply([{"eventID": "1", "dynamodb": {"Keys": keys, "NewImage": image, "SequenceNumber": "1"}}])


@pytest.fixture
def watched(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """Return what each function called while jobs were taken in, repaired, indexed, published and failed."""
    monkeypatch.setattr(whisper, "transcriber", Talker)
    found = Watched(stores)
    stores.work.put(intake.RECIPES_KEY, RECIPES)
    told = take_in(stores, found, upload(stores, "large/a.csv", LARGE))
    assert run(stores, found, told)["status"] == "SUCCEEDED"
    told = take_in(stores, found, upload(stores, "orders/a.csv", SMALL))
    # As an older job left them: Merge deletes what is stale.
    stores.outputs.put(Job.from_json(told).output_key("result.json"), b'{"outputs": [{"name": "rows.csv"}]}')
    assert run(stores, found, told)["status"] == "SUCCEEDED"
    # A version with other keys: those of the first are swept.
    told = take_in(stores, found, upload(stores, "orders/a.csv", SMALL.replace(b"1", b"2")))
    assert run(stores, found, told)["status"] == "SUCCEEDED"
    job = Job.from_json(told)
    for photo in (PHOTO, SMALLER_PHOTO):  # the second has fewer tiles, and those of the first are deleted
        told_of_photo = take_in(stores, found, upload(stores, "photos/a.png", photo))
        assert run(stores, found, told_of_photo)["status"] == "SUCCEEDED"
    for talk in TALKS:
        told_of_talk = take_in(stores, found, upload(stores, "talks/a.mp4", talk))
        # As another one left it that did not live to publish: Merge reads what is on it, and deletes that.
        publishing.placed(stores, Job.from_json(told_of_talk)).write("lost", [("live/lost/00000.m4s",)])
        assert run(stores, found, told_of_talk)["status"] == "SUCCEEDED"
    told_of_german = take_in(stores, found, upload(stores, "german/a.mp4", TALKS[0]))
    assert run(stores, found, told_of_german)["status"] == "SUCCEEDED"
    fail_an_output(stores, found)
    ask_who_holds(stores, found, job)
    for ended in (told, told_of_photo, told_of_talk):
        end(stores, found, ended)
    change(stores, found)
    return found


def test_the_roles_allow_what_the_functions_do_and_nothing_that_they_never_do(watched: Watched) -> None:
    assert set(watched.needed) == set(template.FUNCTIONS)
    for function in template.FUNCTIONS:
        assert watched.denied(function) == set(), function
        idle = {need for need in watched.idle(function) if need[0] not in NEVER_CALLED}
        assert idle == set(BESIDES.get(function, {})), function


@pytest.mark.parametrize("function", template.FUNCTIONS)
def test_a_function_may_list_exactly_the_buckets_that_it_reads(function: str) -> None:
    """Without the right S3 answers 403, not 404, for a key that is not there."""
    needs = allowed(function)
    read = {arn.partition("/")[0] for action, arn in needs if action == "s3:GetObject"}
    assert {arn for action, arn in needs if action == "s3:ListBucket"} == read


def test_a_call_outside_a_role_is_seen(stores: Stores) -> None:
    """The watch itself can fail: each function, made to do what another may, is denied it."""
    found = Watched(stores)
    for function in template.FUNCTIONS:
        with found.as_function(function):
            stores.outputs.put("orders/a.csv/rows.csv", b"")
        denied = {("s3:PutObject", "arn:aws:s3:::outputs/orders/a.csv/rows.csv")}
        assert found.denied(function) == (set() if function.endswith("Merge") or function == "VideoIndex" else denied)
