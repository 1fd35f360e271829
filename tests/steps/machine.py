"""The state machine in a loop: what Step Functions does with the answers of the steps, without retries."""

from __future__ import annotations

import json
from typing import Any

from fanfold import steps
from fanfold.aws.stores import Stores
from fanfold.errors import FanfoldError
from fanfold.job import Job


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
    failures = 0
    for text in stores.work.get(round["plan"]).splitlines():
        line = json.loads(text)
        step = steps.index if line["role"] == steps.INDEX else steps.work
        event = {"job": round["job"], "execution": round["execution"], "line": line, "attempt": 1}
        try:
            step(event, stores)
        except FanfoldError as error:
            failures += 1
            if failures > round["tolerated_failures"]:
                raise MapFailed(line["id"]) from error
    return steps.merge(round, stores)
