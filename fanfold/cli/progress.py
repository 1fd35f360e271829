"""How far a job is: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fanfold.aws.stack import Stack

COUNT_EVERY_S = 0.5
"""DescribeMapRun refills at one call a second on AWS; the engine has no such limit."""


class Progress:
    """Shows on standard error what state a job is in and how many of its chunks are done."""

    def __init__(self, name: str, *, quiet: bool) -> None:
        self._name = name
        self._quiet = quiet
        self._counted = time.monotonic()
        self._said = ""
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Progress:
        if not self._quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task(self._name, total=None)
        return self

    def update(self, stack: Stack, item: dict[str, Any]) -> None:
        """Show where the job is now; asks for counts only every half second."""
        if self._quiet or time.monotonic() - self._counted < COUNT_EVERY_S:
            return
        self._counted = time.monotonic()
        runs = stack.executions.map_runs(item["execution"]) if "execution" in item else []
        counts: dict[str, int] = runs[-1]["itemCounts"] if runs else {}
        done, total = counts.get("succeeded", 0) + counts.get("failed", 0), counts.get("total")
        state = f"{self._name}: round {len(runs)}" if len(runs) > 1 else self._name
        if self._bar:
            self._bar.update(self._task, description=state, completed=done, total=total)
            return
        said = f"{state}: {item['status'].lower()}" + (f", {done} of {total} chunks" if total else "")
        if said != self._said:
            self._said = said
            sys.stderr.write(said + "\n")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()
