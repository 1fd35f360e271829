"""Uploads by any S3 client on the engine: each starts exactly one job, or says why it starts none."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import pytest

from fanfold import replay
from fanfold.aws.account import Account
from fanfold.aws.stack import Stack
from fanfold.engine import Engine

BODY = b"id,name\n1,x\n"


@pytest.fixture(scope="module")
def stack(engine: Engine) -> Stack:
    return Stack.find(Account(region=engine.region, endpoint=engine.endpoint), engine.stack)


def put(stack: Stack, key: str, body: bytes) -> str:
    answer = stack.account.client("s3").put_object(Bucket=stack.uploads, Key=key, Body=body)
    return str(answer["VersionId"])


def taken(stack: Stack, key: str, version: str) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while (known := stack.stores.jobs.of_object(stack.uploads, key)).get("version") != version:
        assert time.monotonic() < deadline, f"{key!r} was not taken"
        time.sleep(0.05)
    return replay.wait(stack, known["job"])


@pytest.mark.parametrize(
    "key",
    [
        "plain.csv",
        "a b+c%2Fd.csv",
        "../../up.csv",
        "a//b/./c.csv",
        "'\"quo\"te'.csv",
        "new\nline.csv",
        "\N{SNOWMAN}/\N{GRINNING FACE}.csv",
        "?query=1&x#y.csv",
        "~$[]{}|^`\\.csv",
    ],
)
def test_a_key_is_opaque_from_the_event_to_the_output(stack: Stack, key: str) -> None:
    item = taken(stack, key, put(stack, key, BODY))
    assert (item["status"], item["source"]["key"]) == ("SUCCEEDED", key), item
    prefix = f"table/{key}/"
    client = stack.account.client("s3")
    listed = client.list_objects_v2(Bucket=stack.stores.outputs.name, Prefix=prefix)["Contents"]
    assert {found["Key"] for found in listed} == {
        prefix + name for name in ("rows.jsonl", "rejects.jsonl", "result.json")
    }
    assert stack.stores.outputs.get(prefix + "rows.jsonl") == b'{"id":1,"name":"x"}\n'


@pytest.mark.parametrize(("key", "what"), [("folder/", "a folder marker"), ("zero.csv", "an object of 0 bytes")])
def test_what_has_no_bytes_is_ignored_with_a_reason(stack: Stack, key: str, what: str) -> None:
    item = taken(stack, key, put(stack, key, b""))
    assert (item["status"], item["error"]["name"]) == ("IGNORED", "EmptyObject")
    assert what in item["error"]["message"]
    assert "execution" not in item


def executions(stack: Stack, key: str) -> list[str]:
    word = key.partition(".")[0]
    pages = stack.account.client("stepfunctions").get_paginator("list_executions")
    found = pages.paginate(stateMachineArn=stack.machines["table"])
    return [one["name"] for page in found for one in page["executions"] if word in one["name"]]


def event(stack: Stack, key: str, version: str, body: bytes, sequencer: str) -> str:
    head = stack.account.client("s3").head_object(Bucket=stack.uploads, Key=key, VersionId=version)
    made = {
        "key": key,
        "size": len(body),
        "etag": head["ETag"].strip('"'),
        "version-id": version,
        "sequencer": sequencer,
    }
    return json.dumps({"detail-type": "Object Created", "detail": {"bucket": {"name": stack.uploads}, "object": made}})


def test_the_same_event_ten_times_shuffled_is_still_one_job(stack: Stack) -> None:
    key = "ten-times.csv"
    version = put(stack, key, BODY)
    item = taken(stack, key, version)
    queue = stack.account.client("sqs")
    other = put(stack, "meanwhile.csv", BODY)
    events = [event(stack, key, version, BODY, item["sequencer"])] * 10
    events += [event(stack, "meanwhile.csv", other, BODY, "FFFF")] * 3
    random.Random(3).shuffle(events)
    for body in events:
        queue.send_message(QueueUrl=stack.queues["IntakeQueue"], MessageBody=body)
    taken(stack, "meanwhile.csv", other)
    deadline = time.monotonic() + 30
    while _waiting(stack):
        assert time.monotonic() < deadline, "the queue is not empty"
        time.sleep(0.1)
    assert len(executions(stack, key)) == 1
    assert stack.stores.jobs.get(item["job"])["status"] == "SUCCEEDED"


def _waiting(stack: Stack) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = stack.account.client("sqs").get_queue_attributes(QueueUrl=stack.queues["IntakeQueue"], AttributeNames=names)
    return sum(int(found["Attributes"][name]) for name in names)


def test_a_new_version_is_a_new_job_and_a_late_event_of_the_old_one_is_none(stack: Stack) -> None:
    key = "versions.csv"
    old = put(stack, key, BODY)
    first = taken(stack, key, old)
    new = put(stack, key, b"id,name\n2,y\n")
    second = taken(stack, key, new)
    assert first["job"] != second["job"]
    assert first["sequencer"] < second["sequencer"]
    late = event(stack, key, old, BODY, first["sequencer"])
    stack.account.client("sqs").send_message(QueueUrl=stack.queues["IntakeQueue"], MessageBody=late)
    deadline = time.monotonic() + 30
    while _waiting(stack):
        assert time.monotonic() < deadline, "the queue is not empty"
        time.sleep(0.1)
    assert len(executions(stack, key)) == 2
    assert stack.stores.outputs.get(f"table/{key}/rows.jsonl") == b'{"id":2,"name":"y"}\n'


def test_an_event_that_cannot_be_read_ends_as_a_dead_letter_and_others_go_on(stack: Stack) -> None:
    """What is poison is given back to the queue; the good event in the same batch runs."""
    queue = stack.account.client("sqs")
    queue.send_message(QueueUrl=stack.queues["IntakeQueue"], MessageBody=json.dumps({"detail": {}}))
    assert taken(stack, "beside.csv", put(stack, "beside.csv", BODY))["status"] == "SUCCEEDED"
    queue.purge_queue(QueueUrl=stack.queues["IntakeQueue"])
