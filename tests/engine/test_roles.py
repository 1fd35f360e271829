"""Permissions are enforced: functions and machines may do what their roles allow, and the administrator everything."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.engine.place import Place
from tests.engine.test_redrive import reader


def test_a_function_is_denied_what_its_role_does_not_allow(place: Place) -> None:
    assert place.invoke(do="write", key="allowed") == (None, None)
    place.client("iam").put_role_policy(
        RoleName=role(place),
        PolicyName="never",
        PolicyDocument=json.dumps(statement("Deny", "s3:PutObject", f"arn:aws:s3:::{place.bucket}/denied/*")),
    )
    try:
        kind, answer = place.invoke(do="write", key="denied/here")
    finally:
        place.client("iam").delete_role_policy(RoleName=role(place), PolicyName="never")
    assert kind == "Unhandled"
    assert "AccessDenied" in answer["errorMessage"]
    assert place.keys("denied/") == []


def role(place: Place) -> str:
    arn = place.client("lambda").get_function_configuration(FunctionName=place.outputs["Probe"])["Role"]
    return str(arn.rpartition("/")[2])


def statement(effect: str, action: str, resource: str) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": effect, "Action": action, "Resource": resource}]}


def test_a_machine_reads_and_writes_only_where_its_role_allows(place: Place) -> None:
    place.put("elsewhere/plan.jsonl", b'{"do": "echo"}\n')
    told = place.run({"Map": reader(place, "elsewhere/plan.jsonl")})
    assert told["error"] == "States.ItemReaderFailed"
    assert "s3:GetObject" in told["cause"]
    place.put("plans/here.jsonl", b'{"do": "echo"}\n')
    state = reader(place, "plans/here.jsonl")
    state["ResultWriter"] = {
        "Resource": "arn:aws:states:::s3:putObject",
        "Arguments": {"Bucket": place.bucket, "Prefix": "elsewhere"},
    }
    told = place.run({"Map": state})
    assert told["error"] == "States.ResultWriterFailed"
    assert "s3:PutObject" in told["cause"]


def test_a_stranger_is_refused(place: Place) -> None:
    session: Any = boto3.Session("AKIAIOSFODNN7EXAMPLE", "secret", region_name=place.engine.region)
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        session.client("s3", endpoint_url=place.engine.endpoint).list_objects_v2(Bucket=place.bucket)
