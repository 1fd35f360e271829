"""The runner sees what it is there to see: outputs that differ, a crash, a hang, an error without a name."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from tests.kinds.video.clips import AAC, H264, clip
from tests.videos import __main__ as command
from tests.videos import running
from tests.videos.comparing import Differs, check
from tests.videos.mutating import bases, mutated
from tests.videos.running import RECIPE, end_of

CLIP = f"{H264} -g 24 {AAC}"


def test_real_files_end_in_outputs_or_a_refusal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of any name; of each is told how it ended, and what is no video is refused."""
    (tmp_path / "a.mp4").write_bytes(clip("a.mp4", 2, CLIP))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "b").write_bytes(clip("b.mkv", 2, CLIP))
    (tmp_path / "none.mp4").write_text("no video")
    assert command.main([str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "3 files; of those that end in outputs: 120 pictures, 4 segments" in said
    assert "     2 outputs\n     1 NotAVideo\n" in said


def test_damage_is_the_same_for_a_seed_and_a_number(capsys: pytest.CaptureFixture[str]) -> None:
    found = {"a.mp4": clip("a.mp4", 2, CLIP)}
    assert [mutated(found, 7, number) for number in range(50)] == [mutated(found, 7, number) for number in range(50)]
    assert len({mutated(found, 7, number).data for number in range(50)}) > 45
    assert {name.rpartition(".")[2] for name in bases()} == {"mp4", "mov", "mkv", "webm", "ts", "avi", "m4a"}


def test_outputs_that_are_not_those_of_the_source_differ(tmp_path: Path) -> None:
    data = clip("a.mp4", 2, CLIP)
    (tmp_path / "source.mp4").write_bytes(clip("c.mp4", 2, f"-vf select=not(eq(n\\,5)) -fps_mode vfr {CLIP}"))
    outputs = _outputs(tmp_path, data)
    with pytest.raises(Differs, match=r"picture 5 at 0.166833 s, not 0.200200; 60 pictures, not 59"):
        check(tmp_path / "source.mp4", tmp_path, outputs, is_sound=True)
    check(tmp_path / "source.mp4", tmp_path, outputs, is_sound=False)
    (tmp_path / "copy.mp4").write_bytes(clip("short.mp4", 1, CLIP))
    with pytest.raises(Differs, match=r"copy.mp4 ends at 1.\d+ s, and metadata.json says 2"):
        check(tmp_path / "source.mp4", tmp_path, outputs, is_sound=False)


def _outputs(folder: Path, data: bytes) -> dict[str, bytes]:
    outputs = running.made_of(data, RECIPE).outputs
    for name, body in outputs.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
    return outputs


def _crashes(*_: Any) -> None:
    os.abort()


def _hangs(*_: Any) -> None:
    time.sleep(60)


def _fails(*_: Any) -> None:
    raise KeyError("nobody's")


@pytest.mark.parametrize(
    ("job", "limit_s", "how"),
    [(_crashes, 60, "died while making (-6)"), (_hangs, 1, "making not within 1 s"), (_fails, 60, "traceback")],
)
def test_what_must_not_be_is_seen(tmp_path: Path, job: Any, limit_s: float, how: str) -> None:
    (tmp_path / "a.mp4").write_bytes(clip("a.mp4", 2, CLIP))
    ended = end_of(tmp_path / "a.mp4", RECIPE, limit_s, job=job)
    assert (ended.how, ended.is_named) == (how, False)
