"""Sound that is encoded, of as many channels and at as many bits as a source and a recipe have."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from fanfold import kinds
from fanfold.errors import UnsupportedVideo
from fanfold.kinds.video import ffmpeg
from fanfold.kinds.video.recipe import VideoRecipe
from tests.kinds.driver import run
from tests.kinds.video.clips import clip
from tests.kinds.video.clips import run as run_ffmpeg

VIDEO = kinds.get("video")

OPUS = "aformat=channel_layouts=mono|stereo|3.0|quad|5.0|5.1|6.1|7.1"


def encoded(folder: Path, data: bytes, **rendition: object) -> Path:
    asked = {"name": "x", "video": "none", **rendition}
    recipe = VideoRecipe.model_validate({"metadata": False, "segment": "1s", "renditions": [asked]})
    name = f"x.{rendition.get('format', 'mp4')}"
    (folder / name).write_bytes(run(VIDEO, data, recipe).outputs[name])
    return folder / name


def layout(path: Path) -> str:
    with av.open(str(path)) as found:
        return found.streams.audio[0].layout.name


@pytest.mark.parametrize(
    ("source", "wanted"),
    [("2.1", "stereo"), ("3.1", "3.0"), ("4.0", "5.0"), ("4.1", "5.1"), ("quad(side)", "quad"), ("5.0(side)", "5.0")],
)
def test_opus_has_the_nearest_loudspeakers_that_it_knows(tmp_path: Path, source: str, wanted: str) -> None:
    data = clip("layout.mkv", 1, f"-vn -af aformat=channel_layouts={source} -c:a ac3")
    assert layout(encoded(tmp_path, data, audio="opus")) == wanted


@pytest.mark.parametrize(("codec", "form"), [("ac3", "webm"), ("eac3", "mp4")])
def test_six_channels_are_those_of_the_source(tmp_path: Path, codec: str, form: str) -> None:
    """Sample for sample what ffmpeg makes of it in one run, each channel at its place."""
    mixed = "pan=5.1(side)|FL=FL|FR=FR|FC=0.5*FL|LFE=0.1*FR|SL=0.3*FL|SR=0.2*FR"
    data = clip("six.mkv", 3, f"-vn -af {mixed} -c:a {codec} -b:a 768k")
    (tmp_path / "six.mkv").write_bytes(data)
    output = encoded(tmp_path, data, audio="opus", format=form, audio_kbps=384)
    whole = tmp_path / f"whole.{form}"
    options = ("-af", OPUS, "-c:a", "libopus", "-b:a", "384k", "-flags:a", "+bitexact")
    run_ffmpeg("-i", str(tmp_path / "six.mkv"), *options, str(whole))
    assert layout(output) == layout(whole) == "5.1"
    ours, theirs = (run_ffmpeg("-i", str(path), "-f", "s16le", "-") for path in (output, whole))
    assert len(ours) >= 3 * 48000 * 12
    assert ours[: 2 * 48000 * 12] == theirs[: 2 * 48000 * 12]


def test_opus_takes_no_more_bits_than_it_can(tmp_path: Path) -> None:
    """Of one channel half of what a recipe may ask for."""
    data = clip("mono.m4a", 2, "-vn -c:a aac -ac 1")
    assert layout(encoded(tmp_path, data, audio="opus", audio_kbps=512)) == "mono"


def test_an_encoder_that_takes_not_what_it_is_given_is_no_broken_video() -> None:
    with pytest.raises(UnsupportedVideo, match=r"it cannot be encoded so: .*Error while opening encoder"):
        ffmpeg.run([clip("mono.m4a", 2, "-vn -c:a aac -ac 1")], "it", {"c:a": "libopus", "b:a": "320k"}, kind="a")
