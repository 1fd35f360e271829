"""One run: drawn, live, and to the last event; each tab is made of parts that are sent again when they change."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from fanfold import report
from fanfold.console import live, looks, machine, timeline
from fanfold.console.runs import LIVE, Item, Runs, groups
from fanfold.model import Line
from fanfold.standing import Chunk, Standing

Show = Callable[..., Response]
Parts = dict[str, str]

TABS = {
    "": "Overview",
    "chunks": "Chunks",
    "events": "Events",
    "attempts": "Attempts",
    "outputs": "Outputs",
    "definition": "Definition",
}

CODES = {"pending": "p", "running": "r", "succeeded": "s", "reused": "u", "repaired": "x", "failed": "f"}
"""What the grid of chunks is told of each: 40,000 of them are 40 kB."""

CHUNKS_SHOWN, EVENTS_SHOWN, SLOWEST = 100, 200, 12


def title(runs: Runs, item: Item) -> str:
    """Return the head of a run's page: what it is, its figures, and what can be done."""
    standing = runs.standing(item)
    cost, about = runs.cost(item, standing)
    row = runs.row(item)
    return looks.part("title.html", item=item, row=row, standing=standing, cost=cost, about=about, live=LIVE)


def drawn(runs: Runs, item: Item) -> str:
    """Return the state machine with its states as they are now."""
    definition = runs.definition(item)
    if definition is None:
        return ""
    visits: dict[str, list[dict[str, Any]]] = {}
    for state in report.states(runs.history(item)):
        visits.setdefault(state["name"], []).append(state)
    return looks.part("machine.html", drawing=machine.draw(definition), visits=visits, box=machine)


def grid(standing: Standing) -> str:
    """Return what the grid of chunks draws, as JSON."""
    rounds = [
        {
            "name": name_of(standing, number),
            "ids": [chunks[0].line.id, chunks[-1].line.id] if chunks else [],
            "states": "".join(CODES[chunk.status] for chunk in chunks),
        }
        for number, chunks in enumerate(standing.rounds)
    ]
    return json.dumps({"rounds": rounds})


def name_of(standing: Standing, number: int) -> str:
    """Return what a round is for, in a word or two."""
    chunks = standing.rounds[number]
    if number == standing.plan_round:
        return "chunks"
    if number < standing.plan_round:
        return "opening"
    role = chunks[0].line.role if chunks else ""
    if role == "index":
        return "sweep" if "sweep" in chunks[0].line.span else "index"
    return "repair" if chunks and "pin" in chunks[0].line.span else role


def overview(runs: Runs, item: Item) -> Parts:
    standing = runs.standing(item)
    failures = runs.failures(item)
    counts = {name: count for name in CODES if (count := standing.counts().get(name))}
    return {
        "machine": drawn(runs, item),
        "counts": looks.part("counts.html", counts=counts, total=len(standing.chunks)),
        "grid": grid(standing),
        "groups": looks.part("groups.html", groups=groups(failures), item=item),
        "facts": looks.part("facts.html", item=item, described=runs.described(item) or {}),
    }


def chunks(runs: Runs, item: Item, request: Request) -> Parts:
    standing = runs.standing(item)
    wanted = request.query_params.get("status", "")
    page = max(1, int(request.query_params.get("page") or 1)) if request.query_params.get("page", "1").isdigit() else 1
    found = [chunk for chunk in standing.chunks if wanted in ("", chunk.status)]
    shown = found[(page - 1) * CHUNKS_SHOWN : page * CHUNKS_SHOWN]
    failures = runs.failures(item)
    told = [
        (chunk, runs.details(chunk.key, wait=False) if chunk.key else failures.get(chunk.line.id)) for chunk in shown
    ]
    children = runs.children(item)
    slowest = sorted(children, key=lambda child: -_seconds(child.started, child.stopped))[:SLOWEST]
    return {
        "gantt": timeline.gantt(children),
        "slowest": looks.part(
            "slowest.html",
            item=item,
            rows=[(child, _seconds(child.started, child.stopped), runs.line_of(child.arn)) for child in slowest],
        ),
        "table": looks.part(
            "chunks.html",
            item=item,
            rows=told,
            wanted=wanted,
            statuses=list(CODES),
            page=page,
            pages=-(-len(found) // CHUNKS_SHOWN),
            count=len(found),
        ),
    }


def _seconds(start: datetime, stop: datetime | None) -> float:
    return ((stop or datetime.now(UTC)) - start).total_seconds()


def events(runs: Runs, item: Item, request: Request) -> Parts:
    history = runs.history(item)
    given = request.query_params.get("page", "1")
    page = max(1, int(given)) if given.isdigit() else 1
    shown = history[(page - 1) * EVENTS_SHOWN : page * EVENTS_SHOWN]
    began = history[0]["timestamp"] if history else None
    rows = [
        {
            "id": event["id"],
            "type": event["type"],
            "at": event["timestamp"],
            "after": (event["timestamp"] - began).total_seconds(),
            "state": _details(event).get("name", ""),
            "details": _details(event),
        }
        for event in shown
    ]
    return {
        "timeline": looks.part("timeline.html", lines=timeline.states(report.states(history)), width=timeline.WIDTH),
        "events": looks.part(
            "events.html", item=item, rows=rows, page=page, pages=-(-len(history) // EVENTS_SHOWN), count=len(history)
        ),
    }


def _details(event: Mapping[str, Any]) -> dict[str, Any]:
    return next((dict(value) for name, value in event.items() if name.endswith("EventDetails")), {})


def tried(runs: Runs, item: Item) -> Parts:
    standing = runs.standing(item)
    made = runs.attempts(item)
    return {
        "attempts": looks.part(
            "attempts.html",
            item=item,
            attempts=made,
            done=_done(standing.chunks, made),
            rounds=[_round(standing, number) for number in range(len(standing.rounds))],
        )
    }


def _round(standing: Standing, number: int) -> dict[str, Any]:
    """Return what the attempts say of a round: its lines, and of those that ran before what differs this time."""
    found = standing.rounds[number]
    same_side = (
        standing.rounds[:number] if number < standing.plan_round else standing.rounds[standing.plan_round : number]
    )
    before = {
        (chunk.line.role, chunk.line.span["start"]): chunk.line
        for chunks in same_side
        for chunk in chunks
        if "start" in chunk.line.span
    }
    again = []
    for chunk in found:
        line = chunk.line
        earlier = before.get((line.role, line.span.get("start")))
        if earlier is not None:
            again.append({"line": line.id, "earlier": earlier.id, "differs": _differences(earlier, line)})
    done = sum(chunk.key is not None for chunk in found)
    return {"name": name_of(standing, number), "lines": len(found), "done": done, "again": again}


def _differences(before: Line, now: Line) -> list[str]:
    """Return in words what a line is given that the one it repairs was not."""
    found = [
        f"{name} {json.dumps(now.span.get(name))}"
        for name in dict.fromkeys((*before.span, *now.span))
        if before.span.get(name) != now.span.get(name)
    ]
    return found + ([f"layout {now.layout} instead of {before.layout}"] if before.layout != now.layout else [])


def _done(found: Sequence[Chunk], made: Sequence[Any]) -> list[int]:
    """Return how many parts each attempt wrote: those that were written before the next one began."""
    bounds = [one.started for one in made[1:]]
    counts = [0] * len(made)
    for chunk in found:
        if chunk.key and chunk.at and made:
            counts[sum(chunk.at >= bound.replace(microsecond=0) for bound in bounds)] += 1
    return counts


def definition(runs: Runs, item: Item) -> Parts:
    described = runs.described(item) or {}
    told = {name: json.loads(described[name]) for name in ("input", "output") if described.get(name)}
    return {"definition": looks.part("definition.html", told=told, definition=runs.definition(item))}


def routes(runs: Runs, show: Show) -> list[BaseRoute]:
    """Return the addresses of one run."""

    def parts(job_id: str, tab: str, request: Request) -> Parts:
        item = runs.item(job_id)
        made: Parts = {"title": title(runs, item)}
        match tab:
            case "":
                return made | overview(runs, item)
            case "chunks":
                return made | chunks(runs, item, request)
            case "events":
                return made | events(runs, item, request)
            case "attempts":
                return made | tried(runs, item)
            case "definition":
                return made | definition(runs, item)
        raise HTTPException(404)

    def run(request: Request) -> Response:
        job_id, tab = request.path_params["job"], request.path_params.get("tab", "")
        item = runs.item(job_id)
        return show(
            "run.html",
            section="Runs",
            item=item,
            tab=tab,
            tabs=TABS,
            parts=parts(job_id, tab, request),
            live=f"/runs/{job_id}/live/{tab or 'overview'}" + (f"?{request.url.query}" if request.url.query else ""),
        )

    async def listen(request: Request) -> Response:
        job_id, tab = request.path_params["job"], request.path_params["tab"]
        return live.stream(request, lambda: parts(job_id, "" if tab == "overview" else tab, request))

    def chunk(request: Request) -> Response:
        item = runs.item(request.path_params["job"])
        standing = runs.standing(item)
        line_id = request.path_params["line"]
        found = next((one for one in standing.chunks if one.line.id == line_id), None)
        if found is None:
            raise HTTPException(404)
        others = [one.line.id for one in standing.rounds[found.round]]
        at = others.index(line_id)
        log = runs.log_of(item, found)
        return show(
            "chunk.html",
            section="Runs",
            item=item,
            chunk=found,
            round=name_of(standing, found.round),
            before=others[at - 1] if at else None,
            after=others[at + 1] if at + 1 < len(others) else None,
            told=runs.details(found.key) if found.key else runs.failures(item).get(line_id),
            log=log,
            memory=max((entry["memory_mb"] for entry in log if "memory_mb" in entry), default=None),
            limit=max((entry["limit_mb"] for entry in log if "limit_mb" in entry), default=None),
        )

    return [
        Route("/runs/{job}", run),
        Route("/runs/{job}/live/{tab}", listen),
        Route("/runs/{job}/chunks/{line}", chunk),
        Route("/runs/{job}/{tab}", run),
    ]
