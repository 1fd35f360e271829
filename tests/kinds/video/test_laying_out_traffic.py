"""What workers read who lay an object out: each its share, and 2 MB besides, counted; at the rates of cameras, too."""

from __future__ import annotations

import random
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanfold.model import Json
from tests.kinds.video.clips import run
from tests.kinds.video.laying import LaidOut, laid_out, shares_at
from tests.kinds.video.test_laying_out import cluster_starts

BESIDES_BYTES = 2_000_000

SECONDS = 5

PICTURES = f"testsrc2=size=1280x720:rate=25:duration={SECONDS},noise=alls=30:allf=t:all_seed=7"

SOUND = f"aevalsrc='sin(2*PI*(300+40*t)*t)/2':sample_rate=48000:duration={SECONDS}"

SUBTITLES = "".join(f"{at + 1}\n00:00:0{at},100 --> 00:00:0{at},900\nline {at}\n\n" for at in range(SECONDS))

MBITS = (4, 20, 40)


@cache
def clip(form: str, mbits: int) -> bytes:
    """Return a clip of that many Mbit/s, with two sounds, and subtitles where the container has such."""
    if form != "mkv":
        # Matroska counts in milliseconds, and an AVI would have so many pictures a second.
        copied = ("-map", "0:v", "-map", "0:a", "-c", "copy", "-bsf:v", "h264_mp4toannexb,setts=time_base=1/25")
        return written(form, "-f", "matroska", "-i", "pipe:0", *copied, fed=clip("mkv", mbits))
    rate = f"-b:v {mbits}M -maxrate {mbits}M -bufsize {mbits}M"
    inputs = [word for one in (PICTURES, SOUND, SOUND) for word in ("-f", "lavfi", "-i", one)]
    mapped = [word for number in range(4) for word in ("-map", str(number))]
    encoded = f"-pix_fmt yuv420p -c:v libx264 -preset ultrafast -g 50 {rate} -c:a libmp3lame -b:a 128k"
    return written(form, *inputs, "-f", "srt", "-i", "pipe:0", *mapped, *encoded.split(), fed=SUBTITLES.encode())


def written(form: str, *arguments: str, fed: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"clip.{form}"
        run(*arguments, "-bitexact", str(path), fed=fed)
        return path.read_bytes()


@cache
def whole(form: str, mbits: int) -> dict[int, dict[str, Any]]:
    """Return what one worker makes of a clip."""
    return laid_out(clip(form, mbits), [True]).tracks


def check_reads(ours: LaidOut, shares: list[Json]) -> None:
    for (start, stop), read_bytes in zip(shares, ours.read_bytes, strict=True):
        assert read_bytes <= stop - start + BESIDES_BYTES


@pytest.mark.parametrize("mbits", MBITS)
@pytest.mark.parametrize("form", ["mkv", "ts", "avi"])
@settings(max_examples=2)
@given(seed=st.integers(0, 1 << 32))
def test_a_worker_reads_its_share_and_2_mb(form: str, mbits: int, seed: int) -> None:
    """Matroska is cut where its cues say that a cluster begins, the others anywhere."""
    data = clip(form, mbits)
    pick = random.Random(seed)
    cuts = [int(pick.uniform(*where) * len(data)) for where in ((0.4, 0.6), (0.75, 0.95))]
    if form == "mkv":
        cuts = pick.choices(cluster_starts(data)[1:], k=2)
    shares = shares_at(cuts, len(data))
    ours = laid_out(data, shares)
    check_reads(ours, shares)
    assert ours.follow, ours.shares
    assert ours.tracks == whole(form, mbits)


@pytest.mark.parametrize("mbits", [20])
@settings(max_examples=3)
@given(place=st.floats(0.4, 0.95))
def test_where_a_cluster_goes_on_for_long_one_worker_lays_out_all(mbits: int, place: float) -> None:
    """Clusters have 5 MB here, and nothing says where they begin."""
    data = clip("mkv", mbits)
    shares = shares_at([int(place * len(data))], len(data))
    ours = laid_out(data, shares)
    check_reads(ours, shares)
    assert ours.follow == ("unproven" not in ours.shares[0])
    assert not ours.follow or ours.tracks == whole("mkv", mbits)
