"""Contestants that run in turn on equal cores, each at one piece of work in a process of its own.

`python benchmarks/X_contest.py NAME '{…}'` prints one line of JSON. `wall_s` is the work alone: what a contestant loads
before it, and the start of its workers, is left out for all of them alike. `cpu_s` is user and system time of all its
threads and workers.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent

CORES = 2

Figures = dict[str, Any]


def pin(count: int) -> None:
    """Keep this process and its children on `count` cores, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:count]))


@contextmanager
def clock(figures: Figures) -> Iterator[None]:
    """Time what runs inside."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    figures |= {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}


def main(contestants: Sequence[Callable[..., Figures]]) -> None:
    """Be the contestant that the command line names; of what it is given, `path` and `out` are paths."""
    name, given = sys.argv[1], json.loads(sys.argv[2])
    pin(given.pop("cores", CORES))
    arguments = {key: Path(value) if key in ("path", "out") else value for key, value in given.items()}
    print(json.dumps(next(one for one in contestants if one.__name__ == name)(**arguments)))


def sections(known: Mapping[str, Callable[[Any], Figures]], asked: Sequence[str] | None, bench: Any) -> Figures:
    """Run the sections that are asked for, else all; return the figures of each by its name, and what they ran on."""
    results: Figures = {"cores": CORES, "python": platform.python_version(), "machine": platform.machine()}
    for name in asked or known:
        say(f"{name}: {(known[name].__doc__ or '').splitlines()[0]}")
        results[name] = known[name](bench)
    return results


def run(
    script: str, name: str, work: Path, limit_s: float, check: Callable[[Figures], Any] | None = None, **given: Any
) -> Figures:
    """Run one contestant of a script once, in an empty folder of `work`, and end all that it leaves behind.

    check: says of the figures, while the folder is there, what is kept as `told`.
    """
    with tempfile.TemporaryDirectory(dir=work) as out:
        command = [sys.executable, str(HERE / script), name, json.dumps(given | {"out": out}, default=str)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started = subprocess.Popen(command, text=True, start_new_session=True, **pipes)
        try:
            answer, errors = started.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            return {"failed": f"did not end within {limit_s:.0f} s"}
        finally:
            _end(started)
        if started.returncode:
            why = [line for line in errors.splitlines() if line and not line[0].isspace()]
            return {"failed": f"ended with {started.returncode}: {' '.join(why[-2:])[:200]}"}
        figures: Figures = json.loads(answer.splitlines()[-1])
        if check:
            figures["told"] = check(figures)
        return figures


def _end(started: subprocess.Popen[str]) -> None:
    """End a contestant and its children: its session holds nothing else."""
    with suppress(ProcessLookupError):
        os.killpg(started.pid, signal.SIGKILL)
    started.wait()


def _best(runs: Sequence[Figures]) -> Figures:
    """Return the quickest of some runs: what the machine's other work disturbed least."""
    ended = [run for run in runs if "failed" not in run]
    if not ended:
        return runs[0]
    quickest = dict(min(ended, key=lambda run: run["wall_s"]))
    return quickest | {
        "walls_s": [round(run["wall_s"], 3) for run in ended],
        "cpu_s": min(run["cpu_s"] for run in ended),
    }


def alternated(rounds: int, contests: Mapping[str, Callable[[], Figures]]) -> dict[str, Figures]:
    """Run contestants in turn, several times; return the best of each."""
    runs: dict[str, list[Figures]] = {name: [] for name in contests}
    for number in range(rounds):
        for name, contest in contests.items():
            runs[name].append(found := contest())
            say(f"  {number + 1}/{rounds} {name:16} {_told(found)}")
    return {name: _best(found) for name, found in runs.items()}


def _told(found: Figures) -> str:
    return str(found["failed"]) if "failed" in found else f"{found['wall_s']:8.2f} s wall {found['cpu_s']:8.2f} s CPU"


def say(line: str) -> None:
    print(line, flush=True)
