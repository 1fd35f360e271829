"""Executions of the state machines: started once, watched, explained, redriven."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from fanfold.aws.faults import code, translated
from fanfold.errors import remedy_of
from fanfold.job import Job, canonical

CHILDREN_AT_ONCE = 1000
"""The most executions that Step Functions lists in one call."""

TOO_MANY_FAILED = "States.ExceedToleratedFailureThreshold"
"""What a Distributed Map fails with."""

UNSUCCESSFUL = ("FAILED", "TIMED_OUT", "ABORTED")


@dataclass(frozen=True, slots=True)
class Executions:
    """The executions of one account's state machines."""

    client: Any

    def start(self, machine_arn: str, job: Job, attempt: int = 0) -> str | None:
        """Start an execution of a job; return its ARN, None where Step Functions knows it already.

        The name is the job's, so the service itself refuses a duplicate
        (https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html).
        """
        name = job.execution_name(attempt)
        with translated(f"starting execution {name}"):
            try:
                answer = self.client.start_execution(
                    stateMachineArn=machine_arn, name=name, input=canonical(job.to_json())
                )
            except ClientError as error:
                if code(error) == "ExecutionAlreadyExists":
                    return None
                raise
        return str(answer["executionArn"])

    def describe(self, arn: str) -> dict[str, Any]:
        """Return what Step Functions says of an execution, a child of a Map Run included."""
        with translated(f"reading execution {arn}"):
            return dict(self.client.describe_execution(executionArn=arn))

    def redrive(self, arn: str) -> None:
        """Resume an execution where it failed."""
        with translated(f"redriving execution {arn}"):
            self.client.redrive_execution(executionArn=arn)

    def stop(self, arn: str) -> None:
        """End an execution that runs, as ABORTED; its children end too, and it can be redriven."""
        with translated(f"stopping execution {arn}"):
            self.client.stop_execution(executionArn=arn, error="Stopped", cause="stopped by its owner")

    def definition(self, arn: str) -> dict[str, Any]:
        """Return the definition of the state machine that an execution runs, as it was when that started."""
        with translated(f"reading the state machine of {arn}"):
            return dict(json.loads(self.client.describe_state_machine_for_execution(executionArn=arn)["definition"]))

    def definition_changed(self, arn: str) -> bool:
        """Tell whether an execution's state machine has another definition today than when it started."""
        with translated(f"reading the state machine of {arn}"):
            then = self.client.describe_state_machine_for_execution(executionArn=arn)
            now = self.client.describe_state_machine(stateMachineArn=then["stateMachineArn"])
        return bool(then["definition"] != now["definition"])

    def history(self, arn: str) -> Iterator[dict[str, Any]]:
        """Yield the events of an execution, oldest first."""
        with translated(f"reading the history of {arn}"):
            for page in self.client.get_paginator("get_execution_history").paginate(executionArn=arn):
                yield from page["events"]

    def map_runs(self, arn: str) -> list[dict[str, Any]]:
        """Return the Map Runs of an execution with their counts, oldest first: one per round."""
        with translated(f"reading the Map Runs of {arn}"):
            pages = self.client.get_paginator("list_map_runs").paginate(executionArn=arn)
            arns = [run["mapRunArn"] for page in pages for run in page["mapRuns"]]
            runs = [dict(self.client.describe_map_run(mapRunArn=run)) for run in arns]
        return sorted(runs, key=lambda run: str(run["startDate"]))

    def children(self, map_run_arn: str, status: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield the child executions of a Map Run, all or those of one status; without input, output and error."""
        only = {"statusFilter": status} if status else {}
        with translated(f"reading the children of {map_run_arn}"):
            pages = self.client.get_paginator("list_executions").paginate(
                mapRunArn=map_run_arn, PaginationConfig={"PageSize": CHILDREN_AT_ONCE}, **only
            )
            for page in pages:
                yield from page["executions"]

    def failure(self, arn: str) -> dict[str, str] | None:
        """Return why an execution failed as `{name, message, remedy}`, None where it did not.

        A Map that failed says only that too many children did: then it is the first failed child's reason.
        """
        found = self.describe(arn)
        if found["status"] not in UNSUCCESSFUL:
            return None
        if found.get("error") == TOO_MANY_FAILED:
            for run in reversed(self.map_runs(arn)):
                for child in self.children(run["mapRunArn"], "FAILED"):
                    return explained(self.describe(child["executionArn"]))
        return explained(found)


def explained(execution: dict[str, Any]) -> dict[str, str]:
    """Return the error of an unsuccessful execution as `{name, message, remedy}`."""
    name = execution.get("error") or f"States.{execution['status'].title().replace('_', '')}"
    return {"name": name, "message": _message(execution.get("cause") or ""), "remedy": remedy_of(name)}


def _message(cause: str) -> str:
    """Return what a function's exception said: Lambda wraps it in JSON."""
    try:
        wrapped = json.loads(cause)
    except ValueError:
        return " ".join(cause.split())
    message = wrapped.get("errorMessage", cause) if isinstance(wrapped, dict) else cause
    return " ".join(str(message).split())
