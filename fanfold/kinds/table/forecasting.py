"""How long a table will take, and in how many chunks."""

from __future__ import annotations

from fanfold.kinds.table.opening import containers
from fanfold.kinds.table.opening.working import RATIO_LIMIT
from fanfold.kinds.table.planning import chunk_bytes
from fanfold.kinds.table.recipe import TableRecipe
from fanfold.model import Forecast, Plan, Source

BYTES_A_SECOND = {"parquet": 80e6, "jsonl": 25e6, "csv": 25e6}
"""What one worker takes of CSV, by what it writes; measured on one core of a shared machine."""

OPENED_BYTES_A_SECOND = 230e6
"""What one worker inflates of gzip, counted in text; zstd is faster, and bzip2 far slower."""

AROUND_CHUNK_S = 0.5
"""What a chunk's start and end take."""

RATIO_BYTES = 2 << 20
"""What tells about how much compressed data inflates to."""


def forecast(source: Source, recipe: TableRecipe, plan: Plan) -> Forecast:
    """Tell what a plan will come to, by speeds measured before; what is compressed is judged by its beginning."""
    size = _text_bytes(source) if plan.prepares else source.size_bytes
    chunk = min(chunk_bytes(size, recipe), size)
    chunks = -(-size // max(chunk, 1)) if plan.prepares else len(plan.lines)
    speed = BYTES_A_SECOND[recipe.output]
    work_s = size / speed
    longest_s = -(-chunks // recipe.concurrency) * (AROUND_CHUNK_S + chunk / speed)
    if not plan.prepares:
        return Forecast(chunks, chunk, chunks, work_s, longest_s)
    opening_s = size / OPENED_BYTES_A_SECOND
    at_once = min(len(plan.lines), recipe.concurrency)
    return Forecast(
        chunks,
        chunk,
        lines=chunks + len(plan.lines),
        worker_s=work_s + opening_s,
        longest_s=longest_s + AROUND_CHUNK_S + opening_s / at_once,
        opening={"chunks": len(plan.lines), "text_bytes": size},
    )


def _text_bytes(source: Source) -> int:
    head = source.read(0, RATIO_BYTES)
    container = containers.of(head)
    if container is None:
        return source.size_bytes
    return source.size_bytes * len(containers.beginning(container, head, RATIO_LIMIT * RATIO_BYTES)) // len(head)
