"""Chapters are kept, however many, in every file that holds them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest

from fanfold import kinds
from fanfold.kinds.video.mp4 import chapters
from fanfold.kinds.video.recipe import VideoRecipe
from tests.kinds.driver import run
from tests.kinds.video.clips import clip
from tests.kinds.video.clips import run as run_ffmpeg
from tests.kinds.video.probes import complaints, seen

VIDEO = kinds.get("video")

COUNT = 300


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clip of 6 s with a chapter every 15 ms from half a second on."""
    folder = tmp_path_factory.mktemp("chapters")
    told = [";FFMETADATA1"]
    for number in range(COUNT):
        start = 500 + 15 * number
        told.append(f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={start}\nEND={start + 15}\ntitle={number} – {'ü' * number}")
    (folder / "told.txt").write_text("\n".join(told))
    (folder / "in.mp4").write_bytes(clip("plain.mp4"))
    inputs = ("-i", str(folder / "in.mp4"), "-i", str(folder / "told.txt"))
    run_ffmpeg(*inputs, "-map", "0", "-map_metadata", "1", "-c", "copy", str(folder / "in.mkv"))
    return folder / "in.mkv"


def test_three_hundred_of_them_are_there(source: Path) -> None:
    """As a track, which has no limit: Nero's list counts them in a byte. A title is cut at a letter."""
    recipe = {"renditions": [{"name": "a"}, {"name": "b", "format": "mov"}, {"name": "c", "audio": "opus", "crf": 30}]}
    outputs = run(VIDEO, source.read_bytes(), VideoRecipe.model_validate(recipe)).outputs
    for name in ("a.mp4", "b.mov", "c.mp4"):
        path = source.parent / name
        path.write_bytes(outputs[name])
        with av.open(str(path)) as made:
            found = made.chapters()
            duration = Fraction(made.duration or 0, av.time_base)
        assert [one["start"] * one["time_base"] for one in found] == [
            Fraction(500 + 15 * at, 1000) for at in range(COUNT)
        ]
        wanted = [f"{at} – {'ü' * at}".encode()[:255].decode("utf-8", "ignore") for at in range(COUNT)]
        assert [one["metadata"]["title"] for one in found] == wanted
        assert found[-1]["end"] * found[-1]["time_base"] <= duration < Fraction(61, 10)
        assert len(seen(path)[0].times) == 180
        assert complaints(path) == ""


def test_what_begins_behind_the_end_is_in_no_track() -> None:
    told = [{"start": "7", "stop": "8", "title": "late"}, {"start": "3", "stop": "4", "title": "first"}]
    assert chapters.track(told[:1], Fraction(1), Fraction(5)) is None
    made = chapters.track(told, Fraction(1), Fraction(5))
    assert made
    assert list(made[0].chunks[0].samples.pts) == [2 * chapters.TIMESCALE]
    assert list(made[0].chunks[0].samples.durations) == [3 * chapters.TIMESCALE]
    assert made[1].startswith(b"\0\x05first")
    assert chapters.track([], Fraction(0), Fraction(5)) is None
