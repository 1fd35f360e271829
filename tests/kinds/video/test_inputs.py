"""What cameras, recorders and old programs write: read as ffmpeg reads it whole."""

from __future__ import annotations

import io
import json
import math
import random
import struct
from array import array
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import av
import pytest
from av.container import InputContainer
from av.packet import Packet
from hypothesis import given
from hypothesis import strategies as st

from fanfold import kinds
from fanfold.errors import BrokenVideo, FanfoldError, UnsupportedVideo
from fanfold.kinds.video.laying import dividing, flac, ordering, vp8
from fanfold.kinds.video.mp4 import fragments
from fanfold.kinds.video.ranges import opened
from fanfold.kinds.video.recipe import VideoRecipe
from tests.kinds.driver import CountingSource, run
from tests.kinds.video.avis import rewritten
from tests.kinds.video.clips import H264, clip
from tests.kinds.video.clips import run as run_ffmpeg
from tests.kinds.video.laying import laid_out, shares_at
from tests.kinds.video.probes import psnr, shown
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
    data = bytearray(clip("camera.mov", 2, "-c:v mpeg4 -g 24 -c:a pcm_s16be"))
    at = data.index(b"stsz", data.index(b"twos")) + 8
    assert struct.unpack_from(">I", data, at) == (4,)
    struct.pack_into(">I", data, at, 1)
    paths = made(tmp_path, "old.mov", bytes(data), {"renditions": [{"name": "copy", "format": "mov"}]})
    assert heard(paths["copy.mov"]) == heard(paths["old.mov"])


@pytest.mark.parametrize("codec", ["pcm_s24le", "pcm_f32le"])
def test_uncompressed_sound_of_mp4_says_its_size_in_a_box(tmp_path: Path, codec: str) -> None:
    paths = made(tmp_path, "it.mp4", clip(f"{codec}.mp4", 2, f"-vn -c:a {codec}"), {"renditions": [{"name": "web"}]})
    assert len(heard(paths["web.mp4"])) == len(heard(paths["it.mp4"])) == 2 * 48000 * 2 * 8


def test_a_codec_that_no_mp4_holds_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedVideo, match="stream 1 is adpcm_ima_wav, which no MP4 holds"):
        run(VIDEO, clip("adpcm.avi", 1, f"{MJPEG} -c:a adpcm_ima_wav"), VideoRecipe.model_validate(RECIPE))


PCM = "-c:a pcm_s16le"
ASP = "-c:v mpeg4 -bf 2 -g 24 -c:a libmp3lame"
RESOLUTION_BITS = 15
"""In which planes of a clip of 30000/1001 pictures a second say their times."""


def coding_of(picture: bytes) -> str:
    return "IPBS"[picture[picture.index(b"\0\0\1\xb6") + 4] >> 6]


def uncoded() -> bytes:
    """Return a plane of MPEG-4 that is not coded: its kind, no second more, a marker, its time, a marker, and a 0."""
    bits = "01" + "0" + "1" + "0" * RESOLUTION_BITS + "1" + "0"
    bits += "1" * (-len(bits) % 8)
    return b"\0\0\1\xb6" + int(bits, 2).to_bytes(len(bits) // 8, "big")


def packed(pictures: list[bytes]) -> list[bytes]:
    """Put the first of some B-frames into the chunk of the picture before them, as DivX did, which says so."""
    first = pictures[0]
    at = min(at for at in (first.find(b"\0\0\1\xb3"), first.find(b"\0\0\1\xb6")) if at >= 0)
    made = [first[:at] + b"\0\0\1\xb2DivX503b1393p" + first[at:]]
    for before, picture in pairwise(pictures):
        if coding_of(picture) == "B" and coding_of(before) != "B":
            made[-1] += picture
        elif coding_of(before) == "B" and coding_of(picture) != "B":
            made += [uncoded(), picture]
        else:
            made.append(picture)
    return made


def dropped(pictures: list[bytes]) -> list[bytes]:
    """Leave out pictures that no other needs, as recorders do that were too slow."""
    kept = [uncoded() if coding_of(one) == "B" and at % 3 == 0 else one for at, one in enumerate(pictures)]
    return [*kept, uncoded(), uncoded()]


def avi(name: str) -> bytes:
    """Return an AVI of which some pictures wait for others."""
    change = {"packed": packed, "dropped": dropped, "both": lambda found: dropped(packed(found)[:-1])}.get(name)
    direct = f"-c:v libx264 -preset veryfast -bf 0 -g 24 {PCM}"
    arguments = {"h264": f"{H264} {PCM}", "direct": direct}.get(name, ASP)
    data = clip(f"{name}.avi", 4, arguments)
    return rewritten(data, pictures=change) if change else data


@pytest.mark.parametrize("name", ["plain", "packed", "dropped", "both", "h264", "direct"])
def test_pictures_of_an_avi_are_shown_when_ffmpeg_shows_them(tmp_path: Path, name: str) -> None:
    """Nothing in it says when: they are counted, and their own bits tell which of them wait."""
    data = avi(name)
    paths = made(tmp_path, f"{name}.avi", data, RECIPE)
    for output in ("web.mp4", "copy.mov"):
        check_same(paths[output], paths[f"{name}.avi"])
    assert psnr(paths["copy.mov"], paths[f"{name}.avi"]) > (90 if name in ("h264", "direct") else 30)


def test_pictures_that_wait_have_one_worker_lay_them_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which knows of all of them; where that shows only on the way, several ask for it."""
    monkeypatch.setattr(dividing, "SHARE_BYTES", 60_000)
    recipe = VideoRecipe.model_validate(RECIPE)
    for name, lines in (("packed", 1), ("h264", 1)):
        assert len(VIDEO.plan(CountingSource(avi(name)), recipe).lines) == lines
    done = run(VIDEO, avi("dropped"), recipe)
    assert len(done.rounds[0]) > 1
    assert [line.span for line in done.rounds[1]] == [{"prepare": True}]


def plane(kind: str) -> bytes:
    """Return the head of a plane of MPEG-4 that is coded, or one that is not."""
    if kind == "N":
        return uncoded()
    bits = f"{'IPBS'.index(kind):02b}" + "0" + "1" + "0" * RESOLUTION_BITS + "1" + "1"
    return b"\0\0\1\xb6" + int(bits.ljust(24, "0"), 2).to_bytes(3, "big") + bytes(20)


def timed(kinds_of: Sequence[str], waits: bool) -> list[tuple[int, int]]:
    """Return count and time of each picture that is shown."""
    name = "plain.avi" if waits else "direct.avi"
    data = clip(name, 1, ASP if waits else "-c:v mpeg4 -g 24 -an")
    with opened(CountingSource(data)) as found:
        order, timed_ones = ordering.Unpacked(found.streams.video[0]), []
        for at, kind in enumerate(kinds_of):
            packet = Packet(plane(kind))
            packet.pts, packet.dts = None, at
            timed_ones += order.filter(packet)
        timed_ones += order.rest()
        return [(one.dts, one.pts) for one in timed_ones if one.dts is not None and one.pts is not None]


@given(st.lists(st.sampled_from("IPBN"), min_size=1, max_size=40), st.booleans())
def test_each_picture_is_shown_once_and_in_order(kinds_of: list[str], waits: bool) -> None:
    """At its own count if it does not wait; else at that of the next one that does, which by then is decoded."""
    found = timed(kinds_of, waits)
    coded = [at for at, kind in enumerate(kinds_of) if kind != "N"]
    assert [at for at, _ in found] == coded
    wait = [at for at in coded if kinds_of[at] != "B" and waits]
    following = dict(pairwise(wait))
    assert {at: time for at, time in found if at not in wait[-1:]} == {
        at: following.get(at, at) for at in coded if at not in wait[-1:]
    }
    # Of the last one nothing tells it, but that it is shown behind all others.
    assert not wait or max(found, key=lambda one: one[1])[0] == wait[-1]


VP8 = "-c:v libvpx -g 24 -deadline realtime -cpu-used 8"


def packets(data: bytes) -> list[Packet]:
    with av.open(io.BytesIO(data)) as found:
        assert isinstance(found, InputContainer)
        return [packet for packet in found.demux(video=0) if packet.size]


def hidden(data: bytes) -> bytes:
    """Return a clip of VP8 of which some pictures are decoded and not shown: a bit of each says it."""
    changed = bytearray(data)
    for number, packet in enumerate(packets(data)):
        if number % 7 == 3 and not packet.is_keyframe:
            changed[data.index(bytes(packet))] &= ~0x10
    return bytes(changed)


def resized(name: str) -> bytes:
    """Return a clip whose pictures become smaller on the way, as in calls when a line gets slow."""
    clips = [clip(f"{size}-{name}", 2, f"-vf scale=160:{size} {VP8} -an") for size in (90, 44)]
    made = io.BytesIO()
    with av.open(io.BytesIO(clips[0])) as first, av.open(made, mode="w", format="webm") as output:
        assert isinstance(first, InputContainer)
        into = output.add_stream_from_template(first.streams.video[0])
        for number, data in enumerate(clips):
            for packet in packets(data):
                assert packet.pts is not None
                packet.pts = packet.dts = packet.pts + 2002 * number
                packet.stream = into
                output.mux(packet)
    return made.getvalue()


@pytest.mark.parametrize("name", ["hidden.webm", "vp8.avi", "resized.webm"])
def test_vp8_is_read_and_what_it_hides_is_not_shown(tmp_path: Path, name: str) -> None:
    """As many pictures as ffmpeg shows, at their times, and those that look the same."""
    arguments = f"{VP8} -c:a {'libmp3lame' if name.endswith('avi') else 'libopus'}"
    data = resized(name) if name == "resized.webm" else clip(name, 4, arguments)
    data = hidden(data) if name == "hidden.webm" else data
    recipe = {"scenes": True, "posters": {"every": "1s", "width": 80}, **RECIPE}
    paths = made(tmp_path, name, data, recipe)
    for output in ("web.mp4", "copy.mov"):
        check_same(paths[output], paths[name])
    assert psnr(paths["copy.mov"], paths[name]) > 30
    told = json.loads(paths["metadata.json"].read_bytes())["streams"][0]
    assert (told["codec"], told["frames"]) == ("vp8", len(shown(paths[name])))


def test_what_is_hidden_at_a_seam_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shares come to what one worker makes of all, or say that they do not."""
    data = hidden(clip("hidden.webm", 4, f"{VP8} -c:a libopus"))
    whole = laid_out(data, [True])
    for cut_at in range(len(data) // 4, len(data), len(data) // 4):
        ours = laid_out(data, shares_at([cut_at], len(data)))
        assert not ours.follow or ours.tracks == whole.tracks


SURROUND = "-filter:a pan=5.1|FL=c0|FR=0.5*c1|FC=0.3*c0|LFE=0.1*c1|BL=0.7*c0|BR=0.2*c1"

OTHERS = {
    "flac.mkv": f"{H264} -c:a flac",
    "dts.mkv": f"{H264} -c:a dca -strict -2",
    "truehd.mkv": f"{H264} -c:a truehd -strict -2",
    "prores.mkv": "-c:v prores_ks -pix_fmt yuv422p10le -c:a pcm_s24le",
    "divx3.avi": "-c:v msmpeg4 -g 24 -c:a libmp3lame",
    "odd.mkv": "-c:v mjpeg -vf scale=321:241 -pix_fmt yuvj444p -c:a pcm_u8 -ac 1 -ar 22050",
    "slow.mkv": "-c:v libx264 -vf fps=1 -g 2 -c:a ac3",
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_else_people_have_is_read(tmp_path: Path, name: str) -> None:
    paths = made(tmp_path, name, clip(name, 4, OTHERS[name]), {"renditions": [{"name": "web", "height": 60}]})
    check_same(paths["web.mp4"], paths[name])
    assert len(heard(paths["web.mp4"])) == len(heard(paths[name]))


def test_the_channels_of_ac3_are_those_of_opus(tmp_path: Path) -> None:
    """Which has none beside, and those behind instead."""
    data = clip("surround.mkv", 3, f"{H264} {SURROUND} -c:a ac3 -b:a 640k")
    paths = made(tmp_path, "surround.mkv", data, {"renditions": [{"name": "web", "format": "webm", "height": 60}]})
    ours, theirs = loudness(paths["web.webm"]), loudness(paths["surround.mkv"])
    assert len(ours) == len(theirs) == 6
    assert max(theirs) - min(theirs) > 12
    assert all(abs(one - other) < 1 for one, other in zip(ours, theirs, strict=True))


def loudness(path: Path) -> list[float]:
    """Return how loud each channel of a video's sound is, in decibels."""
    samples = array("d", heard(path))
    with av.open(str(path)) as found:
        channels = found.streams.audio[0].channels
    return [
        10 * math.log10(sum(value * value for value in samples[at::channels]) / len(samples[at::channels]))
        for at in range(channels)
    ]


@pytest.mark.parametrize("samples", [576, 4608, 1000, 4096])
def test_a_packet_of_flac_says_how_many_samples_it_has(samples: int) -> None:
    data = clip(f"{samples}.mkv", 1, f"-vn -c:a flac -frame_size {samples}")
    with av.open(io.BytesIO(data)) as found:
        assert isinstance(found, InputContainer)
        counts = [
            (flac.samples(memoryview(packet)), sum(frame.samples for frame in packet.decode()))
            for packet in found.demux(audio=0)
            if packet.size
        ]
        assert flac.block_samples(found.streams.audio[0].codec_context.extradata or b"") == samples
    assert all(said == decoded for said, decoded in counts)
    assert sum(said for said, _ in counts) == 48000


def test_what_is_held_back_is_bounded() -> None:
    """A hostile object says of all its pictures that they wait, or that none is shown."""
    with pytest.raises(BrokenVideo, match="more than 250 pictures"):
        timed(["P", *"B" * 300], waits=True)
    waiting = vp8.Hidden(sees_all=True)
    hidden_ones = [Packet(b"\1\0\0") for _ in range(300)]
    with pytest.raises(BrokenVideo, match="more than 250 pictures"):
        list(map(waiting.filter, hidden_ones))


@pytest.mark.parametrize("name", ["packed", "vp8.webm", "camera.mov"])
def test_damage_ends_in_outputs_or_a_named_error(name: str) -> None:
    data = avi(name) if name == "packed" else clip(name, 2, f"{VP8} -an" if name == "vp8.webm" else f"{MJPEG} {PCM}")
    recipe = VideoRecipe.model_validate({"segment": "1s", "renditions": [{"name": "copy", "format": "mov"}]})
    for seed in range(4):
        pick, bad = random.Random(seed), bytearray(data)
        index = max(0, data.find(b"moov"))
        for _ in range(pick.randint(1, 4)):
            at = pick.randrange(index, min(index + 2000, len(bad))) if seed % 2 else pick.randrange(len(bad))
            bad[at] = pick.randrange(256)
        with suppress(FanfoldError):
            assert "copy.mov" in run(VIDEO, bytes(bad), recipe).outputs
