"""A cover is a picture, not a film: it is told of, and nothing is made of it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import av
import pytest

from fanfold import kinds
from fanfold.kinds.video.recipe import VideoRecipe
from tests.kinds.driver import run
from tests.kinds.video.clips import clip
from tests.kinds.video.clips import run as ffmpeg

VIDEO = kinds.get("video")


@pytest.mark.parametrize("name", ["plain.mp4", "h264.mkv", "sound.m4a"])
def test_a_cover_is_named_and_no_track_of_any_output(tmp_path: Path, name: str) -> None:
    """In MP4 it is a picture of the metadata, in Matroska an attachment; before the pictures or behind them."""
    (tmp_path / name).write_bytes(clip(name))
    ffmpeg(*["-f", "lavfi", "-i", "mandelbrot=size=64x64:rate=1", "-frames:v", "1"], str(tmp_path / "cover.png"))
    covered = tmp_path / f"covered.{name.partition('.')[2]}"
    given = ("-i", str(tmp_path / name), "-i", str(tmp_path / "cover.png"), "-c", "copy")
    if name.endswith("mkv"):
        cover = ("-attach", str(tmp_path / "cover.png"), "-metadata:s:t", "mimetype=image/png")
        ffmpeg("-i", str(tmp_path / name), "-c", "copy", *cover, str(covered))
    else:
        number = 0 if name == "sound.m4a" else 1
        maps = ("-map", "1", "-map", "0") if name == "sound.m4a" else ("-map", "0:v", "-map", "1", "-map", "0:a")
        ffmpeg(*given, *maps, f"-disposition:v:{number}", "attached_pic", str(covered))
    recipe = {
        "segment": "2s",
        "scenes": True,
        "posters": {"width": 64},
        "renditions": [
            {"name": "web", "height": 60},
            {"name": "live", "format": "hls"},
            {"name": "copy", "format": "mov"},
        ],
    }
    plain, found = (
        run(VIDEO, data, VideoRecipe.model_validate(recipe)).outputs
        for data in ((tmp_path / name).read_bytes(), covered.read_bytes())
    )
    described = json.loads(found["metadata.json"])["streams"]
    assert sorted((one["type"], one["picture"]) for one in described) == sorted(
        [*((one["type"], False) for one in json.loads(plain["metadata.json"])["streams"]), ("video", True)]
    )
    for output in ("web.mp4", "copy.mov"):
        kinds_of = []
        for outputs in (plain, found):
            with av.open(io.BytesIO(outputs[output])) as opened:
                kinds_of.append([(one.type, one.codec_context.name, one.frames) for one in opened.streams])
        assert kinds_of[0] == kinds_of[1]
    assert found["live/index.m3u8"] == plain["live/index.m3u8"]
    assert ("posters.jpg" in found) == ("posters.jpg" in plain) == (name != "sound.m4a")
    assert json.loads(found["scenes.json"]) == json.loads(plain["scenes.json"])
