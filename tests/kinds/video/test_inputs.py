"""What cameras, recorders and old programs write: read as ffmpeg reads it whole."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from fanfold import kinds
from fanfold.errors import UnsupportedVideo
from fanfold.kinds.video import fragments
from fanfold.kinds.video.recipe import VideoRecipe
from tests.kinds.driver import run
from tests.kinds.video.avis import rewritten
from tests.kinds.video.clips import H264, clip
from tests.kinds.video.clips import run as run_ffmpeg
from tests.kinds.video.test_exact import check_same

VIDEO = kinds.get("video")

RECIPE = {"renditions": [{"name": "web", "height": 60}, {"name": "copy", "format": "mov"}]}

MJPEG = "-c:v mjpeg -q:v 5 -pix_fmt yuvj420p"

UNCOMPRESSED = {
    "camera.avi": f"{MJPEG} -c:a pcm_s16le",
    "phone.avi": f"{MJPEG} -c:a pcm_mulaw -ar 8000 -ac 1",
    "screen.mkv": f"{H264} -c:a pcm_s24le -ar 96000",
    "floats.mkv": f"{H264} -c:a pcm_f32le -ar 44100",
}


def made(folder: Path, name: str, data: bytes, recipe: dict[str, object], segment: str = "1s") -> dict[str, Path]:
    """Run a job over a clip; return where each output lies, and the clip itself under its name."""
    outputs = run(VIDEO, data, VideoRecipe.model_validate({"segment": segment, **recipe}), seed=1).outputs
    for path, body in {name: data, **outputs}.items():
        (folder / path).write_bytes(body)
    return {path: folder / path for path in (name, *outputs)}


def heard(path: Path) -> bytes:
    """Return every sample of a video's sound, as ffmpeg hears it."""
    return run_ffmpeg("-i", str(path), "-vn", "-f", "f64le", "-")


@pytest.mark.parametrize("name", UNCOMPRESSED)
def test_uncompressed_sound_is_there_to_the_sample(tmp_path: Path, name: str) -> None:
    """QuickTime keeps it bit by bit; what other formats have of it is as long, and begins when it does."""
    paths = made(tmp_path, name, clip(name, 4, UNCOMPRESSED[name]), RECIPE)
    for output in ("web.mp4", "copy.mov"):
        check_same(paths[output], paths[name])
    assert heard(paths["copy.mov"]) == heard(paths[name])
    assert len(heard(paths["web.mp4"])) == len(heard(paths[name]))


def test_chunks_of_uncompressed_sound_have_any_length(tmp_path: Path) -> None:
    """The last one ends within a sample, which ffmpeg does not hear either."""
    data = rewritten(clip("camera.avi", 4, UNCOMPRESSED["camera.avi"]), sound=lambda whole: cut(whole[:-3]))
    paths = made(tmp_path, "odd.avi", data, RECIPE)
    assert len(heard(paths["odd.avi"])) == (4 * 48000 - 1) * 2 * 8
    check_same(paths["copy.mov"], paths["odd.avi"])
    assert heard(paths["copy.mov"]) == heard(paths["odd.avi"])


def cut(data: bytes) -> Iterator[bytes]:
    """Yield data in pieces of whole samples, but for the last."""
    at, pick = 0, random.Random(1)
    while at < len(data):
        start, at = at, at + 4 * pick.choice((1, 700, 1024, 3000))
        yield data[start:at]


def test_uncompressed_sound_that_is_encoded_has_no_seam(tmp_path: Path) -> None:
    """Sample for sample what ffmpeg makes of it in one run."""
    recipe = {"renditions": [{"name": "web", "height": 60, "audio_kbps": 128}]}
    paths = made(tmp_path, "screen.mkv", clip("screen.mkv", 4, UNCOMPRESSED["screen.mkv"]), recipe)
    run_ffmpeg("-i", str(paths["screen.mkv"]), "-vn", "-b:a", "128k", "-flags:a", "+bitexact", f"{tmp_path}/whole.mp4")
    ours, theirs = heard(paths["web.mp4"]), heard(tmp_path / "whole.mp4")
    assert len(ours) == len(theirs)
    assert ours[:-65_536] == theirs[:-65_536]


def test_sound_of_any_length_comes_back_from_its_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """In fragments: the index of one that holds all would outgrow what a pipe lets the muxer go back to."""
    monkeypatch.setattr(fragments, "MOOF_LIMIT_BYTES", 64 << 10)
    recipe = VideoRecipe.model_validate({"renditions": [{"name": "web"}]})
    assert "web.mp4" in run(VIDEO, clip("long.mkv", 60, "-vn -c:a pcm_s16le"), recipe).outputs


def test_an_old_index_says_that_a_sample_of_sound_has_one_byte(tmp_path: Path) -> None:
    """What it means by that the description says."""
    data = bytearray(clip("camera.mov", 4, "-c:v mpeg4 -g 24 -c:a pcm_s16be"))
    at = data.index(b"stsz", data.index(b"twos")) + 8
    assert struct.unpack_from(">I", data, at) == (4,)
    struct.pack_into(">I", data, at, 1)
    paths = made(tmp_path, "old.mov", bytes(data), {"renditions": [{"name": "copy", "format": "mov"}]})
    assert heard(paths["copy.mov"]) == heard(paths["old.mov"])


def test_a_codec_that_no_mp4_holds_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedVideo, match="stream 1 is adpcm_ima_wav, which no MP4 holds"):
        run(VIDEO, clip("adpcm.avi", 1, f"{MJPEG} -c:a adpcm_ima_wav"), VideoRecipe.model_validate(RECIPE))
