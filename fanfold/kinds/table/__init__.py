"""Tables: CSV and JSON, split at any byte, and folded into what a sequential parse gives.

A worker guesses where its first row begins, and parses exactly from there; the merge proves every guess or has it
run again. `bounds` and `certifying` hold that idea, the other modules what is done with the rows.
"""

from __future__ import annotations

from collections.abc import Mapping

from fanfold.kinds.table.recipe import TableRecipe
from fanfold.kinds.table.records import records
from fanfold.kinds.table.sniffing import sniff
from fanfold.model import Again, Desk, Folded, Forecast, Json, Line, Plan, Round, Source

__all__ = ["forecast", "merge", "name", "parts_version", "plan", "process", "records", "sniff"]

name = "table"
parts_version = 2

# The intake function sniffs, and has no codec in its package: what needs Arrow is imported where it is called.


def plan(source: Source, recipe: TableRecipe) -> Plan:
    """Split: see `planning.plan`."""
    from fanfold.kinds.table import planning

    return planning.plan(source, recipe)


def forecast(source: Source, recipe: TableRecipe, plan: Plan) -> Forecast:
    """Tell what a plan will come to: see `forecasting.forecast`."""
    from fanfold.kinds.table import forecasting

    return forecasting.forecast(source, recipe, plan)


def process(source: Source, recipe: TableRecipe, layout: Json, line: Line, desk: Desk) -> Mapping[str, Json]:
    """Work on one line: see `working.process`."""
    from fanfold.kinds.table import working

    return working.process(source, recipe, layout, line, desk)


def merge(round: Round) -> Again | Folded:
    """Certify and fold: see `merging.merge`."""
    from fanfold.kinds.table import merging

    return merging.merge(round)
