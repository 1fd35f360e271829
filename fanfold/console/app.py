"""The pages and their addresses, put together for one stack."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from fanfold.aws.stack import Stack
from fanfold.console import inspecting, letters, looks, outputs, recent, records, replaying
from fanfold.console.reads import WatchedStack
from fanfold.console.runs import Runs
from fanfold.errors import FanfoldError, InvalidInput, SourceGone, UsageError

logger = logging.getLogger("fanfold.console")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the console looks, for the head of its pages."""

    name: str
    endpoint: str
    is_aws: bool

    @classmethod
    def of(cls, stack: Stack) -> Place:
        region = stack.account.client("s3").meta.region_name
        if stack.account.endpoint:
            return cls("embedded engine", stack.account.endpoint, False)
        return cls(f"{stack.name} · {region}", f"stack {stack.name} in {region}", True)


def application(stack: Stack) -> Starlette:
    """Return the console of a stack, without its guard."""
    watched = WatchedStack.of(stack)
    place = Place.of(stack)
    runs = Runs(watched)
    known = looks.assets()

    def show(template: str, status: int = 200, **context: Any) -> Response:
        return looks.page(template, status, place=place, **context)

    def asset(request: Request) -> Response:
        found = known.get(request.path_params["name"])
        if found is None:
            raise HTTPException(404)
        return Response(found[0], headers={"content-type": found[1], "cache-control": "no-cache"})

    def refuse(request: Request, error: Exception) -> Response:
        status, heading = 500, "AWS did not answer as expected"
        name, message, remedy = type(error).__name__, str(error), "Try again; the console's own log says more."
        if isinstance(error, HTTPException):
            status, heading, name, message = error.status_code, "There is no such page", str(error.status_code), ""
            remedy = "See the runs."
        elif isinstance(error, FanfoldError):
            status = 404 if isinstance(error, SourceGone) else 400
            heading, remedy = "This cannot be done", error.remedy
            status = status if isinstance(error, UsageError | InvalidInput | SourceGone) else 502
        if status >= 500:
            logger.warning("%s %s: %s: %s", request.method, request.url.path, name, message)
        return show("problem.html", status, section="", heading=heading, name=name, message=message, remedy=remedy)

    routes: list[BaseRoute] = [Route("/static/{name}", asset)]
    for module in (recent, records, replaying, letters, outputs, inspecting):
        routes += module.routes(runs, show)
    handlers: Mapping[Any, Callable[[Request, Exception], Response]] = {
        HTTPException: refuse,
        FanfoldError: refuse,
        BotoCoreError: refuse,
        ClientError: refuse,
    }
    made = Starlette(routes=routes, exception_handlers=handlers)
    made.state.runs = runs
    return made
