"""Find the scenes of a video in segments and with PySceneDetect: the cuts of both, and the CPU that each takes.

Usage: scenes.py VIDEO [SEGMENT]. The peer is installed for this script alone, by `uv run --with scenedetect-headless`.
"""

from __future__ import annotations

import json
import sys
import time
from fractions import Fraction
from pathlib import Path

from scenedetect import AdaptiveDetector, ContentDetector, detect

from fanfold import kinds
from fanfold.kinds.video.recipe import VideoRecipe
from tests.kinds.driver import run


def ours(path: Path, segment: str) -> list[float]:
    """Return where scenes begin, as `scenes.json` says it."""
    recipe = VideoRecipe.model_validate({"segment": segment, "scenes": True})
    made = run(kinds.get("video"), path.read_bytes(), recipe).outputs["scenes.json"]
    return [float(Fraction(one["start"])) for one in json.loads(made)["scenes"]]


def theirs(path: Path, detector: type) -> list[float]:
    return [start.seconds for start, _ in detect(str(path), detector(), show_progress=False)] or [0.0]


def main() -> None:
    path, segment = Path(sys.argv[1]), (*sys.argv[2:], "2s")[0]
    rows = []
    for name, find in (
        (f"fanfold, segments of {segment}", lambda: ours(path, segment)),
        ("PySceneDetect, adaptive", lambda: theirs(path, AdaptiveDetector)),
        ("PySceneDetect, content", lambda: theirs(path, ContentDetector)),
    ):
        find()  # what is loaded once is not counted
        began = time.process_time()
        found = find()
        rows.append((name, time.process_time() - began, found))
    for name, cpu_s, found in rows:
        starts = " ".join(f"{start:.2f}" for start in found)
        print(f"{name:32} {cpu_s:6.2f} s CPU, {rows[0][1] / cpu_s:5.2f} of it   {starts}")


if __name__ == "__main__":
    main()
