"""The list of runs: filtered, paged, live, and where files are dropped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from fanfold import intake, sending
from fanfold.aws.jobs import STATUSES, Filters
from fanfold.console import live, looks, uploads
from fanfold.console.runs import Runs
from fanfold.errors import FanfoldError, RecipeError, UsageError
from fanfold.fields import check_chunk

Show = Callable[..., Response]

RECIPES_S = 10.0


def filters_of(request: Request) -> Filters:
    """Return what a request filters by; raise UsageError for a status that is none."""
    given = request.query_params
    filters = Filters(*(given.get(name, "").strip() for name in ("status", "kind", "recipe", "text")))
    if filters.status and filters.status not in STATUSES:
        raise UsageError(f"the status {filters.status!r} is none of {', '.join(STATUSES)}")
    return filters


def query_of(filters: Filters, **more: str) -> str:
    """Return the query of an address that filters in this way."""
    found = {name: value for name, value in (asdict(filters) | more).items() if value}
    return f"?{urlencode(found)}" if found else ""


def known_recipes(runs: Runs) -> list[str]:
    """Return the names of the stack's recipes; none where its file of recipes cannot be read."""

    def read() -> list[str]:
        try:
            return sorted(intake.read_recipes(runs.stack.stores).recipes)
        except RecipeError:
            return []

    return runs.stack.remembered.get("recipes", RECIPES_S, read)


def _cursor(text: str | None) -> tuple[str, str] | None:
    started, _, job = (text or "").rpartition("~")
    return (started, job) if started and job else None


def rows(runs: Runs, request: Request) -> Markup:
    """Return the table of the page of runs that a request asks for."""
    filters = filters_of(request)
    after, before = (_cursor(request.query_params.get(name)) for name in ("after", "before"))
    found, more = runs.page(filters, after or before, backwards=before is not None and after is None)
    backwards = before is not None and after is None
    ends = [f"{row.item['started']}~{row.item['job']}" for row in found]
    has_newer, has_older = (more, bool(found)) if backwards else (after is not None and bool(found), more)
    return looks.part(
        "rows.html",
        rows=found,
        filtered=filters != Filters(),
        newer=query_of(filters, before=ends[0]) if has_newer else "",
        older=query_of(filters, after=ends[-1]) if has_older else "",
        newest=(query_of(filters) or "/") if after or before else "",
    )


def routes(runs: Runs, show: Show) -> list[BaseRoute]:
    """Return the list's addresses."""

    def home(request: Request) -> Response:
        filters = filters_of(request)
        return show(
            "runs.html",
            section="Runs",
            filters=filters,
            filtered=filters != Filters(),
            query=f"?{request.url.query}" if request.url.query else "",
            kinds=sorted(runs.stack.machines),
            recipes=known_recipes(runs),
            rows=rows(runs, request),
        )

    async def events(request: Request) -> Response:
        return live.stream(request, lambda: {"rows": rows(runs, request)})

    async def upload(request: Request) -> Response:
        given = request.query_params
        try:
            told = await _upload(request, given.get("name", ""), given.get("recipe", ""), given.get("chunk", ""))
        except FanfoldError as error:
            answer = {"name": type(error).__name__, "message": str(error), "remedy": error.remedy}
            return JSONResponse(answer, 400)
        return JSONResponse(told)

    async def _upload(request: Request, name: str, recipe: str, chunk: str) -> dict[str, Any]:
        if recipe:
            await run_in_threadpool(lambda: intake.read_recipes(runs.stack.stores).get(recipe))
        if chunk:
            try:
                check_chunk(chunk)
            except ValueError as error:
                raise UsageError(f"the chunk is {chunk!r}: {error}") from error
        key = uploads.key_of(name, recipe)
        size = int(request.headers.get("content-length") or 0)
        sent = await uploads.take(request, runs.stack, key, chunk, size)
        item = await run_in_threadpool(sending.taken, runs.stack, sent)
        return {"job": item["job"], "status": item["status"], "uri": sent.uri}

    return [
        Route("/", home),
        Route("/live", events),
        Route("/uploads", upload, methods=["POST"]),
    ]
