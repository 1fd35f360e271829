"""What benchmarks/image.py measured, in words and in plots."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import charts
import report
from report import MB, Figures

PLOTS = {
    "cpu": "CPU of pyramids and renditions beside libvips",
    "scaling": "Every output of 400 megapixels by more workers",
    "memory": "Memory as the image grows",
}
WORKERS = (1, 2, 4, 8, 16, 32, 64)
FORMS = {"tif": "tiled TIFF", "restarts.jpg": "JPEG with restarts", "jpg": "JPEG", "png": "PNG"}

PYRAMID_CLAIM, RENDITIONS_CLAIM, MEMORY_CLAIM_BYTES = 1.3, 1.0, 400 * MB


def text(results: Figures) -> str:
    """Return all figures as lines of text."""
    sections = {
        "pyramid": pyramid_text,
        "renditions": renditions_text,
        "exact": exact_text,
        "scaling": scaling_text,
        "memory": memory_text,
    }
    return "\n".join(line for name, tell in sections.items() if name in results for line in tell(results))


def shown(pixels: int) -> str:
    return f"{pixels / 1e6:,.0f} megapixels"


def line(name: str, found: Figures) -> str:
    if "failed" in found:
        return f"{name:32} {found['failed']}"
    return f"{name:32} {found['wall_s']:8.2f} s wall {found['cpu_s']:8.2f} s CPU"


def ratio(runs: Figures) -> float | None:
    """Return how much of libvips' CPU fanfold takes."""
    mine, theirs = runs["fanfold"], runs["libvips"]
    return None if "failed" in mine or "failed" in theirs else float(mine["cpu_s"]) / float(theirs["cpu_s"])


def claim(runs: Figures, what: str, most: float) -> str:
    measured = ratio(runs)
    told = "not measured" if measured is None else f"{measured:.2f} x, claimed at most {most} x"
    return f"CPU of fanfold / {what}: {told}"


def pyramid_text(results: Figures) -> Iterator[str]:
    found = results["pyramid"]
    yield f"Deep Zoom of {shown(found['pixels'])}, {results['cores']} cores"
    for form, runs in found["forms"].items():
        for name in ("fanfold", "libvips"):
            yield line(f"{FORMS[form]}, {name}", runs[name])
        yield claim(runs, f"dzsave, {FORMS[form]}", PYRAMID_CLAIM)


def renditions_text(results: Figures) -> Iterator[str]:
    found = results["renditions"]
    yield f"four renditions of a JPEG of {shown(found['pixels'])}, one core"
    for name in ("fanfold", "libvips"):
        yield line(name, found[name])
    yield claim(found, "vipsthumbnail", RENDITIONS_CLAIM)


def exact_text(results: Figures) -> Iterator[str]:
    found = results["exact"]
    yield f"files of the pyramid of {shown(found['pixels'])} with the bytes of dzsave's"
    for one in found["grids"]:
        if "failed" in one:
            yield one["failed"]
        else:
            yield f"tiles of {one['size']} + {one['overlap']}: {one['identical']:,} of {one['wanted']:,}"


def walls(found: Figures) -> dict[int, float]:
    """Return by the number of workers how long a job takes: its rounds one after the other, by measured parts.

    Each part takes a core of its own; starting a worker takes nothing.
    """
    alone = found["steps_s"]["plan"] + found["steps_s"]["merge"]
    return {count: alone + sum(makespan(parts, count) for parts in found["parts_s"]) for count in WORKERS}


def makespan(parts: Sequence[float], workers: int) -> float:
    """Return when the last of some parts ends, each given to the worker that is free first."""
    free = [0.0] * workers
    for seconds in parts:
        heapq.heapreplace(free, free[0] + seconds)
    return max(free)


def scaling_text(results: Figures) -> Iterator[str]:
    found = results["scaling"]
    yield f"every output of {shown(found['pixels'])}: seconds with so many workers, by measured parts"
    yield f"{'':20}" + "".join(f"{count:8}" for count in WORKERS)
    for form, one in found["forms"].items():
        if "failed" in one:
            yield f"{FORMS[form]:20} {one['failed']}"
            continue
        yield f"{FORMS[form]:20}" + "".join(f"{wall:8.2f}" for wall in walls(one).values())


def memory_text(results: Figures) -> Iterator[str]:
    yield f"peak memory in MB while every output is made; claimed at most {MEMORY_CLAIM_BYTES / MB:.0f}"
    for one in results["memory"]["images"]:
        name = f"{shown(one['pixels'])}, {FORMS[one['form']]}"
        if "failed" in one:
            yield f"{name:32} {one['failed']}"
            continue
        peaks = "   ".join(f"{step} {size / MB:,.0f}" for step, size in one["peaks_bytes"].items())
        yield f"{name:32} {peaks}   in {one['wall_s']:,.0f} s"


def save(results: Figures, docs: Path) -> None:
    """Write the plots and the figures of docs/benchmarks.md; sections that did not run are those of the last time."""
    saved = docs / "plots/image.json"
    results = (json.loads(saved.read_text()) if saved.exists() else {}) | results
    images = {name: (PLOTS[name], image) for name, image in drawn(results).items()}
    report.save("image", results, text(results), images, docs)


def drawn(results: Figures) -> dict[str, str]:
    """Return the plots by name."""
    images = {}
    if "pyramid" in results and "renditions" in results:
        images["cpu"] = cpu_plot(results)
    if "scaling" in results:
        images["scaling"] = scaling_plot(results["scaling"])
    if "memory" in results:
        images["memory"] = memory_plot(results["memory"])
    return images


def cpu_plot(results: Figures) -> str:
    contests = {f"pyramid, {FORMS[form]}": runs for form, runs in results["pyramid"]["forms"].items()}
    contests["renditions, JPEG"] = results["renditions"]
    ratios = {what: ratio(runs) for what, runs in contests.items()}
    rows = {what: {"ratio": measured} for what, measured in ratios.items() if measured is not None}
    notes = {what: f"{row['ratio']:.2f}" for what, row in rows.items()}
    return charts.stacked("CPU beside libvips", "fanfold's CPU for one of libvips'; less is better", rows, notes)


def scaling_plot(found: Figures) -> str:
    series = {
        FORMS[form]: [(float(count), wall) for count, wall in walls(one).items()]
        for form, one in found["forms"].items()
        if "failed" not in one
    }
    return charts.lines(f"Every output of {shown(found['pixels'])}, by measured parts", "workers", "seconds", series)


def memory_plot(found: Figures) -> str:
    series: dict[str, list[tuple[float, float]]] = {}
    for one in found["images"]:
        if "failed" not in one:
            for step in ("worker", "merge", "split"):
                point = round(one["pixels"] / 1e6), one["peaks_bytes"][step] / MB
                series.setdefault(f"{step}, {FORMS[one['form']]}", []).append(point)
    return charts.lines("Memory while every output is made", "megapixels", "peak, MB", series)
