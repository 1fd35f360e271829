"""The functions of the app: they do what they are told, count it in S3, and fail while a switch says so."""

import json
import os
import time
import uuid
from typing import Any

import boto3

s3 = boto3.client("s3")
BUCKET = os.environ.get("BUCKET", "")
STARTED = uuid.uuid4().hex


class TransientError(Exception):
    """Worth another try."""


class PoisonError(Exception):
    """Not worth another try."""


def put(key: str, body: bytes = b"") -> None:
    s3.put_object(Bucket=BUCKET, Key=key, Body=body)


def exists(prefix: str) -> bool:
    return bool(s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix, MaxKeys=1).get("Contents"))


def handler(event: Any, context: Any) -> Any:
    return DOINGS[event["do"]](event, context)


def split(event: dict[str, Any], context: Any) -> dict[str, Any]:
    fail(event["job"], "split")
    lines = [json.dumps({"id": number, "text": "\u2028"}, ensure_ascii=False) for number in range(event["lines"])]
    put(f"plans/{event['job']}/0.jsonl", "\n".join(lines).encode())
    put(f"calls/{event['job']}/split/{uuid.uuid4().hex}")
    return {**event, "plan": f"plans/{event['job']}/0.jsonl", "round": 0, "again": False}


def work(event: dict[str, Any], context: Any) -> dict[str, Any]:
    name = f"work-{event['round']}-{event['line']['id']}"
    assert event["place"] == event["line"]["id"]
    put(f"calls/{event['job']}/{name}/{uuid.uuid4().hex}")
    fail(event["job"], name)
    return {"did": name}


def merge(event: dict[str, Any], context: Any) -> dict[str, Any]:
    number = event["round"]
    put(f"calls/{event['job']}/merge-{number}/{uuid.uuid4().hex}")
    fail(event["job"], f"merge-{number}")
    if number >= event.get("rounds", 0):
        return {**event, "again": False}
    plan = f"plans/{event['job']}/{number + 1}.jsonl"
    put(plan, b'{"id": 0}\n{"id": 1}\n')
    return {**event, "again": True, "round": number + 1, "plan": plan}


def fail(job: str, name: str) -> None:
    """Fail as the object switches/<job>/<name> says, as often as it says."""
    key = f"switches/{job}/{name}"
    if not exists(key):
        return
    switch = json.loads(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    switch["times"] -= 1
    if switch["times"]:
        put(key, json.dumps(switch).encode())
    else:
        s3.delete_object(Bucket=BUCKET, Key=key)
    DOINGS[switch["do"]](switch, None)


def poison(event: dict[str, Any], context: Any) -> None:
    raise PoisonError("this can never work")


def transient(event: dict[str, Any], context: Any) -> None:
    raise TransientError("try again")


def end(event: dict[str, Any], context: Any) -> None:
    os._exit(3)


def sleep(event: dict[str, Any], context: Any) -> str:
    time.sleep(event["seconds"])
    return "slept"


def echo(event: dict[str, Any], context: Any) -> Any:
    return event.get("value")


def log(event: dict[str, Any], context: Any) -> str:
    print(event["text"])  # noqa: T201
    return STARTED


def large(event: dict[str, Any], context: Any) -> str:
    return "x" * event["bytes"]


def write(event: dict[str, Any], context: Any) -> None:
    put(event["key"])


def family(event: dict[str, Any], context: Any) -> list[int]:
    return [os.getpid(), os.getppid()]


def count(event: dict[str, Any], context: Any) -> str:
    """Say that this process was here."""
    put(f"processes/{event['job']}/{STARTED}")
    time.sleep(event.get("seconds", 0))
    return STARTED


DOINGS = {
    found.__name__: found
    for found in (split, work, merge, poison, transient, end, sleep, echo, log, large, write, family, count)
}


def ask(event: dict[str, Any], context: Any) -> Any:
    """Ask Probe, or first itself as often as it is told to, and answer what is answered."""
    times = event.pop("itself", 0)
    function = context.function_name if times else os.environ["PROBE"]
    asked = {**event, "itself": times - 1} if times else event
    answer = boto3.client("lambda").invoke(FunctionName=function, Payload=json.dumps(asked))
    return json.loads(answer["Payload"].read())


def read(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Take the letters but those that say `poison`."""
    for record in event["Records"]:
        put(f"letters/{record['body']}/{uuid.uuid4().hex}")
    return _failed([record["messageId"] for record in event["Records"] if "poison" in record["body"]])


def follow(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Take the changes up to the first whose key says `poison`."""
    failed = []
    for record in event["Records"]:
        name = record["dynamodb"]["Keys"]["pk"]["S"]
        put(f"changes/{name}/{uuid.uuid4().hex}")
        if "poison" in name:
            failed.append(record["dynamodb"]["SequenceNumber"])
            break
    return _failed(failed)


def _failed(identifiers: list[str]) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in identifiers]}
