"""How things look: sizes, durations, statuses, tables, and JSON for programs."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from unicodedata import category

COLOURS = {"SUCCEEDED": "green", "PARTIAL": "yellow", "FAILED": "red", "RUNNING": "cyan", "IGNORED": "dim"}


def print_json(data: object) -> None:
    """Print one object on one line of standard output."""
    sys.stdout.write(json.dumps(data, ensure_ascii=False, default=_plain) + "\n")
    sys.stdout.flush()


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return str(value)


def plain(text: object, kept: str = "") -> str:
    """Return text with its control characters escaped: keys and rows hold any, and a terminal obeys some of them."""
    return "".join(
        one if one in kept or not category(one).startswith("C") else one.encode("unicode_escape", "replace").decode()
        for one in str(text)
    )


def say(text: str = "") -> None:
    """Print text for people; markup in data is shown as it is."""
    from rich.console import Console
    from rich.text import Text

    Console(highlight=False, soft_wrap=True).print(Text(plain(text, kept="\n\t")))


def wrong(name: str, message: str, remedy: str) -> None:
    """Print an error on standard error: one line, with the remedy."""
    sys.stderr.write(f"fanfold: {name}: {plain(message).rstrip('.')}. {remedy}\n")


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under headings. A cell that is a status gets its colour."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        made.add_column(heading, overflow="fold")
    for row in rows:
        made.add_row(*(Text(plain(_cell(cell)), style=COLOURS.get(str(cell), "")) for cell in row))
    Console(highlight=False, width=None if sys.stdout.isatty() else 160).print(made)


def _cell(value: object) -> object:
    return json.dumps(value, ensure_ascii=False, default=_plain) if isinstance(value, list | dict) else value


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


def when(iso: str | None) -> str:
    """Return a time of the Jobs table in the local zone."""
    if not iso:
        return "–"
    return datetime.fromisoformat(iso.replace("Z", "+00:00")).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def elapsed(item: dict[str, Any]) -> float | None:
    """Return how long a job took, None while it runs."""
    if not (item.get("started") and item.get("stopped")):
        return None
    started, stopped = (datetime.fromisoformat(item[name].replace("Z", "+00:00")) for name in ("started", "stopped"))
    return (stopped - started).total_seconds()


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
