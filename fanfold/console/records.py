"""Records, searched by key or by a word that was heard or read, and totals as charts."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from fanfold.console.previews import Table
from fanfold.console.recent import known_recipes
from fanfold.console.runs import Runs
from fanfold.words import words

Show = Callable[..., Response]

RECORDS_SHOWN = 200
TOTALS_SHOWN = 24
TOTALS_S = 2.0


def charts(totals: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each total of a recipe with its largest values, the share of the largest that each has, and the rest."""
    named: dict[str, list[dict[str, Any]]] = {}
    for one in totals:
        named.setdefault(one["total"], []).append(one)
    made = []
    for name, values in sorted(named.items()):
        ordered = sorted(values, key=lambda one: -abs(one["sum"]))
        most = abs(ordered[0]["sum"]) or 1
        bars = [one | {"share": float(abs(one["sum"]) / most)} for one in ordered[:TOTALS_SHOWN]]
        made.append({"name": name, "bars": bars, "rest": len(ordered) - len(bars)})
    return made


def routes(runs: Runs, show: Show) -> list[BaseRoute]:
    """Return the addresses of records."""
    stores = runs.stack.stores

    def page(request: Request) -> Response:
        given = request.query_params
        recipe, key, word = (given.get(name, "").strip() for name in ("recipe", "key", "word"))
        found: list[dict[str, Any]] = []
        if recipe and key:
            found = list(islice(stores.records.query(stores.jobs, recipe, key), RECORDS_SHOWN + 1))
        elif recipe and words(word):
            found = list(islice(stores.records.query_words(stores.jobs, recipe, word), RECORDS_SHOWN + 1))
        names = list(dict.fromkeys(name for row in found for name in row))
        rows = [[row.get(name) for name in names] for row in found[:RECORDS_SHOWN]]
        totals = (
            runs.stack.remembered.get(("totals", recipe), TOTALS_S, lambda: list(stores.totals.read(recipe)))
            if recipe
            else []
        )
        return show(
            "records.html",
            section="Records",
            recipes=known_recipes(runs),
            recipe=recipe,
            key=key,
            word=word,
            asked=bool(recipe and (key or word)),
            table=Table(names, rows),
            more=len(found) > RECORDS_SHOWN,
            charts=charts(totals),
        )

    return [Route("/records", page)]
