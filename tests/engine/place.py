"""An engine with the small app deployed, and what the tests ask of it."""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from fanfold.engine import Engine

APP = Path(__file__).parent / "app"
ENDED = ("SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT")


def until(found: Callable[[], Any], seconds: float = 20) -> Any:
    """Return what `found` returns, once it is true."""
    deadline = time.monotonic() + seconds
    while not (value := found()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {found}")
        time.sleep(0.02)
    return value


@dataclass
class Place:
    """One engine, seen by its administrator."""

    engine: Engine
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        if service not in self._clients:
            config = Config(retries={"total_max_attempts": 1}, read_timeout=60, max_pool_connections=50)
            session = boto3.Session("test", "test", region_name=self.engine.region)
            self._clients[service] = session.client(service, endpoint_url=self.engine.endpoint, config=config)
        return self._clients[service]

    @property
    def s3(self) -> Any:
        return self.client("s3")

    @property
    def states(self) -> Any:
        return self.client("stepfunctions")

    @property
    def outputs(self) -> dict[str, str]:
        stack = self.client("cloudformation").describe_stacks(StackName=self.engine.stack)["Stacks"][0]
        return {item["OutputKey"]: item["OutputValue"] for item in stack["Outputs"]}

    @property
    def bucket(self) -> str:
        return self.outputs["Bucket"]

    def put(self, key: str, body: bytes = b"", **more: Any) -> dict[str, Any]:
        return dict(self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, **more))

    def get(self, key: str, **more: Any) -> bytes:
        return bytes(self.s3.get_object(Bucket=self.bucket, Key=key, **more)["Body"].read())

    def keys(self, prefix: str) -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [found["Key"] for page in pages for found in page.get("Contents", [])]

    def invoke(self, function: str = "Probe", **event: Any) -> tuple[str | None, Any]:
        """Call a function of the app; return what went wrong, if anything, and the answer."""
        answer = self.client("lambda").invoke(FunctionName=self.outputs[function], Payload=json.dumps(event))
        return answer.get("FunctionError"), json.loads(answer["Payload"].read())

    def machine(self, states: dict[str, Any], **more: Any) -> str:
        """Create a state machine that starts at its first state; return its ARN."""
        definition = {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states, **more}
        made = self.states.create_state_machine(
            name=f"m{uuid.uuid4().hex}", roleArn=self.outputs["MachineRole"], definition=json.dumps(definition)
        )
        return str(made["stateMachineArn"])

    def task(self, **event: Any) -> dict[str, Any]:
        """Return a state that calls Probe."""
        arguments = {"FunctionName": self.outputs["Probe"], "Payload": event}
        return {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Arguments": arguments,
            "Output": "{% $states.result.Payload %}",
            "End": True,
        }

    def start(self, machine: str, data: Any = None, **more: Any) -> str:
        answer = self.states.start_execution(stateMachineArn=machine, input=json.dumps(data or {}), **more)
        return str(answer["executionArn"])

    def ended(self, arn: str, seconds: float = 30) -> dict[str, Any]:
        """Return the description of an execution once it has ended."""

        def found() -> dict[str, Any] | None:
            told = dict(self.states.describe_execution(executionArn=arn))
            return told if told["status"] in ENDED else None

        return dict(until(found, seconds))

    def run(self, states: dict[str, Any], data: Any = None, **more: Any) -> dict[str, Any]:
        return self.ended(self.start(self.machine(states, **more), data))

    def history(self, arn: str) -> list[dict[str, Any]]:
        pages = self.states.get_paginator("get_execution_history").paginate(executionArn=arn)
        return [event for page in pages for event in page["events"]]

    # ---- the app's machine

    def rounds(self, lines: int = 4, **more: Any) -> tuple[str, str]:
        """Start the app's machine; return the execution's ARN and the job's name. `fails` names what fails, and how."""
        job = uuid.uuid4().hex[:8]
        for name, switch in more.pop("fails", {}).items():
            self.switch(job, name, **switch)
        data = {"job": job, "lines": lines, "concurrency": 2, "tolerated": 0, **more}
        return self.start(self.outputs["Machine"], data), job

    def switch(self, job: str, name: str, do: str = "poison", times: int = 1000, **more: Any) -> None:
        self.put(f"switches/{job}/{name}", json.dumps({"do": do, "times": times, **more}).encode())

    def mend(self, job: str) -> None:
        for key in self.keys(f"switches/{job}/"):
            self.s3.delete_object(Bucket=self.bucket, Key=key)

    def calls(self, job: str) -> Counter[str]:
        """Return how often each step of a job was called."""
        return Counter(key.split("/")[2] for key in self.keys(f"calls/{job}/"))

    def map_runs(self, arn: str) -> list[dict[str, Any]]:
        """Return the descriptions of an execution's Map Runs, oldest first."""
        listed = self.states.list_map_runs(executionArn=arn)["mapRuns"]
        described = [self.states.describe_map_run(mapRunArn=found["mapRunArn"]) for found in listed]
        return sorted(described, key=lambda found: found["startDate"])

    def told(
        self, wanted: Callable[[dict[str, Any]], bool], number: int = 1, seconds: float = 20
    ) -> list[dict[str, Any]]:
        """Return `number` events that reached the app's queue, of those that are wanted."""
        queue, client = self.outputs["Events"], self.client("sqs")
        found: list[dict[str, Any]] = []

        def enough() -> bool:
            for message in client.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
                client.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
                event = json.loads(message["Body"])
                if wanted(event):
                    found.append(event)
            return len(found) >= number

        until(enough, seconds)
        return found
