"""The state machine in a loop: what Step Functions does with the answers of the steps, without retries."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

from fanfold import steps
from fanfold.aws.stores import Stores
from fanfold.errors import FanfoldError
from fanfold.job import Job

Worker = Callable[[dict[str, Any], Stores], dict[str, Any]]


class MapFailed(Exception):
    """More chunks failed than the round tolerates."""


def run(job: Job, stores: Stores, execution: str = "first") -> dict[str, Any]:
    """Run a job from Split to its summary; raise what ends the execution."""
    return resume(steps.split(job.to_json() | {"execution": execution}, stores), stores)


def resume(round: dict[str, Any], stores: Stores) -> dict[str, Any]:
    """Go on from a round, as a redrive of its Map would."""
    while round["again"]:
        round = once(round, stores)
    return round


def once(round: dict[str, Any], stores: Stores) -> dict[str, Any]:
    """Work on the lines of a round, and merge it."""
    return steps.merge(mapped(round, stores), stores)


def worked(event: dict[str, Any], stores: Stores) -> dict[str, Any]:
    """Answer as the worker of a line does."""
    step = steps.index if event["line"]["role"] == steps.INDEX else steps.work
    return step(event, stores)


def mapped(round: dict[str, Any], stores: Stores, worked: Worker = worked) -> dict[str, Any]:
    """Work on the lines of a round; return what its Map hands on to Merge."""
    lines = [json.loads(text) for text in stores.work.get(round["plan"]).splitlines()]
    rows: dict[str, list[dict[str, Any]]] = {"SUCCEEDED": [], "FAILED": []}
    for line in lines:
        event = {"job": round["job"], "execution": round["execution"], "line": line}
        row = {"Input": json.dumps(event), "InputDetails": {"Included": True}, "Name": line["id"]}
        try:
            answer = worked(event | {"attempt": 1}, stores)
        except FanfoldError as error:
            rows["FAILED"].append(row | {"Status": "FAILED", "Error": type(error).__name__, "Cause": str(error)})
            if len(rows["FAILED"]) > round["tolerated_failures"]:
                raise MapFailed(line["id"]) from error
        else:
            rows["SUCCEEDED"].append(row | {"Status": "SUCCEEDED", "Output": json.dumps(answer)})
    return round | {"manifest": written(stores, round["job"], rows)} if lines else round


def written(stores: Stores, job_id: str, rows: dict[str, list[dict[str, Any]]]) -> str:
    """Write the results of a Map Run's children as its ResultWriter does; return the key of the manifest.

    (https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html)
    """
    put, bucket = stores.work.client.put_object, stores.work.name
    folder = f"jobs/{job_id}/map/{uuid.uuid4()}"
    files: dict[str, list[dict[str, Any]]] = {"FAILED": [], "PENDING": [], "SUCCEEDED": []}
    for status, found in rows.items():
        if found:
            key = f"{folder}/{status}_0.jsonl"
            body = "".join(json.dumps(row) + "\n" for row in found).encode()
            put(Bucket=bucket, Key=key, Body=body)
            files[status].append({"Key": key, "Size": len(body)})
    manifest = {"DestinationBucket": bucket, "MapRunArn": "arn:map-run", "ResultFiles": files}
    put(Bucket=bucket, Key=f"{folder}/manifest.json", Body=json.dumps(manifest).encode())
    return f"{folder}/manifest.json"
