# /// script
# requires-python = ">=3.11"
# dependencies = ["fanfold[all]", "duckdb>=2,<3", "lithops==3.8.0", "polars>=2,<3"]
#
# [tool.uv.sources]
# fanfold = { path = "..", editable = true }
# ///
"""Tables beside their peers, in one run on equal cores: CSV to Parquet, JSON, memory, and a job on the whole engine.

`uv run benchmarks/table.py --quick` tries it all on little data; without `--quick` it takes some GB of disk and a
quarter of an hour. `--save` writes the plots and figures of docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import contest
import table_data
import table_report
from contest import CORES, Figures, alternated, pin, say

HERE = Path(__file__).resolve().parent
MIB = 1 << 20


@dataclass(frozen=True)
class Scale:
    """How much data a run takes, in bytes."""

    csv: int = 500 * MIB
    lithops: int = 128 * MIB
    lithops_chunk: str = "16MiB"
    json: int = 128 * MIB
    memory: Sequence[int] = (64 * MIB, 250 * MIB, 1024 * MIB)
    memory_chunk: int = 16 * MIB
    chunks: Sequence[int] = (4 * MIB, 16 * MIB, 64 * MIB, 128 * MIB)
    chunk: str = "64MiB"
    rounds: int = 3


QUICK = Scale(
    csv=24 * MIB,
    lithops=8 * MIB,
    lithops_chunk="2MiB",
    json=8 * MIB,
    memory=(8 * MIB, 24 * MIB),
    memory_chunk=2 * MIB,
    chunks=(2 * MIB, 8 * MIB),
    chunk="8MiB",
    rounds=2,
)


@dataclass
class Bench:
    """What every section needs."""

    scale: Scale
    data: Path
    work: Path
    limit_s: float
    results: Figures = field(default_factory=dict)

    def csv(self, size_bytes: int) -> Path:
        return table_data.write_csv(self.data / f"{size_bytes // MIB}MiB.csv", size_bytes)

    def json(self, shape: str) -> Path:
        size_bytes = self.scale.json
        return table_data.write_json(self.data / f"{size_bytes // MIB}MiB-{shape}.json", size_bytes, shape)

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """An empty folder for the engine."""
        with tempfile.TemporaryDirectory(dir=self.work) as made:
            yield Path(made)

    def contest(self, name: str, check: Callable[[Figures], Any] | None = None, **given: Any) -> Figures:
        """Run one contestant once."""
        return contest.run("table_contest.py", name, self.work, self.limit_s, check, **given)


def contents(figures: Figures) -> list[Any]:
    """Return what tells whether two contestants wrote the same table: rows, sums and lengths."""
    import duckdb

    made = figures["made"]
    asked = (
        "count(*), sum(order_id), sum(qty), round(sum(price), 2), round(sum(discount), 4), count(status), "
        "sum(length(comment)), count(comment), count_if(active), max(created_at)::VARCHAR, sum(day - DATE '2023-01-01')"
    )
    found = duckdb.connect().execute(f"SELECT {asked} FROM read_parquet({made})").fetchone()
    return [str(value) for value in found or ()] + [str(sum(Path(path).stat().st_size for path in made))]


def csv_to_parquet(bench: Bench) -> Figures:
    """500 MB of CSV to Parquet, beside DuckDB and Polars on all of it, and Lithops on a share."""
    path, share, chunk = bench.csv(bench.scale.csv), bench.csv(bench.scale.lithops), bench.scale.chunk
    cut = bench.scale.lithops_chunk
    found = alternated(
        bench.scale.rounds,
        {
            "fanfold": lambda: bench.contest("fanfold_csv", contents, path=path, chunk=chunk),
            "DuckDB": lambda: bench.contest("duckdb_csv", contents, path=path),
            "Polars": lambda: bench.contest("polars_csv", contents, path=path),
        },
    )
    small = alternated(
        bench.scale.rounds,
        {
            "fanfold": lambda: bench.contest("fanfold_csv", contents, path=share, chunk=cut),
            "Lithops, csv": lambda: bench.contest("lithops_csv", contents, path=share, chunk=cut, parser="csv"),
            "Lithops, pyarrow": lambda: bench.contest("lithops_csv", contents, path=share, chunk=cut, parser="pyarrow"),
        },
    )
    return {"bytes": path.stat().st_size, "whole": found, "share_bytes": share.stat().st_size, "share": small}


def json_to_lines(bench: Bench) -> Figures:
    """JSON Lines and arrays to JSON Lines, one core, beside a plain program of orjson."""
    shapes = {"lines": "jsonl", "compact": "json", "pretty": "json"}
    made = {}
    for shape, format in shapes.items():
        path = bench.json(shape)
        found = alternated(
            bench.scale.rounds,
            {
                "fanfold": lambda: bench.contest("fanfold_json", path=path, format=format, chunk="64MiB", cores=1),  # noqa: B023
                "orjson": lambda: bench.contest("orjson_json", path=path, format=format, cores=1),  # noqa: B023
            },
        )
        made[shape] = found | {"bytes": path.stat().st_size}
    return made


def memory(bench: Bench) -> Figures:
    """Peaks of memory as the object grows at one chunk size, and as the chunk grows in one object."""
    by_size, by_chunk = [], []
    for size in bench.scale.memory:
        path = bench.csv(size)
        found = bench.contest("memory", path=path, chunk=f"{bench.scale.memory_chunk}B", output="parquet")
        by_size.append({"bytes": path.stat().st_size, **found})
        say(f"  object of {size // MIB} MiB: {found}")
    path = bench.csv(bench.scale.memory[1])
    for chunk in bench.scale.chunks:
        for output in ("parquet", "jsonl"):
            found = bench.contest("memory", path=path, chunk=f"{chunk}B", output=output)
            by_chunk.append({"chunk_bytes": chunk, "output": output, **found})
            say(f"  chunk of {chunk // MIB} MiB to {output}: {found}")
    return {"chunk_bytes": bench.scale.memory_chunk, "by_size": by_size, "by_chunk": by_chunk}


def whole_engine(bench: Bench) -> Figures:
    """The same job from the command line through the embedded engine: where its time goes."""
    path = bench.csv(bench.scale.csv)
    recipe = {"table": {"output": "parquet", "chunk": bench.scale.chunk, "concurrency": CORES}}
    with bench.folder() as home:
        recipes = home / "recipes.json"
        recipes.write_text(json.dumps({"version": 1, "recipes": {"orders": recipe}}))
        try:
            fanfold(home, "up", limit_s=bench.limit_s)
            warm = home / "warm.csv"
            warm.write_text("a,b\n1,2\n")
            fanfold(home, "run", str(warm), "--out", str(home / "out"), limit_s=bench.limit_s)
            began = time.perf_counter()
            given = ["--recipe", "orders", "--recipes", str(recipes), "--out", str(home / "out"), "--json"]
            ran = fanfold(home, "run", str(path), *given, limit_s=bench.limit_s)
            wall = time.perf_counter() - began
            job = json.loads(ran)
            if job["status"] != "SUCCEEDED":
                return {"failed": f"{job['status']}: {job['error']}"}
            shown = json.loads(fanfold(home, "show", job["job_id"], "--json", limit_s=bench.limit_s))
            shown = shown[0] if isinstance(shown, list) else shown
        finally:
            fanfold(home, "down", limit_s=60)
        told = contents({"made": [str(home / "out" / "rows.parquet")]})
    states: dict[str, float] = {}
    for state in shown["states"]:
        states[state["name"]] = states.get(state["name"], 0.0) + (state["seconds"] or 0.0)
    attempts = [line["seconds"] or 0.0 for line in shown["chunks_detail"]]
    return {
        "wall_s": wall,
        "workers_s": sum(attempts) / CORES,
        "states_s": states,
        "execution_s": sum(states.values()),
        "chunks": job["chunks"],
        "told": told,
    }


def fanfold(home: Path, *words: str, limit_s: float) -> str:
    """Run the command with an engine of its own in `home`."""
    environment = os.environ | {"FANFOLD_HOME": str(home / "engine")}
    command = [sys.executable, "-c", "from fanfold.cli import main; main()", *words]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=limit_s, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stderr)
    return done.stdout


SECTIONS = {"csv": csv_to_parquet, "json": json_to_lines, "memory": memory, "engine": whole_engine}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="little data, to see that it works")
    arguments.add_argument("--only", choices=SECTIONS, action="append", help="one section; may be given again")
    arguments.add_argument("--rounds", type=int, help="how often everybody runs")
    arguments.add_argument("--data", type=Path, default=Path(tempfile.gettempdir()) / "fanfold-benchmark")
    arguments.add_argument("--limit", type=float, default=900, help="seconds that one contestant may take")
    arguments.add_argument("--save", action="store_true", help="write docs/benchmarks.md's plots and figures")
    given = arguments.parse_args()
    if given.save and (given.quick or given.only):
        arguments.error("--save keeps the figures of a whole run: leave --quick and --only out")
    pin(CORES)
    scale = QUICK if given.quick else Scale()
    if given.rounds:
        scale = Scale(**{**vars(scale), "rounds": given.rounds})
    given.data.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=given.data) as work:
        bench = Bench(scale, given.data, Path(work), given.limit)
        results = contest.sections(SECTIONS, given.only, bench)
        results["quick"] = given.quick
    say("")
    say(table_report.text(results))
    if given.save:
        table_report.save(results, HERE.parent / "docs")


if __name__ == "__main__":
    main()
