"""A whole job over a local file, without AWS: split, workers in processes, merge, and outputs put together as files."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import shutil
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

from fanfold import kinds
from fanfold.job import canonical
from fanfold.model import Again, Copied, Folded, Json, Line, Output, Part, PartObject, Round


class FileSource:
    """Ranged reads of a local file."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY)
        self.size_bytes = path.stat().st_size

    def read(self, start: int, stop: int) -> bytes:
        return os.pread(self._descriptor, stop - start, start)


@dataclass
class FolderDesk:
    """Writes a part's objects as files of one folder."""

    line: Line
    folder: Path
    noted: Json = None
    objects: dict[str, PartObject] = field(default_factory=dict)

    def note(self, facts: Json) -> None:
        self.noted = facts

    def write(self, name: str, data: bytes | BinaryIO) -> None:
        path = self.folder / f"{self.line.id}.{name}"
        with path.open("wb") as file:
            if isinstance(data, bytes):
                file.write(data)
            else:
                data.seek(0)
                shutil.copyfileobj(data, file, 1 << 20)
        self.objects[name] = PartObject(path.name, path.stat().st_size)

    def read(self, part_object: PartObject, start: int = 0, stop: int | None = None) -> bytes:
        return read(self.folder, part_object, start, part_object.size_bytes if stop is None else stop)


def read(folder: Path, part_object: PartObject, start: int, stop: int) -> bytes:
    """Return the bytes [start, stop) of a part's object."""
    with (folder / part_object.key).open("rb") as file:
        return os.pread(file.fileno(), stop - start, start)


def peak_bytes() -> int:
    """Return the most memory that this process has held since its program was loaded."""
    status = Path("/proc/self/status")
    if status.exists():
        # ru_maxrss begins at what the parent held when this process was forked from it.
        return next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


@dataclass
class Done:
    """One line's part, and what it took."""

    part: Part
    note: Json
    cpu_s: float
    peak_bytes: int


def work(kind: str, path: Path, recipe: Any, layout: Json, line: Line, folder: Path) -> Done:
    """Work on one line in this process."""
    began, cpu = time.perf_counter(), time.process_time()
    desk = FolderDesk(line, folder)
    if line.role == "index":
        facts: Mapping[str, Json] = {"records": sum(1 for _ in kinds.get(kind).records(recipe, layout, line, desk))}
    else:
        facts = kinds.get(kind).process(FileSource(path), recipe, layout, line, desk)
    seconds = round(time.perf_counter() - began, 3)
    part = Part(line, json.loads(canonical(facts)), desk.objects, "here", 1, seconds)
    return Done(part, desk.noted, time.process_time() - cpu, peak_bytes())


def warm(kind: str) -> int:
    """Load what a worker loads, as a warm Lambda has it; return what that takes of memory."""
    if kind == "table":
        import orjson  # noqa: F401
        import pyarrow.csv
        import pyarrow.parquet  # noqa: F401

    for step in ("planning", "working", "merging"):
        import_module(f"fanfold.kinds.{kind}.{step}")
    time.sleep(0.2)  # so that each process of the pool takes one of these calls
    return peak_bytes()


@dataclass
class Ran:
    """What a job came to, and how long each step took."""

    outputs: dict[str, int] = field(default_factory=dict)
    stats: Mapping[str, Json] = field(default_factory=dict)
    seconds: dict[str, float] = field(
        default_factory=lambda: dict.fromkeys(("plan", "process", "merge", "assemble"), 0.0)
    )
    cpu_s: float = 0.0
    """Of all steps in all processes."""
    chunks: int = 0
    repaired: int = 0
    rounds: int = 0
    parts_s: list[list[float]] = field(default_factory=list)
    """By round, what each of its lines took."""
    worker_peak_bytes: int = 0
    split_peak_bytes: int = 0
    merge_peak_bytes: int = 0


ENVIRONMENT = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_MMAP_THRESHOLD_": "16777216",
    "MALLOC_TRIM_THRESHOLD_": "67108864",
}
"""What template.yaml sets for every function, and decides how fast it gets memory."""

OWN_ENVIRONMENT = {"image": {"MALLOC_ARENA_MAX": "1"}}
"""What it sets besides for the workers of a kind."""


class Workers:
    """Processes that have loaded all they need, in the environment of the functions."""

    def __init__(self, kind: str, processes: int) -> None:
        self.kind = kind
        os.environ.update(ENVIRONMENT | OWN_ENVIRONMENT.get(kind, {}))
        self.pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"))
        self.idle_bytes = list(self.pool.map(warm, [kind] * processes * 2))

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self.pool.shutdown()


def run(workers: Workers, path: Path, recipe: Any, folder: Path, *, peaks: bool = False) -> Ran:
    """Run a job; its outputs are files of `folder`. `peaks`: split and merge once more, alone, for their memory."""
    kind, source, ran = kinds.get(workers.kind), FileSource(path), Ran()
    cpu = time.process_time()
    parts: dict[str, Part] = {}
    notes: dict[str, Json] = {}

    def timed(step: str, began: float) -> None:
        ran.seconds[step] += time.perf_counter() - began

    began = time.perf_counter()
    plan = kind.plan(source, recipe)
    timed("plan", began)
    layouts, rounds, plan_round = [json.loads(canonical(plan.layout))], [list(plan.lines)], 0
    while True:
        began = time.perf_counter()
        asked = [
            workers.pool.submit(work, workers.kind, path, recipe, layouts[line.layout], line, folder)
            for line in rounds[-1]
        ]
        ran.parts_s.append([])
        for done in (future.result() for future in asked):
            ran.parts_s[-1].append(done.part.seconds)
            parts[done.part.line.id], notes[done.part.line.id] = done.part, done.note
            ran.cpu_s += done.cpu_s
            ran.worker_peak_bytes = max(ran.worker_peak_bytes, done.peak_bytes)
        timed("process", began)
        began = time.perf_counter()
        answer = merge(workers.kind, path, recipe, layouts, rounds, parts, notes, folder, plan_round)
        timed("merge", began)
        if not isinstance(answer, Again):
            break
        lines = list(answer.lines)
        plan_round = len(rounds) if answer.plans else plan_round
        if answer.layout is not None:
            lines = [replace(line, layout=len(layouts)) for line in lines]
            layouts.append(json.loads(canonical(answer.layout)))
        rounds.append(lines)
    if peaks:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as alone:
            ran.split_peak_bytes = alone.submit(split_peak, workers.kind, path, recipe).result()
            given = (workers.kind, path, recipe, layouts, rounds, parts, notes, folder, plan_round)
            ran.merge_peak_bytes = alone.submit(merge_peak, *given).result()
    if answer.refused:
        raise answer.refused
    began = time.perf_counter()
    ran.outputs = {output.name: assemble(output, folder) for output in answer.outputs}
    timed("assemble", began)
    ran.cpu_s += time.process_time() - cpu
    ran.stats, ran.repaired, ran.rounds = answer.stats, answer.repaired, len(rounds)
    ran.chunks = len(rounds[plan_round])
    return ran


def merge(
    kind: str,
    path: Path,
    recipe: Any,
    layouts: list[Json],
    rounds: list[list[Line]],
    parts: Mapping[str, Part],
    notes: Mapping[str, Json],
    folder: Path,
    plan_round: int,
) -> Again | Folded:
    """Merge what there is."""
    return kinds.get(kind).merge(
        Round(
            source=FileSource(path),
            recipe=recipe,
            layouts=layouts,
            lines=rounds,
            part=lambda line: parts.get(line.id),
            note=lambda line: notes.get(line.id),
            read=partial(read, folder),
            plan_round=plan_round,
        )
    )


def merge_peak(*given: Any) -> int:
    """Merge in this process, and return the most memory that it held."""
    merge(*given)
    return peak_bytes()


def split_peak(kind: str, path: Path, recipe: Any) -> int:
    """Split in this process, and return the most memory that it held."""
    kinds.get(kind).plan(FileSource(path), recipe)
    return peak_bytes()


def assemble(output: Output, folder: Path) -> int:
    """Write an output's pieces one behind the other; return its size. On S3 this copies nothing through a function."""
    path = folder / output.name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for piece in output.pieces:
            if not isinstance(piece, Copied):
                file.write(piece)
                continue
            with (folder / piece.key).open("rb") as part:
                at, left = piece.start, piece.stop - piece.start
                file.flush()
                while left > 0:
                    sent = os.sendfile(file.fileno(), part.fileno(), at, left)
                    at, left = at + sent, left - sent
                file.seek(0, os.SEEK_END)
    return path.stat().st_size
