"""Pictures that are shown for minutes, in ticks of which 32 bits hold few: display lags no more than it must."""

from __future__ import annotations

import struct
from array import array
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold import kinds
from fanfold.errors import UnsupportedVideo
from fanfold.kinds.video.cutting import Cut
from fanfold.kinds.video.mp4 import lagging
from fanfold.kinds.video.mp4.fragments import lateness
from fanfold.kinds.video.mp4.movie import Track
from fanfold.kinds.video.mp4.muxing import IDENTITY
from fanfold.kinds.video.recipe import VideoRecipe
from tests.kinds.driver import run
from tests.kinds.video.clips import clip
from tests.kinds.video.probes import complaints, seen
from tests.kinds.video.test_real import TABLE, changed

VIDEO = kinds.get("video")

RECIPE = {
    "segment": "1s",
    "renditions": [{"name": "web", "height": 60}, {"name": "copy"}, {"name": "live", "format": "hls", "height": 60}],
}


def still(seconds: int, scale: int) -> bytes:
    """Return a clip whose 60th picture is shown for so long, in ticks of so many a second."""
    times = f"setpts='if(gte(N,60),PTS+{seconds}/TB,PTS)'"
    return clip(f"still-{seconds}-{scale}.mp4", 3, f"-vf {times} {STILL} -video_track_timescale {scale}")


STILL = "-fps_mode passthrough -c:v libx264 -preset veryfast -g 30 -bf 3 -an"


def test_a_picture_of_a_minute_in_fine_ticks_is_shown_for_a_minute(tmp_path: Path) -> None:
    """Four times as long would be more ticks than 31 bits hold."""
    data = still(60, 10_000_000)
    result = run(VIDEO, data, VideoRecipe.model_validate(RECIPE), seed=1)
    for name, body in {"source.mp4": data, **result.outputs}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(body)
    wanted = seen(tmp_path / "source.mp4")[0].times
    assert max(after - before for before, after in pairwise(wanted)) > 60
    for output in ("web.mp4", "copy.mp4", "live/index.m3u8"):
        assert seen(tmp_path / output)[0].times == wanted
        assert complaints(tmp_path / output) == ""
    with av.open(str(tmp_path / "live/index.m3u8")) as found:
        packets = [packet for packet in found.demux(video=0) if packet.pts is not None and packet.dts is not None]
        lag = max((packet.pts - packet.dts) * Fraction(packet.time_base or 1) for packet in packets)
    assert lag < Fraction(1, 2)


def test_more_ticks_than_an_index_holds_are_refused_by_name() -> None:
    runs = struct.pack(">6I", 0, 2, 59, 1001, 1, 1 << 31)
    data = changed(clip("silent.mp4", 2), f"{TABLE}/stts", lambda body: runs)
    with pytest.raises(UnsupportedVideo, match="lasts 71,582 s: more ticks than an MP4 can say"):
        run(VIDEO, data.replace(b"elst", b"free"), VideoRecipe.model_validate(RECIPE))


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=12), st.data())
def test_no_encoder_lets_a_picture_wait_for_longer(lengths: list[int], data: st.DataObject) -> None:
    """Whatever the order, as long as none waits for more than four others."""
    shown = [sum(lengths[:at]) for at in range(len(lengths))]
    coming, made = list(shown), []
    waits = dict.fromkeys(shown, 0)
    while coming:
        late = [at for at in coming if waits[at] >= lagging.REORDERED]
        pick = late[0] if late else data.draw(st.sampled_from(coming))
        coming.remove(pick)
        made.append(pick)
        for at in coming:
            waits[at] += at < pick
    track = Track(1, b"vide", 1, b"", IDENTITY, 0, None, None, pts=array("q", shown))
    cut = Cut(0, sum(lengths), 0, len(shown), len(shown))
    assert lateness(made) <= lagging.encoded(track, [cut])
