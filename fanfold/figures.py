"""Figures as people read them: sizes, durations, times, and many outputs summed up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any


def size(count: int | float) -> str:
    """Return a number of bytes as people read it."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def duration(seconds: float | None) -> str:
    """Return a duration as people read it."""
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def instant(iso: str) -> datetime:
    """Return a time of the Jobs table."""
    return datetime.fromisoformat(iso.replace("Z", "+00:00"))


def when(iso: str | None) -> str:
    """Return a time of the Jobs table in the local zone."""
    return instant(iso).astimezone().strftime("%Y-%m-%d %H:%M:%S") if iso else "–"


def elapsed(item: Mapping[str, Any]) -> float | None:
    """Return how long a job took, None while it runs."""
    if not (item.get("started") and item.get("stopped")):
        return None
    return (instant(item["stopped"]) - instant(item["started"])).total_seconds()


LISTED = 8
"""The most outputs of one folder that are listed one by one."""


def summed(outputs: Sequence[Mapping[str, Any]], where: str) -> Iterator[tuple[str, str]]:
    """Yield where outputs lie, and their size: each for itself, but of a folder of many the folder."""
    folders = Counter(_folder(output) for output in outputs)
    shown: dict[str, list[int]] = {}
    for output in outputs:
        folder = _folder(output)
        many = folder and folders[folder] > LISTED
        path = output[where].removesuffix(output["name"]) + folder + "/" if many else output[where]
        found = shown.setdefault(path, [0, 0])
        found[0] += 1
        found[1] += output["bytes"]
    for path, (count, total) in shown.items():
        yield path, (f"{count:,} files, " if count > 1 else "") + size(total)


def _folder(output: Mapping[str, Any]) -> str:
    return str(output["name"]).rpartition("/")[0].partition("/")[0]
