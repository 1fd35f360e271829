"""How pages are made: templates that escape whatever they show, and the words and signs for figures and statuses."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from fanfold import __version__, figures
from fanfold.aws.jobs import STATUSES

SIGNS = {
    "SUCCEEDED": "✓",
    "PARTIAL": "◐",
    "FAILED": "✕",
    "TIMED_OUT": "✕",
    "RUNNING": "▶",
    "PENDING": "○",
    "IGNORED": "–",
    "ABORTED": "■",
    "succeeded": "✓",
    "reused": "↺",
    "repaired": "✚",
    "failed": "✕",
    "running": "▶",
    "pending": "○",
}
"""A sign for every status: its colour is never the only thing that tells it."""

TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "txt": "text/plain"}


def assets() -> dict[str, tuple[bytes, str]]:
    """Return everything that the pages load, by name, with its content type: no other file can be asked for."""
    found = files("fanfold.console").joinpath("static")
    return {
        one.name: (one.read_bytes(), TYPES[one.name.rpartition(".")[2]] + "; charset=utf-8")
        for one in found.iterdir()
        if one.name.rpartition(".")[2] in TYPES
    }


def usd(cost: float | None) -> str:
    """Return an amount as people read it: cents where there are some, else two digits that say something."""
    if cost is None:
        return "–"
    return f"${cost:.2f}" if cost >= 0.995 else f"${cost:.2g}" if cost >= 0.0001 else "<$0.0001" if cost else "$0"


def printed(value: Any) -> str:
    """Return a value as indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int | float) else "–"


def span(found: dict[str, Any]) -> str:
    """Return what a chunk works on, in short."""
    if {"start", "stop"} <= found.keys():
        return f"{found['start']:,} to {found['stop']:,}"
    return ", ".join(f"{name} {value}" for name, value in found.items() if isinstance(value, int | str))


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("fanfold.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "duration": figures.duration,
        "number": number,
        "printed": printed,
        "size": figures.size,
        "span": span,
        "usd": usd,
        "when": figures.when,
    }
    made.globals |= {"SIGNS": SIGNS, "STATUSES": STATUSES, "version": __version__, "elapsed": figures.elapsed}
    return made


_TEMPLATES = _environment()


def part(template: str, **context: Any) -> Markup:
    """Return a template made, safe to be put into another one."""
    return Markup(_TEMPLATES.get_template(template).render(context))  # noqa: S704 - made with autoescape on


def page(template: str, status: int = 200, **context: Any) -> HTMLResponse:
    """Return a page."""
    return HTMLResponse(_TEMPLATES.get_template(template).render(context), status)
