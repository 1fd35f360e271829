"""How things look: sizes, durations, statuses, tables, and JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from decimal import Decimal
from unicodedata import category

from fanfold.figures import duration, elapsed, size, summed, when

__all__ = ["duration", "elapsed", "plain", "print_json", "say", "size", "summed", "table", "when", "wrong"]

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
    if isinstance(text, dict | list):
        text = json.dumps(text, ensure_ascii=False, default=_plain)
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
