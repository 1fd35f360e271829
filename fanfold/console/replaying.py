"""Runs started again, stopped, and many of them at once; what would run is shown before anything does."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from fanfold import replay
from fanfold.aws.jobs import Filters
from fanfold.console import live, looks
from fanfold.console.recent import filters_of, query_of
from fanfold.console.runs import LIVE, Item, Runs
from fanfold.errors import FanfoldError, UsageError

Show = Callable[..., Response]

MANY = 200
"""Runs that are replayed together at most: each is previewed first."""

PREVIEWS_AT_ONCE = 4

BATCHES_KEPT = 20

LINES_SHOWN = 60


@dataclass(slots=True)
class Batch:
    """Many runs that are replayed, one after the other: Step Functions has quotas for that too."""

    id: str
    jobs: list[Item]
    states: dict[str, str] = field(default_factory=dict)
    """What became of each run so far, by its id."""

    def run(self, runs: Runs) -> None:
        """Replay all of them; what fails is told of its run, and the next one goes on."""
        for item in self.jobs:
            job = item["job"]
            self.states[job] = "being replayed"
            try:
                plan, started = replay.replay(runs.stack, job)
                self.states[job] = f"{plan.how}: {plan.reason}" if started else plan.reason
            except (FanfoldError, BotoCoreError, ClientError) as error:
                self.states[job] = f"{type(error).__name__}: {error}"
            runs.stack.remembered.forget(job)


class Batches:
    """The latest batches, by their ids."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Batch] = OrderedDict()

    def start(self, jobs: list[Item], runs: Runs) -> Batch:
        made = Batch(secrets.token_hex(8), jobs)
        self._known[made.id] = made
        while len(self._known) > BATCHES_KEPT:
            self._known.popitem(last=False)
        threading.Thread(target=made.run, args=(runs,), name="fanfold-console-replays", daemon=True).start()
        return made

    def get(self, batch_id: str) -> Batch:
        if found := self._known.get(batch_id):
            return found
        raise HTTPException(404)


def failed(runs: Runs, filters: Filters) -> tuple[list[Item], bool]:
    """Return the failed runs that pass a filter, the latest first, and whether there are more of them."""
    only = Filters("FAILED", filters.kind, filters.recipe, filters.text)
    return runs.stack.stores.jobs.page(MANY, only)  # type: ignore[return-value]


def routes(runs: Runs, show: Show) -> list[BaseRoute]:
    """Return the addresses of replaying and stopping."""
    batches = Batches()

    def preview(request: Request) -> Response:
        item = runs.item(request.path_params["job"])
        plan = replay.preview(runs.stack, item["job"])
        return show("replay.html", section="Runs", item=item, plan=plan, shown=LINES_SHOWN)

    def start(request: Request) -> Response:
        job = request.path_params["job"]
        plan, started = replay.replay(runs.stack, job)
        runs.stack.remembered.forget(job)
        if started is None:
            raise UsageError(f"run {job} is not replayed: {plan.reason}")
        return RedirectResponse(f"/runs/{plan.job.id}", 303)

    def ask_stop(request: Request) -> Response:
        return show("stop.html", section="Runs", item=runs.item(request.path_params["job"]))

    def stop(request: Request) -> Response:
        item = runs.item(request.path_params["job"])
        if item["status"] not in LIVE or "execution" not in item:
            raise UsageError(f"run {item['job']} is {item['status'].lower()}: there is nothing to stop")
        runs.stack.executions.stop(item["execution"])
        runs.stack.remembered.forget(item["job"])
        return RedirectResponse(f"/runs/{item['job']}", 303)

    def preview_many(request: Request) -> Response:
        filters = filters_of(request)
        items, more = failed(runs, filters)

        def told(item: Item) -> Any:
            try:
                return replay.preview(runs.stack, item["job"])
            except (FanfoldError, BotoCoreError, ClientError) as error:
                return f"{type(error).__name__}: {error}"

        with ThreadPoolExecutor(PREVIEWS_AT_ONCE) as pool:
            plans = list(zip(items, pool.map(told, items), strict=True))
        return show(
            "replays.html",
            section="Runs",
            plans=plans,
            more=more,
            most=MANY,
            filters=filters,
            query=query_of(filters),
        )

    def start_many(request: Request) -> Response:
        items, _ = failed(runs, filters_of(request))
        if not items:
            raise UsageError("no failed run passes this filter")
        return RedirectResponse(f"/replays/{batches.start(list(islice(items, MANY)), runs).id}", 303)

    def rows(batch: Batch) -> str:
        found = [(runs.item(item["job"]), batch.states.get(item["job"], "waits")) for item in batch.jobs]
        return looks.part("batch_rows.html", rows=found)

    def batch(request: Request) -> Response:
        found = batches.get(request.path_params["batch"])
        return show("batch.html", section="Runs", batch=found, rows=rows(found))

    async def listen(request: Request) -> Response:
        found = batches.get(request.path_params["batch"])
        return live.stream(request, lambda: {"rows": rows(found)})

    return [
        Route("/replays/new", preview_many),
        Route("/replays", start_many, methods=["POST"]),
        Route("/replays/{batch}", batch),
        Route("/replays/{batch}/live", listen),
        Route("/runs/{job}/replay", preview),
        Route("/runs/{job}/replay", start, methods=["POST"]),
        Route("/runs/{job}/stop", ask_stop),
        Route("/runs/{job}/stop", stop, methods=["POST"]),
    ]
