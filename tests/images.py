"""Make every output of every file below the folders that are named, and see that each ends in outputs or a named error.

Prints how many ended how, what took longest, and each file that ended otherwise: with an error that has no name of
ours, with a worker that died, or not within the limit. The exit status is 1 where one did.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import TimeoutError as TookTooLong
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from fanfold import kinds
from fanfold.errors import FanfoldError
from fanfold.kinds.image.recipe import ImageRecipe
from tests.kinds.driver import run
from tests.memory import peak_bytes

RECIPE = {
    "renditions": [
        {"name": "small", "width": 100, "height": 100, "format": "webp", "metadata": "keep"},
        {"name": "square", "width": 64, "height": 64, "fit": "cover"},
    ],
    "tiles": {},
    "convert": {"format": "png"},
}


@dataclass(frozen=True)
class Ended:
    """How a job ended."""

    how: str
    """`outputs`, the name of an error of ours, or what must not be."""
    is_named: bool
    seconds: float = 0.0
    grown_bytes: int = 0
    """By how much the process grew, at most."""


def end_of(path: Path) -> Ended:
    """Run a job in this process."""
    data = path.read_bytes()
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, began = peak_bytes(), time.perf_counter()
    how, is_named = "outputs", True
    try:
        outputs = run(kinds.get("image"), data, ImageRecipe.model_validate(RECIPE)).outputs
        json.loads(outputs["metadata.json"])
        assert {"small.webp", "square.jpg", "tiles.dzi", "converted.png"} <= outputs.keys()
    except FanfoldError as error:
        how, is_named = type(error).__name__, "\n" not in str(error)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
        how, is_named = f"{type(error).__name__}: {error}", False
    return Ended(how, is_named, time.perf_counter() - began, peak_bytes() - before)


def ends(paths: list[Path], limit_s: float) -> list[Ended]:
    """Run a job for each file, all in one process as long as it lives."""
    found: list[Ended] = []
    pool = _pool()
    for path in paths:
        try:
            found.append(pool.submit(end_of, path).result(timeout=limit_s))
            continue
        except TookTooLong:
            found.append(Ended(f"not within {limit_s:.0f} s", False))
        except BrokenProcessPool:
            found.append(Ended("the worker died", False))
        for process in pool._processes.values():
            process.kill()
        pool = _pool()
    pool.shutdown()
    return found


def _pool() -> ProcessPoolExecutor:
    pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
    pool.submit(_warm).result()
    return pool


def _warm() -> None:
    """Load what a job loads."""
    import_module("fanfold.kinds.image.working")


def main(words: list[str]) -> int:
    arguments = argparse.ArgumentParser(prog="python -m tests.images", description=__doc__)
    arguments.add_argument("folders", nargs="+", type=Path)
    arguments.add_argument("--limit", type=float, default=30, help="seconds that a file may take")
    given = arguments.parse_args(words)
    paths = sorted(path for folder in given.folders for path in folder.rglob("*") if path.is_file())
    found = dict(zip(paths, ends(paths, given.limit), strict=True))
    for path, ended in found.items():
        if not ended.is_named:
            say(f"{path}: {ended.how}")
    say(f"{len(found):,} files")
    for how, count in Counter(ended.how for ended in found.values() if ended.is_named).most_common():
        say(f"{count:6,} {how}")
    for refused, what in ((False, "outputs"), (True, "a refusal")):
        some = {path: one for path, one in found.items() if one.is_named and (one.how != "outputs") == refused}
        if some:
            slow = max(some, key=lambda path: some[path].seconds)
            large = max(some, key=lambda path: some[path].grown_bytes)
            say(f"slowest to {what}: {some[slow].seconds:.2f} s, {slow}")
            say(f"largest for {what}: {some[large].grown_bytes / 1e6:.0f} MB, {large}")
    return any(not ended.is_named for ended in found.values())


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
