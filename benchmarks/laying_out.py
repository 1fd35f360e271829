"""Lay Matroska and MPEG-TS out by many workers, by one, and beside ffmpeg, which remuxes them whole.

Run: uv run python benchmarks/laying_out.py [--seconds N] [--times N]. Each share runs by itself, one after the other;
what more workers bring is computed of that. Nothing here is a test.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from video import FileDesk, FileSource, finished_s, run_ffmpeg, timed  # noqa: E402

from fanfold.kinds import video  # noqa: E402
from fanfold.kinds.video.recipe import VideoRecipe  # noqa: E402
from fanfold.model import Json, Line  # noqa: E402

WORKERS = (1, 2, 4, 8, 16, 32)
RECIPE = VideoRecipe.model_validate({"renditions": [{"name": "copy"}]})
PICTURES = "testsrc2=size=1280x720:rate=30:duration={seconds},noise=alls=20:allf=t:all_seed=7"
SOUND = "aevalsrc='sin(2*PI*(300+20*mod(t,10))*t)/2':sample_rate=48000:duration={seconds}"


class CountingFile(FileSource):
    """Counts what is read of a file."""

    read_bytes = 0

    def read(self, start: int, stop: int) -> bytes:
        data = super().read(start, stop)
        self.read_bytes += len(data)
        return data


def clip(path: Path, seconds: int) -> Path:
    """Write a clip of some 4 MB a second (32 Mbit/s), with a keyframe every other one."""
    inputs = [word for one in (PICTURES, SOUND) for word in ("-f", "lavfi", "-i", one.format(seconds=seconds))]
    encoded = "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -crf 28 -g 60 -c:a aac"
    run_ffmpeg(*inputs, *encoded.split(), str(path))
    return path


def laid_out(path: Path, layout: Json, share: Json, folder: Path) -> tuple[float, int]:
    """Lay a share out; return how long that took, and how many bytes were read."""
    source, line = CountingFile(path), Line("0", "encode", {"prepare": share})
    began = time.perf_counter()
    facts = video.process(source, RECIPE, layout, line, FileDesk(folder, line))
    assert "unproven" not in facts, facts
    return time.perf_counter() - began, source.read_bytes


def measured(path: Path, folder: Path) -> str:
    """Return the figures of one container as lines of text."""
    size = path.stat().st_size
    source = CountingFile(path)
    plan, planning = timed(lambda: video.plan(source, RECIPE))
    _, remuxing = timed(lambda: run_ffmpeg("-i", str(path), "-c", "copy", str(folder / "whole.mp4")))
    one_s, _ = laid_out(path, plan.layout, True, folder)
    shares = [line.span["prepare"] for line in plan.lines]
    if len(shares) == 1:
        raise SystemExit(f"{size:,} bytes are one share: ask for a longer clip")
    parts = [laid_out(path, plan.layout, share, folder) for share in shares]
    besides = [read - (stop - start) for (_, read), (start, stop) in zip(parts, shares, strict=True)]
    lines = [
        f"{path.suffix[1:]}: {size / 1e6:,.0f} MB, {len(shares)} shares",
        f"split                    {planning['wall_s']:7.2f} s, reads {source.read_bytes / size:.2%} of the bytes",
        f"ffmpeg, one remux        {remuxing['wall_s']:7.2f} s",
        f"one worker lays out all  {one_s:7.2f} s",
        f"a worker reads besides its share at most {max(besides) / 1e6:.1f} MB",
    ]
    for workers in WORKERS:
        seconds = finished_s([seconds for seconds, _ in parts], workers)
        lines.append(f"{workers:3} workers, by measured parts {seconds:7.2f} s   {one_s / seconds:5.1f} x one worker")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="how long the clip is")
    parser.add_argument("--times", type=int, default=8, help="how often it is repeated")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = clip(folder / "clip.mp4", given.seconds)
        for form in ("mkv", "ts"):
            path = folder / f"clip.{form}"
            run_ffmpeg("-stream_loop", str(given.times - 1), "-i", str(source), "-c", "copy", str(path))
            print(measured(path, folder), end="\n\n")


if __name__ == "__main__":
    main()
