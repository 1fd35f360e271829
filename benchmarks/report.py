"""What the scripts measured, kept in the documentation: figures as text, plots, and the figures as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Figures = dict[str, Any]

MB = 1_000_000
MIB = 1 << 20

END = "<!-- end of figures -->"


def save(name: str, results: Figures, text: str, images: Mapping[str, tuple[str, str]], docs: Path) -> None:
    """Write what benchmarks/<name>.py found into docs/benchmarks.md, between its two comments.

    images: by the plot's name what it shows, in words, and its SVG.
    """
    plots = docs / "plots"
    plots.mkdir(exist_ok=True)
    (plots / f"{name}.json").write_text(json.dumps(_lasting(results), indent=1) + "\n")
    for plot, (_, image) in images.items():
        (plots / f"{name}-{plot}.svg").write_text(image)
    page = docs / "benchmarks.md"
    begin = f"<!-- figures of benchmarks/{name}.py -->"
    before, found, rest = page.read_text().partition(begin)
    if not found:
        raise SystemExit(f"{page} has no line {begin}")
    after = rest.partition(END)[2]
    shown = "\n\n".join(f"![{says}](plots/{name}-{plot}.svg)" for plot, (says, _) in images.items())
    page.write_text(f"{before}{begin}\n\n{shown}\n\n```text\n{text}\n```\n\n{END}{after}")


def _lasting(figures: Any) -> Any:
    """Return figures without where the files were that they are of."""
    if isinstance(figures, list):
        return list(map(_lasting, figures))
    if not isinstance(figures, dict):
        return figures
    return {name: _lasting(value) for name, value in figures.items() if name != "made"}
