"""Packing: the rows of one cell, left as Arrow batches by small spans, become its Parquet row group."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fanfold.kinds.table import footers, parquet
from fanfold.kinds.table.layout import Layout
from fanfold.kinds.table.planning import ROLE
from fanfold.kinds.table.sinks import cell_name
from fanfold.model import Desk, Json, Line, Part, PartObject, Round

FAN_IN = 200
"""How many objects one line packs at most; more are packed in several rounds."""


def pack(layout: Layout, line: Line, desk: Desk) -> Mapping[str, Json]:
    """Pack the objects that a line names, in their order: into a row group if they are all of a cell, else as they are.

    A row group's bytes depend on its rows alone, so they are those that one span over the whole cell would write.
    """
    cell = line.span["cell"]
    made: dict[str, Json] = {"cell": cell}
    kinds = parquet.schema(layout.columns)
    batches: list[Any] = []
    for key, size_bytes in line.span["pack"]:
        batches += parquet.batches_of(desk.read(PartObject(key, size_bytes)))
    if line.span["last"]:
        data = parquet.row_group(batches, kinds)
        made["footer_bytes"] = footers.footer_bytes(data)
    else:
        data = parquet.stream(batches, kinds)
    desk.write(cell_name(cell), data)
    return {"cells": [made]}


@dataclass(frozen=True, slots=True)
class PackedCell:
    """A cell's Parquet file of one row group."""

    made: PartObject
    footer_bytes: int


def cells_of(round: Round, parts: Sequence[Part], layout: int) -> tuple[list[PackedCell], list[Line]]:
    """Return the row groups of the certified parts, and the lines that must still run to pack the others."""
    asked = {_identity(line.span): line for lines in round.lines for line in lines if "pack" in line.span}
    by_cell: dict[int, list[tuple[PartObject, int | None]]] = {}
    for part in parts:
        for found in part.facts.get("cells", ()):
            made = part.objects[cell_name(found["cell"])]
            by_cell.setdefault(found["cell"], []).append((made, found.get("footer_bytes")))
    packed: list[PackedCell] = []
    spans: list[dict[str, Json]] = []
    for cell, pieces in by_cell.items():
        made, footer_bytes = pieces[0]
        if footer_bytes is not None:
            packed.append(PackedCell(made, footer_bytes))
            continue
        done = _climb(round, cell, [made for made, _ in pieces], asked)
        if isinstance(done, PackedCell):
            packed.append(done)
        else:
            spans += done
    number = len(round.lines)
    return packed, [Line(f"{number}-{at:05}", ROLE, span, layout) for at, span in enumerate(spans)]


def _climb(
    round: Round, cell: int, made: list[PartObject], asked: Mapping[str, Line]
) -> PackedCell | list[dict[str, Json]]:
    """Return a cell's row group, or the spans of the lines that it is waiting for."""
    while True:
        groups = [made[at : at + FAN_IN] for at in range(0, len(made), FAN_IN)]
        last = len(groups) == 1
        spans: list[dict[str, Json]] = [
            {"pack": [[found.key, found.size_bytes] for found in group], "cell": cell, "last": last} for group in groups
        ]
        lines = [asked.get(_identity(span)) for span in spans]
        parts = [round.part(line) if line else None for line in lines]
        if waiting := [span for span, part in zip(spans, parts, strict=True) if part is None]:
            return waiting
        finished = [part for part in parts if part]
        made = [part.objects[cell_name(cell)] for part in finished]
        if last:
            return PackedCell(made[0], finished[0].facts["cells"][0]["footer_bytes"])


def _identity(span: Mapping[str, Json]) -> str:
    return json.dumps(span, sort_keys=True)
