"""Step Functions: what a Map Run's ResultWriter leaves in S3.

(https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html)
"""

from __future__ import annotations

import json
from typing import Any

from ministack.services import stepfunctions as sf

STATUSES = {"SUCCEEDED": "SUCCEEDED", "FAILED": "FAILED", "TIMED_OUT": "FAILED", "ABORTED": "PENDING"}
"""Into which file a child of each status goes."""


def write(
    found: dict[str, Any], children: list[dict[str, Any]], target: dict[str, Any], config: dict[str, Any]
) -> dict[str, Any]:
    """Write the children's results and the manifest below `target`; return what the state's result says of them.

    Raises _ExecutionError States.ResultWriterFailed.
    """
    transformation = config.get("Transformation", "NONE")
    if transformation != "NONE":
        cause = f"this engine's ResultWriter knows no Transformation {transformation!r}, only NONE"
        raise sf._ExecutionError("States.Runtime", cause)
    lines = config.get("OutputType", "JSON") == "JSONL"
    prefix = target.get("Prefix", "").rstrip("/")
    folder = f"{prefix}/{found['mapRunArn'].rpartition(':')[2]}" if prefix else found["mapRunArn"].rpartition(":")[2]
    files: dict[str, list[dict[str, Any]]] = {"FAILED": [], "PENDING": [], "SUCCEEDED": []}
    for status, listed in files.items():
        rows = [_row(child) for child in children if STATUSES.get(child["status"]) == status]
        if rows:
            text = "".join(json.dumps(row) + "\n" for row in rows) if lines else json.dumps(rows)
            key = f"{folder}/{status}_0.{'jsonl' if lines else 'json'}"
            put(target["Bucket"], key, text)
            listed.append({"Key": key, "Size": len(text.encode())})
    manifest = {"DestinationBucket": target["Bucket"], "MapRunArn": found["mapRunArn"], "ResultFiles": files}
    put(target["Bucket"], f"{folder}/manifest.json", json.dumps(manifest))
    details = {"Bucket": target["Bucket"], "Key": f"{folder}/manifest.json"}
    return {"MapRunArn": found["mapRunArn"], "ResultWriterDetails": details}


def _row(child: dict[str, Any]) -> dict[str, Any]:
    row = {
        "ExecutionArn": child["executionArn"],
        "Input": child["input"],
        "InputDetails": {"Included": True},
        "Name": child["name"],
        "StartDate": child["startDate"],
        "StateMachineArn": child["stateMachineArn"],
        "Status": child["status"],
        "StopDate": child["stopDate"],
        "RedriveCount": child.get("redriveCount", 0),
    }
    if child["status"] == "SUCCEEDED":
        row |= {"Output": child["output"], "OutputDetails": {"Included": True}}
    if child.get("error"):
        row |= {"Error": child["error"], "Cause": child.get("cause")}
    return row


def put(bucket: str, key: str, text: str) -> None:
    """Write one object; raise _ExecutionError States.ResultWriterFailed."""
    from ministack.services import s3

    status, _, body = s3._put_object(bucket, key, text.encode(), {"content-type": "application/json"})
    if status != 200:
        raise sf._ExecutionError("States.ResultWriterFailed", f"s3://{bucket}/{key}: {bytes(body).decode()}")
