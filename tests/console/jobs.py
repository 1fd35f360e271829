"""Jobs that the tests put where a run would have left them, with nothing but the stack's own modules."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

from fanfold.aws.stack import Stack
from fanfold.job import Job, canonical
from fanfold.model import Line, ObjectRef
from fanfold.parts import Attempt, PartDesk
from fanfold.setting import Setting
from tests.fakes import table_recipe

EXECUTION = "arn:aws:states:us-east-1:000000000000:execution:fanfold-table:many-0123456789abcdef"

MARKUP = "<img src=x onerror=alert(1)><script>alert(2)</script>&amp;\"'"
"""What must come out of every page as text."""


def made_job(stack: Stack, key: str, chunks: int, **recipe: Any) -> Setting:
    """Record a job with a plan of `chunks` lines, as its splitter does."""
    source = ObjectRef(stack.uploads, key, chunks * 1024, "0" * 32, f"version of {key}")
    job = Job(source, "table", table_recipe(**recipe), "01")
    setting = Setting.of(job, stack.stores)
    stack.stores.jobs.arrive(job)
    stack.stores.jobs.begin(job)
    setting.write_layout(0, {"made": "by a test"})
    setting.write_plan(0, lines(chunks))
    stack.stores.jobs.planned(job, chunks)
    return setting


def lines(count: int) -> list[Line]:
    return [Line(f"0-{at:05}", "rows", {"start": at * 1024, "stop": (at + 1) * 1024}) for at in range(count)]


def finish(setting: Setting, line: Line, execution: str) -> None:
    """Leave the part of a line, as its worker does."""
    desk = PartDesk(setting, line, {"made": "by a test"})
    desk.finish({}, Attempt({"execution": execution, "attempt": 1}))


def fail(setting: Setting, line: Line, name: str, message: str) -> None:
    """Leave the failure of a line, as its worker does."""
    failure = {"error": {"name": name, "message": message, "remedy": "Mend it."}, "attempt": 1, "seconds": 0.1}
    setting.work.put(setting.keys.failure(line), canonical(failure).encode())


class States:
    """Step Functions as the console asks it, told by a test what to say: one execution, with one Map Run.

    Only what public clients have: operations, paginators, and the events that the console counts calls with.
    """

    def __init__(self, definition: dict[str, Any], status: str = "RUNNING") -> None:
        self.definition = definition
        self.status = status
        self.started = datetime.now(UTC)
        self.stopped: datetime | None = None
        self.input = "{}"
        self.error: dict[str, str] = {}
        self.handlers: list[Any] = []
        self.meta = self
        self.events = self
        self.lock = threading.Lock()

    def register(self, event: str, handler: Any) -> None:
        self.handlers.append(handler)

    def _called(self, operation: str) -> None:
        model = type("Model", (), {"name": operation})
        for handler in self.handlers:
            handler(model=model)

    def describe_execution(self, executionArn: str) -> dict[str, Any]:  # noqa: N803 - AWS's name
        self._called("DescribeExecution")
        found = {"executionArn": executionArn, "status": self.status, "startDate": self.started, "input": self.input}
        return found | ({"stopDate": self.stopped} if self.stopped else {}) | self.error

    def describe_state_machine_for_execution(self, executionArn: str) -> dict[str, Any]:  # noqa: N803
        self._called("DescribeStateMachineForExecution")
        return {"definition": canonical(self.definition), "stateMachineArn": "arn:machine"}

    def get_paginator(self, name: str) -> Any:
        pages = {
            "get_execution_history": ("GetExecutionHistory", {"events": self._history()}),
            "list_executions": ("ListExecutions", {"executions": []}),
            "list_map_runs": ("ListMapRuns", {"mapRuns": []}),
        }
        operation, page = pages[name]

        def paginate(**_: Any) -> list[Any]:
            self._called(operation)
            return [page]

        return type("Paginator", (), {"paginate": staticmethod(paginate)})

    def _history(self) -> list[dict[str, Any]]:
        entered = [("Split", "Task"), ("Any chunks?", "Choice"), ("Process", "Map")]
        events: list[dict[str, Any]] = [{"type": "ExecutionStarted"}]
        for name, kind in entered:
            events.append({"type": f"{kind}StateEntered", "stateEnteredEventDetails": {"name": name}})
            if name != "Process":
                events.append({"type": f"{kind}StateExited", "stateExitedEventDetails": {"name": name}})
        events.append({"type": "MapRunStarted", "mapRunStartedEventDetails": {"mapRunArn": "arn:map-run"}})
        return [event | {"id": at, "timestamp": self.started} for at, event in enumerate(events, 1)]
