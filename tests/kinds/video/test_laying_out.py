"""Many workers lay an object out as one would: the same samples, at the same times, wherever they begin."""

from __future__ import annotations

import io
import random
import tempfile
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import accumulate, pairwise
from pathlib import Path

import av
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fanfold.errors import FanfoldError
from fanfold.kinds.video.formats import PACKET_BYTES, packets_apart
from fanfold.kinds.video.laying import clusters, dividing, matroska, pes, transport
from fanfold.kinds.video.laying import shares as besides
from fanfold.kinds.video.laying.elements import void
from fanfold.kinds.video.laying.leading import Lead
from fanfold.kinds.video.recipe import VideoRecipe
from tests.kinds.driver import CountingSource, run
from tests.kinds.video.clips import CLIPS, H264, clip
from tests.kinds.video.clips import run as run_ffmpeg
from tests.kinds.video.laying import RECIPE, VIDEO, laid_out, lead, shares_at

SHORT = "-cluster_time_limit 400"
"""Clusters of 10 kB, of which some lie behind what a demuxer probes."""

MATROSKA = {
    "h264.mkv": f"{CLIPS['h264.mkv']} {SHORT}",
    "vp9.webm": f"{CLIPS['vp9.webm']} {SHORT}",
    "av1.mkv": f"{CLIPS['av1.mkv']} {SHORT}",
    "hevc.mkv": f"-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=48 -c:a libmp3lame {SHORT}",
    "open.mkv": f"-c:v libx264 -preset veryfast -x264-params open-gop=1:keyint=40:bframes=3 -c:a ac3 {SHORT}",
    "mpeg4.mkv": f"-c:v mpeg4 -bf 2 -g 24 -c:a flac {SHORT} -cues_to_front 1",
    "live.mkv": CLIPS["live.mkv"],
    "unknown.mkv": CLIPS["live.mkv"],
}


TRANSPORT = {
    "h264.ts": CLIPS["h264.ts"],
    "hevc.ts": CLIPS["hevc.ts"],
    "mpeg2.ts": "-c:v mpeg2video -g 24 -bf 2 -b:v 800k -c:a mp2",
    "wraps.ts": f"{H264} -c:a ac3 -output_ts_offset 95437",  # 33 bits of 90 kHz are 95,443.7 s
    "slices.ts": f"{H264} -slices 4 -c:a aac -ar 44100 -pes_payload_size 400",
    "straddling.ts": f"{H264} -c:a mp2 -b:a 128k",
}


def made(name: str) -> bytes:
    """Return a clip; that of unknown sizes as a recorder leaves it that cannot go back."""
    if name in TRANSPORT:
        data = clip(name, 12, TRANSPORT[name])
        return straddling(data, 1000) if name == "straddling.ts" else data
    data = clip(name, 8, MATROSKA[name])
    return unknown(data) if name == "unknown.mkv" else data


@cache
def straddling(data: bytes, width: int) -> bytes:
    """Write the sound of a clip in packets (PES) of `width` bytes, in which frames begin anywhere."""
    with av.open(io.BytesIO(data), format="mpegts") as found:
        sound = found.streams.audio[0]
        pid, frames = sound.id, [(bytes(packet), packet.pts) for packet in found.demux(sound) if packet.size]
    held = b"".join(frame for frame, _ in frames)
    times = dict(
        zip(accumulate((len(frame) for frame, _ in frames), initial=0), (pts for _, pts in frames), strict=False)
    )
    written, arrived, done, count = bytearray(), 0, 0, 0
    for packet in pes.packets(data, 0):
        if packet.pid != pid:
            written += data[packet.place : packet.place + PACKET_BYTES]
            continue
        arrived += len(packet.payload)
        while done + width <= min(arrived, len(held)):
            pts = next((pts for at, pts in times.items() if done <= at < done + width and pts is not None), None)
            header = b"\0\0\1\xc0" + (width + (3 if pts is None else 8)).to_bytes(2, "big")
            header += b"\x80\0\0" if pts is None else b"\x80\x80\x05" + stamp(pts)
            unit = header + held[done : done + width]
            for at in range(0, len(unit), PACKET_BYTES - 4):
                written += packed(unit[at : at + PACKET_BYTES - 4], pid, not at, count)
                count += 1
            done += width
    return bytes(written)


def stamp(pts: int) -> bytes:
    """Return a time as the header of a PES has it (ISO/IEC 13818-1, 2.4.3.6)."""
    high, middle, low = pts >> 30 & 7, pts >> 15 & 0x7FFF, pts & 0x7FFF
    return bytes([0x21 | high << 1]) + (middle << 1 | 1).to_bytes(2, "big") + (low << 1 | 1).to_bytes(2, "big")


def packed(payload: bytes, pid: int, begins: bool, count: int) -> bytes:
    """Return a packet of a transport stream, stuffed where the payload is short."""
    stuffing = PACKET_BYTES - 4 - len(payload)
    field = b"" if not stuffing else b"\0" if stuffing == 1 else bytes([stuffing - 1, 0]) + b"\xff" * (stuffing - 2)
    flags = (0x30 if stuffing else 0x10) | count & 15
    return b"\x47" + (begins << 14 | pid).to_bytes(2, "big") + bytes([flags]) + field + payload


@pytest.fixture(autouse=True, scope="module")
def short_before() -> Iterator[None]:
    """Let workers of a transport stream begin as little before their share as suits clips."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transport, "BEFORE_BYTES", 60_000)
        yield


def cluster_starts(data: bytes) -> list[int]:
    """Return where each cluster begins, as the elements in order say it."""
    found = clusters.segment(CountingSource(data))
    assert found
    chain, starts = clusters.Chain(CountingSource(data), found.cluster, found.stop), [found.cluster]
    while not chain.is_over:
        chain.step()
        starts += [chain.cluster] if chain.cluster != starts[-1] else []
    assert not chain.is_broken
    return starts


def unknown(data: bytes) -> bytes:
    """Take from each cluster how long it is."""
    patched = bytearray(data)
    for start in cluster_starts(data):
        width = 9 - patched[start + 4].bit_length()
        patched[start + 4 : start + 4 + width] = ((1 << 7 * width + 1) - 1).to_bytes(width, "big")
    return bytes(patched)


@pytest.mark.parametrize("name", MATROSKA)
@settings(max_examples=12)
@given(places=st.lists(st.floats(0.02, 1, exclude_max=True), min_size=1, max_size=5))
@example(places=[0.02, 0.021, 0.06])  # in what tells of the streams
@example(places=[0.9999])  # behind the last cluster
def test_shares_come_to_what_one_pass_does(name: str, places: list[float]) -> None:
    data = made(name)
    whole = laid_out(data, [True])
    ours = laid_out(data, shares_at([1 + int(place * (len(data) - 1)) for place in places], len(data)))
    assert ours.follow, ours.shares
    assert ours.tracks == whole.tracks
    assert sum(one["samples"] for one in ours.shares) == whole.shares[0]["samples"]


@pytest.mark.parametrize("name", TRANSPORT)
@settings(max_examples=12)
@given(first=st.floats(0.3, 0.55), second=st.floats(0.65, 0.85))
def test_shares_of_a_transport_stream_come_to_what_one_pass_does(name: str, first: float, second: float) -> None:
    data = made(name)
    whole = laid_out(data, [True])
    ours = laid_out(data, shares_at([int(place * len(data)) for place in (first, second)], len(data)))
    assert ours.follow
    assert ours.tracks == whole.tracks


def test_frames_that_begin_anywhere_are_met_by_beginning_before_the_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parsers that begin within a frame take its rest for one of its own, and what is told of it differs."""
    data = made("straddling.ts")
    assert not Lead.from_json(lead(CountingSource(data))).aligned
    assert Lead.from_json(lead(CountingSource(made("h264.ts")))).aligned
    shares = shares_at([len(data) // 2], len(data))
    assert laid_out(data, shares).follow
    monkeypatch.setattr(transport, "BEFORE_BYTES", 0)
    assert not laid_out(data, shares).follow


def test_packets_that_lie_further_apart_are_one_workers() -> None:
    """Those of a camcorder (AVCHD), which have a time before each."""
    data = clip("camcorder.mts", 8)
    streams = [{"type": "video", "picture": False, "codec": "h264"}]
    assert packets_apart(data) == 192
    assert dividing.shares(CountingSource(data + bytes(3 * dividing.SHARE_BYTES)), "mpegts", 1, streams) == [True]


@pytest.mark.parametrize("name", ["h264.ts", "h264.mkv", "live.mkv"])
@settings(max_examples=15)
@given(seed=st.integers(0, 1 << 32))
def test_of_what_is_damaged_shares_come_to_the_same_or_are_found_out(name: str, seed: int) -> None:
    """Bytes are lost, added and changed: what is not seen alike at the seams is laid out by one."""
    pick = random.Random(seed)
    data = bytearray(made(name))
    for _ in range(pick.randint(1, 3)):
        at, width = pick.randrange(80_000, len(data)), pick.choice((1, 40, 188, 3000))
        data[at : at + pick.choice((0, width))] = pick.randbytes(pick.choice((0, width)))
    cut = pick.randrange(90_000, len(data) - 100_000)
    try:
        whole = laid_out(bytes(data), [True])
    except FanfoldError:
        return
    ours = laid_out(bytes(data), shares_at([cut], len(data)))
    assert not ours.follow or ours.tracks == whole.tracks


@pytest.mark.parametrize("behind", [-20_000, 30_000])
@pytest.mark.parametrize("following", ["slices.ts", "hevc.ts"])
def test_streams_that_change_on_the_way_come_to_what_one_pass_does(following: str, behind: int) -> None:
    """Times begin anew, and so may sizes and codecs, under the same ids."""
    data = made("h264.ts") + made(following)
    ours, whole = laid_out(data, shares_at([len(made("h264.ts")) + behind], len(data))), laid_out(data, [True])
    assert ours.follow
    assert ours.tracks == whole.tracks


SPARSE = {
    "apart.ts": f"{H264} -c:a aac -muxdelay 2 -pes_payload_size 60000",
    "ends.ts": f"{H264} -af atrim=end=4 -c:a aac",
}
"""Clips whose sound comes a second at a time, or ends before the pictures do."""


@pytest.mark.parametrize("name", SPARSE)
@settings(max_examples=8)
@given(places=st.tuples(st.floats(0.3, 0.5), st.floats(0.7, 0.95)))
def test_sound_that_is_too_far_behind_a_share_follows_what_is_whole(name: str, places: tuple[float, float]) -> None:
    data = clip(name, 12, SPARSE[name])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(besides, "BESIDES_BYTES", 30_000)
        patch.setattr(besides, "BESIDES_READ_BYTES", 8_000)
        ours = laid_out(data, shares_at([int(place * len(data)) for place in places], len(data)))
    assert ours.follow, ours.shares
    assert ours.tracks == laid_out(data, [True]).tracks


def test_where_programmes_change_behind_the_last_frame_of_a_sound_one_worker_does_it_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = made("h264.ts") + clip("mute.ts", 8, f"{H264} -an")
    shares = shares_at([len(made("h264.ts")) + 30_000], len(data))
    ours, whole = laid_out(data, shares), laid_out(data, [True])
    assert ours.tracks == whole.tracks
    monkeypatch.setattr(besides, "BESIDES_BYTES", 50_000)
    ours = laid_out(data, shares)
    assert "programmes" in ours.shares[0]["unproven"]
    assert not ours.follow


def test_a_last_frame_that_goes_on_in_what_was_not_seen_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    data = made("straddling.ts")
    monkeypatch.setattr(besides, "BESIDES_BYTES", 1_000)
    ours = laid_out(data, shares_at([len(data) // 2], len(data)))
    assert "no frame" in ours.shares[0]["unproven"]


def test_a_jump_of_a_day_is_kept() -> None:
    """A muxer that is handed such a time ends the process."""
    data = made("h264.ts") + clip("later.ts", 3, f"{H264} -c:a aac -output_ts_offset 90000")
    pts = laid_out(data, [True]).tracks[0]["pts"]
    assert max(after - before for before, after in pairwise(pts)) > 2**31


@pytest.mark.parametrize("name", [*MATROSKA, "h264.ts", "straddling.ts"])
def test_outputs_are_the_same_by_many_as_by_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = made(name)
    one = run(VIDEO, data, RECIPE)
    monkeypatch.setattr(dividing, "SHARE_BYTES", len(data) // 4)
    many = run(VIDEO, data, RECIPE, seed=1)
    assert (len(one.rounds[0]), len(many.rounds[0])) == (1, 4)
    assert many.outputs == one.outputs
    assert many.folded.repaired == 0


def test_what_only_looks_like_a_cluster_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody may put one into a picture, with a time, and another cluster behind it: one worker does it all then."""
    data = made("live.mkv")
    start, following = [at for at in cluster_starts(data) if at > 100_000][:2]
    forged = start + 2000
    size = (following - forged - 12).to_bytes(8, "big")
    lie = b"\x1f\x43\xb6\x75" + bytes([1]) + size[1:] + b"\xe7\x81\x00"
    data = data[:forged] + lie + data[forged + len(lie) :]
    ours = laid_out(data, shares_at([forged - 500], len(data)))
    assert ours.shares[1]["begin"] == forged
    assert not ours.follow
    one = run(VIDEO, data, RECIPE)
    monkeypatch.setattr(dividing, "shares", lambda *_: shares_at([forged - 500], len(data)))
    many = run(VIDEO, data, RECIPE)
    assert [line.span for line in many.rounds[1]] == [{"prepare": True}]
    assert many.outputs == one.outputs
    assert many.folded.repaired == 1


class Sparse(CountingSource):
    """An object of bytes and of numbers of zeros, which take no memory."""

    def __init__(self, pieces: Sequence[bytes | int]) -> None:
        super().__init__(b"")
        self._pieces = pieces
        self._starts = [0, *accumulate(one if isinstance(one, int) else len(one) for one in pieces)]

    @property
    def size_bytes(self) -> int:
        return self._starts[-1]

    def read(self, start: int, stop: int) -> bytes:
        found = b""
        for one, (begins, ends) in zip(self._pieces, pairwise(self._starts), strict=True):
            first, last = max(start, begins), min(stop, ends)
            if first < last:
                found += bytes(last - first) if isinstance(one, int) else one[first - begins : last - begins]
        self.reads.append((start, start + len(found)))
        return found


def test_a_share_far_behind_the_beginning_is_led_to_without_reading_what_lies_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Behind 6 GiB, which nothing counts in 31 bits: neither of the object, nor of what stands for it."""
    data = made("live.mkv")
    at = next(at for at in cluster_starts(data) if at > 150_000)
    header = void(1 << 30)
    source = Sparse([data[:at], *[header, (1 << 30) - len(header)] * 6, data[at:]])
    near = laid_out(data, shares_at([at], len(data)))
    seen: list[int] = []
    read = matroska.Voided.read
    monkeypatch.setattr(
        matroska.Voided, "read", lambda self, start, stop: (seen.append(stop - start), read(self, start, stop))[1]
    )
    far = laid_out(source, shares_at([at + (6 << 30)], source.size_bytes))
    assert far.follow
    assert far.tracks == near.tracks
    assert far.read_bytes[1] < 3 << 20
    assert 0 < sum(seen) < 3 << 20


def test_a_million_marks_of_clusters_are_not_all_looked_at() -> None:
    """Each names another place, where what follows is to be read."""
    marks = [
        b"\x1f\x43\xb6\x75\x01" + (1_000_000 - 16 * at).to_bytes(7, "big") + b"\xe7\x82\0\0" for at in range(60_000)
    ]
    source = CountingSource(b"".join(marks) + bytes(1_000_000))
    assert clusters.find(source, 0, 960_000, source.size_bytes) is None
    assert len(source.reads) < 5000


@pytest.mark.parametrize("damage", [b"\xff", b"\x00" * 40, b"\x1f\x43\xb6\x75"])
def test_what_breaks_within_is_as_one_worker_finds_it(damage: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster that is none ends the chain: where it does, one worker lays out all of it."""
    data = made("h264.mkv")
    at = cluster_starts(data)[12]
    data = data[:at] + damage + data[at + len(damage) :]
    one = run(VIDEO, data, RECIPE)
    monkeypatch.setattr(dividing, "SHARE_BYTES", 50_000)
    assert run(VIDEO, data, RECIPE).outputs == one.outputs


def test_codecs_whose_packets_depend_on_those_before_are_laid_out_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dividing, "SHARE_BYTES", 10_000)
    for codec in ("libvorbis", "eac3"):
        data = clip("other.mkv", 3, f"{H264} -c:a {codec}")
        assert [line.span for line in VIDEO.plan(CountingSource(data), RECIPE).lines] == [{"prepare": True}]


@pytest.fixture(scope="module")
def large() -> bytes:
    """Return a clip of 20 MB with cues."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "large.mp4"
        source.write_bytes(clip("large.mp4", 40, "-vf noise=alls=40:allf=t,scale=640:360 -c:v mpeg4 -q:v 2 -g 60 -an"))
        run_ffmpeg("-i", str(source), "-c", "copy", str(Path(folder) / "large.mkv"))
        return (Path(folder) / "large.mkv").read_bytes()


def test_the_splitter_reads_the_cues_and_a_worker_its_clusters(large: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most 1% of the object, and a share and what tells of the streams: counted."""
    monkeypatch.setattr(dividing, "SHARE_BYTES", 16_000_000)
    source = CountingSource(large)
    recipe = VideoRecipe.model_validate({"segment": "4s", "renditions": [{"name": "copy"}]})
    plan = VIDEO.plan(source, recipe)
    assert source.read_bytes <= len(large) / 100
    shares = [line.span["prepare"] for line in plan.lines]
    assert len(shares) == len(large) // 16_000_000
    assert {start for start, _ in shares[1:]} <= set(cluster_starts(large))
    ours = laid_out(large, shares)
    assert ours.follow
    for (start, stop), read_bytes in zip(shares, ours.read_bytes, strict=True):
        assert stop - start <= read_bytes <= stop - start + 2_000_000
