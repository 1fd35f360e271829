"""Time drawn: the states of an execution one below the other, and its workers side by side."""

from __future__ import annotations

import heapq
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fanfold.console.runs import Child

WIDTH = 1000
"""Units across a timeline; the page stretches it."""

STATES_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Bar:
    """A state's time, in units of the timeline."""

    name: str
    status: str
    start: float
    width: float
    seconds: float


def states(visits: Sequence[Mapping[str, Any]]) -> list[Bar]:
    """Return the bars of an execution's states, from its start to its end or to now."""
    shown = visits[-STATES_SHOWN:]
    if not shown:
        return []
    starts = [datetime.fromisoformat(visit["entered"]) for visit in shown]
    now = datetime.now(UTC)
    took = [
        (now - start).total_seconds() if visit["seconds"] is None else visit["seconds"]
        for visit, start in zip(shown, starts, strict=True)
    ]
    whole = max((start - starts[0]).total_seconds() + one for start, one in zip(starts, took, strict=True)) or 1.0
    scale = WIDTH / whole
    return [
        Bar(visit["name"], visit["status"], (start - starts[0]).total_seconds() * scale, max(2.0, one * scale), one)
        for visit, start, one in zip(shown, starts, took, strict=True)
    ]


def gantt(children: Sequence[Child]) -> str:
    """Return what the chart of workers draws, as JSON: of every child its lane, start, end and status, in ms.

    children: in the order of their starts. A lane is a worker as far as one can tell: it holds children that do not
    overlap, so there are as many lanes as there were ever children at once.
    """
    if not children:
        return json.dumps({"bars": [], "lanes": 0, "span": 0})
    began = children[0].started
    now = datetime.now(UTC)
    free: list[int] = []
    busy: list[tuple[datetime, int]] = []
    lanes = 0
    bars: list[list[Any]] = []
    for child in children:
        while busy and busy[0][0] <= child.started:
            heapq.heappush(free, heapq.heappop(busy)[1])
        lane = heapq.heappop(free) if free else lanes
        lanes = max(lanes, lane + 1)
        end = child.stopped or now
        heapq.heappush(busy, (end, lane))
        bars.append([lane, _ms(began, child.started), _ms(began, end), _CODES.get(child.status, "p"), child.round])
    return json.dumps({"bars": bars, "lanes": lanes, "span": max(bar[2] for bar in bars)})


_CODES = {"RUNNING": "r", "SUCCEEDED": "s", "FAILED": "f", "TIMED_OUT": "f", "ABORTED": "p"}


def _ms(began: datetime, at: datetime) -> int:
    return round((at - began).total_seconds() * 1000)
