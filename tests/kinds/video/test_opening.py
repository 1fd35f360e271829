"""Recordings that were cut out of longer ones: with what they begin, and when."""

from __future__ import annotations

import json
import struct
from fractions import Fraction
from pathlib import Path

import av
import pytest

from fanfold import kinds
from fanfold.errors import BrokenVideo
from fanfold.kinds.video.recipe import VideoRecipe
from tests.kinds.driver import run
from tests.kinds.video.clips import AAC, clip
from tests.kinds.video.clips import run as run_ffmpeg
from tests.kinds.video.probes import psnr, seen
from tests.kinds.video.test_exact import check_same

VIDEO = kinds.get("video")

RECIPE = {"segment": "1s", "renditions": [{"name": "web", "height": 60}, {"name": "copy"}]}

HEVC = "-an -c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=40:min-keyint=40:scenecut=0:bframes=3"

FRAGMENTED = "-movflags +frag_keyframe+empty_moov+default_base_moof"

CUTS = {
    "mpeg2.ts": ("-c:v mpeg2video -bf 2 -g 15 -q:v 4 -c:a mp2 -b:a 128k", 2),
    "h264.ts": (f"-c:v libx264 -preset veryfast -x264-params open-gop=1:keyint=40:bframes=3 {AAC}", 1),
    "hevc.mkv": (f"{HEVC}:open-gop=1", 3),
    "fragmented.mp4": (f"{HEVC}:open-gop=1", 3),
}
"""By name, what ffmpeg is told to make, and how many pictures before the first keyframe nothing decodes."""


def cut(folder: Path, name: str, arguments: str) -> Path:
    """Make a clip of 5 s, and leave out what is before its second or third keyframe."""
    whole = folder / f"whole.{'ts' if name.endswith('ts') else 'mp4'}"
    whole.write_bytes(clip(f"{name}.{whole.suffix}", 5, arguments))
    given = FRAGMENTED.split() if name.endswith("mp4") else ()
    run_ffmpeg("-ss", "2.2", "-i", str(whole), "-c", "copy", *given, str(folder / name))
    return folder / name


@pytest.mark.parametrize("name", CUTS)
def test_a_recording_begins_with_the_first_picture_that_decodes(tmp_path: Path, name: str) -> None:
    arguments, lost = CUTS[name]
    source = cut(tmp_path, name, arguments)
    outputs = run(VIDEO, source.read_bytes(), VideoRecipe.model_validate(RECIPE), seed=1).outputs
    for output in ("web.mp4", "copy.mp4"):
        (tmp_path / output).write_bytes(outputs[output])
        check_same(tmp_path / output, source)
    if "mpeg2" not in name:
        assert psnr(tmp_path / "copy.mp4", source) == float("inf")
    with av.open(str(source)) as found:
        packets = sum(packet.size > 0 for packet in found.demux(video=0))
    told = json.loads(outputs["metadata.json"])["streams"][0]
    assert told["frames"] == len(seen(source)[0].times) == packets - lost


def test_pictures_that_need_the_first_keyframe_alone_are_kept(tmp_path: Path) -> None:
    """Those are shown before it too (RADL; ITU-T H.265, 3.1)."""
    source = cut(tmp_path, "decodable.mp4", f"{HEVC}:open-gop=0:radl=3:b-adapt=0")
    outputs = run(VIDEO, source.read_bytes(), VideoRecipe.model_validate(RECIPE), seed=1).outputs
    times = seen(source)[0].times
    with av.open(str(source)) as found:
        assert times[3] == next(found.demux(video=0)).pts * found.streams.video[0].time_base
    for output in ("web.mp4", "copy.mp4"):
        (tmp_path / output).write_bytes(outputs[output])
        assert seen(tmp_path / output)[0].times == [time - times[0] for time in times]


@pytest.mark.parametrize("hours", [3, 500_000])
def test_fragments_count_from_when_they_like(tmp_path: Path, hours: int) -> None:
    """A live stream says how long it has been on, or the time of day since 1970."""
    data, at = bytearray(clip("fragmented.mp4", 3)), 0
    while (at := data.find(b"tfdt", at + 1)) > 0:
        (track,) = struct.unpack_from(">I", data, data.rindex(b"tfhd", 0, at) + 8)
        (time,) = struct.unpack_from(">Q", data, at + 8)
        struct.pack_into(">Q", data, at + 8, time + hours * 3600 * {1: 30_000, 2: 48_000}[track])
    source = tmp_path / "live.mp4"
    source.write_bytes(data)
    recipe = VideoRecipe.model_validate({**RECIPE, "posters": {"every": "1s", "width": 64}})
    result = run(VIDEO, bytes(data), recipe, seed=1)
    for output in ("web.mp4", "copy.mp4"):
        (tmp_path / output).write_bytes(result.outputs[output])
        check_same(tmp_path / output, source)
    assert result.folded.stats["posters"] == 4
    assert 3 < Fraction(result.folded.stats["duration"]) < 3.1


@pytest.mark.parametrize("arguments", ["", "-an"])
def test_recordings_that_were_joined_byte_by_byte_are_refused(arguments: str) -> None:
    """Times begin again there; what is said tells how to join them."""
    data = clip(f"joined{arguments}.ts", 3, f"-c:v libx264 -preset veryfast -g 48 -bf 3 {AAC} {arguments}")
    with pytest.raises(BrokenVideo, match=r"go back, as where recordings were joined.*-f concat"):
        run(VIDEO, data + data, VideoRecipe.model_validate(RECIPE))
