"""What benchmarks/table.py measured, in words and in plots."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import charts
import report
from report import MB, MIB, Figures
from table_contest import LEVEL

PLOTS = {
    "csv": "CSV to Parquet beside DuckDB, Polars and Lithops",
    "json": "JSON beside a plain program of orjson",
    "memory": "Memory as the object grows",
    "memory-by-chunk": "Memory as the chunk grows",
    "engine": "The same job through the whole engine",
}


def rate(found: Figures, size_bytes: int) -> float:
    """Return MB a second."""
    return size_bytes / MB / float(found["wall_s"])


def text(results: Figures) -> str:
    """Return all figures as lines of text."""
    sections = {"csv": csv_text, "json": json_text, "memory": memory_text, "engine": engine_text}
    return "\n".join(line for name, tell in sections.items() if name in results for line in tell(results))


def line(name: str, found: Figures, size_bytes: int) -> str:
    if "failed" in found:
        return f"{name:20} {found['failed']}"
    speed = rate(found, size_bytes)
    return f"{name:20} {found['wall_s']:8.2f} s wall {found['cpu_s']:8.2f} s CPU {speed:8.1f} MB/s"


def ratio(one: Figures, other: Figures) -> float | None:
    """Return how many times as quick the one is."""
    return None if "failed" in one or "failed" in other else float(other["wall_s"]) / float(one["wall_s"])


def csv_ratios(found: Figures) -> dict[str, tuple[float | None, float]]:
    """Return by claim what was measured and what is claimed."""
    whole, share = found["whole"], found["share"]
    peers = [whole[name] for name in ("DuckDB", "Polars") if "failed" not in whole[name]]
    better = min(peers, key=lambda peer: peer["wall_s"]) if peers else {"failed": "both"}
    return {
        "the better of DuckDB and Polars": (ratio(whole["fanfold"], better), 1.1),
        **{name: (ratio(share["fanfold"], share[name]), 3.0) for name in share if name != "fanfold"},
    }


def claim(what: str, measured: float | None, claimed: float) -> str:
    shown = "not measured" if measured is None else f"{measured:.2f} x"
    return f"fanfold / {what}: {shown}, claimed {claimed} x"


def csv_text(results: Figures) -> Iterator[str]:
    found = results["csv"]
    yield f"CSV to Parquet, zstd {LEVEL}, {results['cores']} cores, {found['bytes'] / MB:,.0f} MB"
    for name, one in found["whole"].items():
        yield line(name, one, found["bytes"])
    yield f"on {found['share_bytes'] / MB:,.0f} MB of it"
    for name, one in found["share"].items():
        yield line(name, one, found["share_bytes"])
    for what, (measured, claimed) in csv_ratios(found).items():
        yield claim(what, measured, claimed)
    yield from differences(found["whole"])
    yield from differences(found["share"])


def differences(runs: Figures) -> Iterator[str]:
    """Tell what each wrote, and who wrote another table than fanfold did."""
    mine = runs["fanfold"].get("told", [""])
    for name, one in runs.items():
        if told := one.get("told"):
            same = "" if told[:-1] == mine[:-1] else f"; not the table that fanfold wrote: {told[:-1]} and {mine[:-1]}"
            yield f"{name} wrote {int(told[0]):,} rows, {int(told[-1]) / MB:,.1f} MB{same}"


def json_text(results: Figures) -> Iterator[str]:
    yield "JSON to JSON Lines, one core"
    for shape, found in results["json"].items():
        for name in ("fanfold", "orjson"):
            yield line(f"{shape}, {name}", found[name], found["bytes"])
        yield claim(f"plain orjson, {shape}", ratio(found["fanfold"], found["orjson"]), 0.95)


def memory_text(results: Figures) -> Iterator[str]:
    found = results["memory"]
    yield f"peak memory in MiB, chunks of {found['chunk_bytes'] // MIB} MiB"
    for one in found["by_size"]:
        yield f"object of {one['bytes'] / MIB:8,.0f} MiB   {peaks(one)}"
    yield f"and an object of {found['by_size'][1]['bytes'] / MIB:,.0f} MiB, by chunk"
    for one in found["by_chunk"]:
        yield f"chunk of {one['chunk_bytes'] / MIB:9,.0f} MiB   {one['output']:8} {peaks(one)}"


def peaks(one: Figures) -> str:
    if "failed" in one:
        return str(one["failed"])
    return "   ".join(f"{name} {size / MIB:,.0f}" for name, size in one["peaks_bytes"].items())


def engine_text(results: Figures) -> Iterator[str]:
    found = results["engine"]
    if "failed" in found:
        yield f"through the whole engine: {found['failed']}"
        return
    wall, workers = found["wall_s"], found["workers_s"]
    yield f"the same job through the whole engine: {wall:.2f} s, {wall - workers:.2f} s of it outside the workers"
    for name, seconds in engine_parts(found).items():
        yield f"  {name:24} {seconds:8.2f} s {seconds / wall:7.1%}"
    if "csv" in results:
        for name, one in results["csv"]["whole"].items():
            if "failed" not in one:
                yield f"  {name:24} {one['wall_s']:8.2f} s without an engine"


def engine_parts(found: Figures) -> dict[str, float]:
    """Return where the wall time went; `workers` is what two cores need for all attempts."""
    states = found["states_s"]
    process = sum(seconds for name, seconds in states.items() if name.startswith("Process"))
    workers = min(found["workers_s"], process)
    rest = sum(seconds for name, seconds in states.items() if name not in ("Split", "Merge", "Process"))
    return {
        "workers": workers,
        "orchestration": process - workers + rest,
        "split": states.get("Split", 0.0),
        "merge": states.get("Merge", 0.0),
        "upload and download": found["wall_s"] - found["execution_s"],
    }


def save(results: Figures, docs: Path) -> None:
    """Write the plots and the figures of docs/benchmarks.md."""
    images = {name: (PLOTS[name], image) for name, image in drawn(results).items()}
    report.save("table", results, text(results), images, docs)


def drawn(results: Figures) -> dict[str, str]:
    """Return the plots by name."""
    images = {}
    if "csv" in results:
        images["csv"] = csv_plot(results["csv"], results["cores"])
    if "json" in results:
        images["json"] = json_plot(results["json"])
    if "memory" in results:
        images |= memory_plots(results["memory"])
    if "engine" in results and "failed" not in results["engine"]:
        images["engine"] = engine_plot(results)
    return images


def csv_plot(found: Figures, cores: int) -> str:
    rows, notes = {}, {}
    for runs, size in ((found["whole"], found["bytes"]), (found["share"], found["share_bytes"])):
        for name, one in runs.items():
            if "failed" in one:
                continue
            shown = f"{name}, {size / MB:,.0f} MB"
            speed = rate(one, size)
            rows[shown], notes[shown] = {"speed": speed}, f"{speed:,.0f}"
    return charts.stacked(f"CSV to Parquet on {cores} cores", "MB of CSV a second; more is better", rows, notes)


def json_plot(found: Figures) -> str:
    rows, notes = {}, {}
    for shape, runs in found.items():
        for name in ("fanfold", "orjson"):
            if "failed" not in runs[name]:
                speed = rate(runs[name], runs["bytes"])
                rows[f"{name}, {shape}"], notes[f"{name}, {shape}"] = {"speed": speed}, f"{speed:,.0f}"
    return charts.stacked("JSON to JSON Lines on one core", "MB of JSON a second; more is better", rows, notes)


def memory_plots(found: Figures) -> dict[str, str]:
    chunk = found["chunk_bytes"] // MIB
    size = found["by_size"][1]["bytes"] / MIB
    return {
        "memory": charts.lines(
            f"Memory as the object grows, chunks of {chunk} MiB", "object, MiB", "peak, MiB",
            peak_series(found["by_size"], "bytes"),
        ),
        "memory-by-chunk": charts.lines(
            f"Memory as the chunk grows, an object of {size:,.0f} MiB", "chunk, MiB", "peak, MiB",
            chunk_series(found["by_chunk"]),
        ),
    }  # fmt: skip


def peak_series(runs: list[Figures], across: str) -> dict[str, list[tuple[float, float]]]:
    ended = [one for one in runs if "failed" not in one]
    return {
        name: [(round(one[across] / MIB), one["peaks_bytes"][name] / MIB) for one in ended]
        for name in ("worker", "merge", "split")
    }


def chunk_series(runs: list[Figures]) -> dict[str, list[tuple[float, float]]]:
    """Parquet's row groups have a size of their own, so that a small chunk saves less memory than with JSON Lines."""
    drawn = {}
    for output, shown in (("parquet", "worker, to Parquet"), ("jsonl", "worker, to JSON Lines")):
        drawn[shown] = peak_series([one for one in runs if one["output"] == output], "chunk_bytes")["worker"]
    rest = peak_series([one for one in runs if one["output"] == "parquet"], "chunk_bytes")
    return drawn | {name: rest[name] for name in ("merge", "split")}


def engine_plot(results: Figures) -> str:
    found = results["engine"]
    rows = {"fanfold, engine": engine_parts(found)}
    notes = {"fanfold, engine": f"{found['wall_s']:.1f} s"}
    if "csv" in results:
        for name, one in results["csv"]["whole"].items():
            if "failed" not in one:
                rows[name], notes[name] = {"without an engine": one["wall_s"]}, f"{one['wall_s']:.1f} s"
    return charts.stacked("The same job, from the command to the file", "seconds; less is better", rows, notes)
