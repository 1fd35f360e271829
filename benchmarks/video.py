"""Videos in segments beside one run of ffmpeg: time, CPU and quality at equal settings, and what more workers bring.

Run: uv run python benchmarks/video.py [--seconds N] [--save]. Each part runs in a process of its own, two at once
against two threads of ffmpeg; everything else is this process. Nothing here is a test.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import report

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from fanfold.kinds import video  # noqa: E402
from fanfold.kinds.video import ffmpeg  # noqa: E402
from fanfold.kinds.video.recipe import VideoRecipe  # noqa: E402
from fanfold.model import Again, Folded, Line, Part, PartObject, Round  # noqa: E402

WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
RENDITIONS = [{"name": "web", "height": 360, "crf": 23}]
SCALED_SEGMENT_S = 4
SETTINGS = "-vf scale=640:360:flags=bicubic -pix_fmt yuv420p -c:v libx264 -preset medium -crf 23 -c:a copy"


class FileSource:
    """Ranged reads of a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size_bytes = path.stat().st_size

    def read(self, start: int, stop: int) -> bytes:
        with self.path.open("rb") as file:
            file.seek(start)
            return file.read(max(0, stop - start))


class FileDesk:
    """Keeps what a worker writes in a folder."""

    def __init__(self, folder: Path, line: Line) -> None:
        self.folder, self.line = folder, line
        self.objects: dict[str, PartObject] = {}

    def note(self, facts: Any) -> None: ...

    def write(self, name: str, data: Any) -> None:
        key = str(self.folder / f"{self.line.id}-{name}")
        Path(key).write_bytes(data)
        self.objects[name] = PartObject(key, len(data))

    def read(self, one: PartObject, start: int = 0, stop: int | None = None) -> bytes:
        return Path(one.key).read_bytes()[start:stop]


def cpu_s() -> float:
    """Return the CPU that this process and all that it waited for have taken."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def timed(work: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    began, used = time.perf_counter(), cpu_s()
    found = work()
    return found, {"wall_s": time.perf_counter() - began, "cpu_s": cpu_s() - used}


def work(path: Path, recipe: VideoRecipe, layout: Any, line: Line, folder: Path) -> tuple[Part, float]:
    """Work on one line; return its part, and the CPU it took."""
    used, began = cpu_s(), time.perf_counter()
    desk = FileDesk(folder, line)
    facts = video.process(FileSource(path), recipe, layout, line, desk)
    return Part(line, facts, desk.objects, "", 1, time.perf_counter() - began), cpu_s() - used


def in_segments(path: Path, recipe: VideoRecipe, folder: Path, workers: int) -> dict[str, Any]:
    """Run a job, so many workers at once; return its times, and what was folded."""
    source = FileSource(path)
    began = time.perf_counter()
    plan, planning = timed(lambda: video.plan(source, recipe))
    layouts, rounds = [plan.layout], [list(plan.lines)]
    parts: dict[str, Part] = {}
    spent, seconds = planning["cpu_s"], []
    merging = {"wall_s": 0.0, "cpu_s": 0.0}
    with ProcessPoolExecutor(workers) as pool:
        while True:
            waiting = [pool.submit(work, path, recipe, layouts[line.layout], line, folder) for line in rounds[-1]]
            for done in waiting:
                part, used = done.result()
                parts[part.line.id] = part
                spent += used
                seconds.append(part.seconds)
            round_ = Round(
                source=source,
                recipe=recipe,
                layouts=layouts,
                lines=rounds,
                part=lambda line: parts.get(line.id),
                note=lambda line: None,
                read=lambda made, start, stop: Path(made.key).read_bytes()[start:stop],
            )
            answer, took = timed(lambda one=round_: video.merge(one))
            merging = {name: merging[name] + took[name] for name in took}
            if isinstance(answer, Folded):
                break
            assert isinstance(answer, Again)
            if answer.layout is not None:
                layouts.append(answer.layout)
            rounds.append(list(answer.lines))
    return {
        "wall_s": time.perf_counter() - began,
        "cpu_s": spent + merging["cpu_s"],
        "planning_s": planning["wall_s"],
        "merging_s": merging["wall_s"],
        "parts_s": seconds,
        "folded": answer,
    }


def assembled(folded: Folded, name: str, to: Path) -> Path:
    """Write one output, as S3 would copy it together."""
    [output] = [one for one in folded.outputs if one.name == name]
    with to.open("wb") as file:
        for piece in output.pieces:
            file.write(piece if isinstance(piece, bytes) else Path(piece.key).read_bytes()[piece.start : piece.stop])
    return to


def run_ffmpeg(*words: str) -> str:
    line = [ffmpeg.binary(), "-nostdin", "-hide_banner", "-y", *words]
    return subprocess.run(line, capture_output=True, text=True, check=True).stderr


def psnr(path: Path, reference: Path) -> float:
    graph = "[0:v]setpts=N[a];[1:v]scale=640:360:flags=bicubic,setpts=N[b];[a][b]psnr"
    told = run_ffmpeg("-i", str(path), "-i", str(reference), "-lavfi", graph, "-f", "null", "-")
    return float(re.search(r"average:(\S+)", told)[1])  # type: ignore[index]


def clip(path: Path, seconds: int, size: str = "1280x720") -> Path:
    """Make a video of that length: moving patterns, noise and a tone, a keyframe every two seconds."""
    pictures = f"testsrc2=size={size}:rate=30:duration={seconds},noise=alls=12:allf=t:all_seed=7"
    sound = f"aevalsrc='sin(2*PI*(300+20*mod(t,10))*t)/2':sample_rate=48000:duration={seconds}"
    words = f"-f lavfi -i {pictures} -f lavfi -i {sound} -pix_fmt yuv420p -c:v libx264 -preset ultrafast -crf 26 -g 60"
    run_ffmpeg(*words.split(), "-c:a", "aac", str(path))
    return path


def repeated(path: Path, times: int, to: Path) -> Path:
    """Make a video that shows another one so many times."""
    run_ffmpeg("-stream_loop", str(times - 1), "-i", str(path), "-c", "copy", str(to))
    return to


def beside_ffmpeg(folder: Path, seconds: int, segment: str) -> dict[str, Any]:
    """Encode a video in segments, and in one run of ffmpeg, with two cores each."""
    cores = min(2, os.cpu_count() or 1)
    path = clip(folder / "clip.mp4", seconds)
    recipe = VideoRecipe.model_validate({"segment": segment, "metadata": False, "renditions": RENDITIONS})
    whole_path = folder / "whole.mp4"
    words = ["-i", str(path), *SETTINGS.split(), "-threads", str(ffmpeg.THREADS), str(whole_path)]
    runs = []
    for _ in range(2):  # the second of each counts: both find the file in memory
        _, whole = timed(lambda: run_ffmpeg(*words))
        ours = in_segments(path, recipe, folder, cores)
        runs.append((whole, ours))
    whole, ours = runs[-1]
    made = assembled(ours.pop("folded"), "web.mp4", folder / "web.mp4")
    return {
        "seconds": seconds,
        "segment": segment,
        "bytes": path.stat().st_size,
        "whole": whole,
        "segments": ours,
        "psnr": {"whole": psnr(whole_path, path), "segments": psnr(made, path)},
        "sizes": {"whole": whole_path.stat().st_size, "segments": made.stat().st_size},
    }


def scaled(folder: Path) -> dict[str, Any]:
    """Encode a video of as many segments as the most workers, one after the other, each with the machine to itself."""
    few = 16
    path = clip(folder / "short.mp4", few * SCALED_SEGMENT_S, "320x180")
    long = repeated(path, WORKERS[-1] // few, folder / "long.mp4")
    asked = {"segment": f"{SCALED_SEGMENT_S}s", "metadata": False, "renditions": [{"name": "web", "height": 144}]}
    found = in_segments(long, VideoRecipe.model_validate(asked), folder, 1)
    return {name: found[name] for name in ("planning_s", "merging_s", "parts_s")}


def measure(seconds: int, segment: str) -> dict[str, Any]:
    """Measure all claims."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return beside_ffmpeg(folder, seconds, segment) | {"scaled": scaled(folder)}


def finished_s(parts: list[float], workers: int) -> float:
    """Return when the last part is done, each taken by the worker that is free first."""
    free = [0.0] * workers
    for seconds in parts:
        at = free.index(min(free))
        free[at] += seconds
    return max(free)


def text(found: dict[str, Any]) -> str:
    """Return the figures as lines of text."""
    whole, ours = found["whole"], found["segments"]
    lines = [
        f"{found['seconds']} s of 720p to 360p H.264, segments of {found['segment']}, {len(ours['parts_s'])} parts",
        f"one ffmpeg, 2 threads   {whole['wall_s']:7.2f} s wall {whole['cpu_s']:7.2f} s CPU  "
        f"PSNR {found['psnr']['whole']:.3f} dB  {found['sizes']['whole']:,} bytes",
        f"segments, 2 workers     {ours['wall_s']:7.2f} s wall {ours['cpu_s']:7.2f} s CPU  "
        f"PSNR {found['psnr']['segments']:.3f} dB  {found['sizes']['segments']:,} bytes",
        f"segments / one ffmpeg   {ours['wall_s'] / whole['wall_s']:7.2f} x wall "
        f"{ours['cpu_s'] / whole['cpu_s']:7.2f} x CPU  claimed 1.10 x",
        "",
        *scaling(found["scaled"]),
    ]
    return "\n".join(lines)


def scaling(found: dict[str, Any]) -> list[str]:
    """Return how long more and more workers take, by measured parts, and what keeps them from being faster."""
    parts = found["parts_s"]
    alone = found["planning_s"] + found["merging_s"]
    one = alone + sum(parts)
    lines = [
        f"{len(parts)} segments of {SCALED_SEGMENT_S} s of 180p to 144p H.264, each measured alone: "
        f"{min(parts):.2f} to {max(parts):.2f} s, {sum(parts):.1f} s together",
        f"planning {found['planning_s']:.2f} s, merging {found['merging_s']:.2f} s: of one function each",
        "workers      all, s   faster   of the ideal",
    ]
    for workers in WORKERS:
        total = alone + finished_s(parts, workers)
        lines.append(f"{workers:7}  {total:10.2f}  {one / total:6.1f} x  {one / total / workers:10.0%}")
    least = alone + max(parts)
    return [
        *lines,
        f"never below {least:.2f} s: planning, the longest part, merging; starts of functions and S3 left out",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=120, help="how long the clip is")
    parser.add_argument("--segment", default="10s", help="how long a segment is")
    parser.add_argument("--save", action="store_true", help="write the figures into docs/benchmarks.md")
    given = parser.parse_args()
    found = measure(given.seconds, given.segment)
    print(told := text(found))
    if given.save:
        report.save("video", found, told, {}, ROOT / "docs")


if __name__ == "__main__":
    main()
