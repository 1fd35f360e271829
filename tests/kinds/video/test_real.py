"""What real files have that clips do not: each is the smallest change of a clip that shows it."""

from __future__ import annotations

import contextlib
import struct
import zlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import av
import pytest

from fanfold import kinds
from fanfold.errors import BrokenVideo, FanfoldError, UnsupportedVideo
from fanfold.kinds.held import Held
from fanfold.kinds.video import levels
from fanfold.kinds.video.laying import vorbis
from fanfold.kinds.video.mp4.boxes import box, full, walk
from fanfold.kinds.video.mp4.movie import read_movie
from fanfold.kinds.video.recipe import VideoRecipe
from tests.kinds.driver import run
from tests.kinds.video.clips import AAC, H264, clip
from tests.kinds.video.clips import run as run_ffmpeg
from tests.kinds.video.probes import complaints, psnr, seen

VIDEO = kinds.get("video")

RECIPE = {
    "segment": "1s",
    "renditions": [{"name": "web", "height": 32}, {"name": "copy"}, {"name": "live", "format": "hls"}],
}

TABLE = "moov/trak/mdia/minf/stbl"


def changed(data: bytes, path: str, change: Callable[[bytes], bytes]) -> bytes:
    """Change the body of a box, and the sizes of those around it; what lies behind moves."""
    heads, start, stop = [], 0, len(data)
    for name in path.split("/"):
        heads.append(start)
        start, stop = next((body, end) for found, body, end in walk(data, start, stop) if found == name.encode())
        heads[-1] = start - 8
    body = change(data[start:stop])
    made = bytearray(data[:start] + body + data[stop:])
    for at in heads:
        (size,) = struct.unpack_from(">I", made, at)
        struct.pack_into(">I", made, at, size + len(body) - (stop - start))
    return bytes(made)


def made(folder: Path, data: bytes, recipe: dict[str, object] = RECIPE) -> dict[str, Path]:
    """Run a job; return where the outputs lie, and the source under `source`."""
    outputs = run(VIDEO, data, VideoRecipe.model_validate(recipe), seed=1).outputs
    for name, body in {"source": data, **outputs}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
    return {name: folder / name for name in ("source", *outputs)}


def presented_for(data: bytes, seconds: float) -> bytes:
    """Have the first track of a clip presented for so long: by its edit list, which has one edit or is made."""
    (scale,) = struct.unpack_from(">I", data, data.index(b"mvhd") + 16)
    length = struct.pack(">I", round(seconds * scale))
    if b"elst" in data:
        return changed(data, "moov/trak/edts/elst", lambda body: body[:8] + length + body[12:])
    edit = box(b"edts", full(b"elst", 0, 0, struct.pack(">I", 1), length, struct.pack(">iI", 0, 0x10000)))
    return changed(data, "moov/trak", lambda body: body + edit)


def test_a_last_picture_that_lasts_for_no_time_is_shown(tmp_path: Path) -> None:
    """Many an index says so, as nothing follows. It is shown as long as the one before it."""
    data = changed(clip("silent.mp4", 2), f"{TABLE}/stts", lambda body: struct.pack(">6I", 0, 2, 59, 1001, 1, 0))
    paths = made(tmp_path, data)
    wanted = seen(paths["source"])[0].times
    assert len(wanted) == 60
    for name in ("web.mp4", "copy.mp4", "live/index.m3u8"):
        assert len(seen(paths[name])[0].times) == 60
        assert complaints(paths[name]) == ""


@pytest.mark.parametrize("length_s", [0.3, 1.0, 1.04, 1.1, 1.97])
def test_what_comes_behind_the_end_is_shown_nowhere(tmp_path: Path, length_s: float) -> None:
    """Not in a stream of fragments either, which has no edit that hides it: it is left out, or encoded without it."""
    data = presented_for(clip("silent.mp4", 3), length_s)
    paths = made(tmp_path, data)
    wanted = seen(paths["source"])[0].times
    assert 0 < len(wanted) < 70
    for name in ("web.mp4", "copy.mp4", "live/index.m3u8"):
        assert seen(paths[name])[0].times == wanted


def test_sound_behind_the_end_is_left_out_of_a_stream(tmp_path: Path) -> None:
    data = presented_for(clip("sound.m4a", 3), 1.5)
    paths = made(tmp_path, data)
    assert seen(paths["live/index.m3u8"])[0].times == seen(paths["source"])[0].times


def test_an_edit_ends_no_fragment(tmp_path: Path) -> None:
    """Its length is that of what the index alone has, which was written before there was a fragment."""
    paths = made(tmp_path, presented_for(clip("fragmented.mp4", 2), 0.5))
    assert seen(paths["web.mp4"])[0].times == seen(paths["source"])[0].times
    assert len(seen(paths["web.mp4"])[0].times) == 60


def test_offsets_that_have_sounds_share_a_time_are_not_followed(tmp_path: Path) -> None:
    """Some encoders write their delay as the offset of the first packet."""
    data = clip("sound.m4a", 2)
    (count,) = struct.unpack_from(">I", data, data.index(b"stsz") + 12)
    ctts = full(b"ctts", 0, 0, struct.pack(">5I", 2, 1, 1024, count - 1, 0))
    paths = made(tmp_path, changed(data, TABLE, lambda body: body + ctts))
    paths["source"].write_bytes(data)
    [ours], [theirs] = seen(paths["copy.mp4"]), seen(paths["source"])
    assert (ours.samples, ours.times) == (theirs.samples, theirs.times)
    assert all(before < after for before, after in pairwise(ours.decoded))
    assert complaints(paths["copy.mp4"]) == ""


def test_pictures_that_are_shown_long_after_they_are_decoded_are_refused() -> None:
    data = changed(clip("silent.mp4", 2), f"{TABLE}/ctts", lambda body: body[:12] + b"\x7f\xff\xff\xff" + body[16:])
    with pytest.raises(UnsupportedVideo, match="more ticks than an MP4 can say"):
        run(VIDEO, data, VideoRecipe.model_validate(RECIPE))


def test_vorbis_has_the_samples_that_its_blocks_have(tmp_path: Path) -> None:
    """Its container rounds the length of each packet: what is encoded of it would stumble by a millisecond."""
    data = clip("mono.webm", 3, "-vn -c:a libvorbis -ar 22050")
    paths = made(tmp_path, data, {"segment": "1s", "renditions": [{"name": "web"}]})
    with av.open(str(paths["web.mp4"])) as found:
        times = [packet.pts for packet in found.demux(audio=0) if packet.size]
    assert {after - before for before, after in pairwise(times)} == {1024}
    assert complaints(paths["web.mp4"]) == ""


def test_what_is_no_header_of_vorbis_says_no_counts() -> None:
    header = b"\x02\x1e\x40\x01vorbis" + bytes(21) + b"\xb8"
    assert vorbis.counts(header) == [128, 576, 1024]
    assert [vorbis.counts(bad) for bad in (b"", header[:-1], b"\x01vorbi")] == [[], [], []]


def test_subtitles_without_a_language_are_und(tmp_path: Path) -> None:
    (tmp_path / "in.mp4").write_bytes(clip("silent.mp4", 2))
    (tmp_path / "in.srt").write_text("1\n00:00:00,500 --> 00:00:01,500\nWho says so?\n")
    inputs = ("-i", str(tmp_path / "in.mp4"), "-i", str(tmp_path / "in.srt"))
    run_ffmpeg(*inputs, "-c", "copy", "-metadata:s:s:0", "language=und", str(tmp_path / "in.mkv"))
    paths = made(tmp_path, (tmp_path / "in.mkv").read_bytes(), {"subtitles": "vtt"})
    assert "Who says so?" in paths["subtitles.und.vtt"].read_text()


def test_samples_without_a_byte_are_left_out(tmp_path: Path) -> None:
    """Of a picture that has none the one before it stays; players of fragments stop at such."""
    whole = clip("sound.m4a", 2)
    paths = made(tmp_path, changed(whole, f"{TABLE}/stsz", lambda body: body[:-4] + bytes(4)))
    paths["source"].write_bytes(whole)
    for name in ("web.mp4", "live/index.m3u8"):
        assert seen(paths[name])[0].decoded == seen(paths["source"])[0].decoded[:-1]


def test_pictures_that_change_their_size_keep_their_times(tmp_path: Path) -> None:
    """VP9 may do so anywhere; what is encoded has one size."""
    for number, size in enumerate(("160:90", "320:180", "96:54")):
        given = f"-vf scale={size} -an -c:v libvpx-vp9 -g 48 -deadline realtime -cpu-used 8"
        (tmp_path / f"{number}.webm").write_bytes(clip(f"{number}.webm", 0.5, given))
    (tmp_path / "list").write_text("".join(f"file '{number}.webm'\n" for number in range(3)))
    run_ffmpeg("-f", "concat", "-i", str(tmp_path / "list"), "-c", "copy", str(tmp_path / "in.mp4"))
    paths = made(
        tmp_path, (tmp_path / "in.mp4").read_bytes(), {"segment": "2s", "renditions": [{"name": "web", "height": 32}]}
    )
    assert seen(paths["web.mp4"])[0].times == seen(paths["source"])[0].times
    assert complaints(paths["web.mp4"]) == ""


def test_a_sound_field_that_would_have_to_be_encoded_is_refused(tmp_path: Path) -> None:
    data = clip("field.mp4", 1, "-vn -ac 4 -c:a libopus -mapping_family 2")
    assert "copy.mp4" in run(VIDEO, data, VideoRecipe.model_validate({"renditions": [{"name": "copy"}]})).outputs
    with pytest.raises(UnsupportedVideo, match=r"a sound field \(ambisonic 1\), which aac does not hold"):
        run(VIDEO, data, VideoRecipe.model_validate(RECIPE))


@pytest.mark.parametrize("codec", ["h264", "hevc", "vp9", "av1"])
def test_segments_of_other_rates_are_one_video(tmp_path: Path, codec: str) -> None:
    """Telephones record at rates that vary. An encoder chooses a level for each segment: the highest is said of all."""
    given = f"-vf select='gt(t,1)+not(mod(n,16))' -fps_mode vfr {H264} -force_key_frames 1,2 -an"
    data = clip(f"{codec}.mp4", 3, given, "testsrc2=size=160x90:rate=240:duration={seconds}")
    paths = made(tmp_path, data, {"segment": "1s", "renditions": [{"name": "web", "height": 48, "video": codec}]})
    wanted = seen(paths["source"])[0].times
    rates = [sum(second <= at < second + 1 for at in wanted) for second in range(3)]
    assert max(rates) > 10 * min(rates)
    assert seen(paths["web.mp4"])[0].times == wanted
    assert complaints(paths["web.mp4"]) == ""
    assert psnr(paths["web.mp4"], paths["source"], "86x48") > 25


def test_segments_that_differ_in_more_than_a_level_are_not_one_video(tmp_path: Path) -> None:
    """Not in how their slices are read, in their size, nor in their colours."""
    made_of = {}
    for name, given in {
        "low": "-preset fast -r 30",
        "high": "-preset fast -r 120",
        "baseline": "-profile:v baseline -r 30",
        "colours": "-preset fast -r 30 -bsf:v h264_metadata=colour_primaries=9",
    }.items():
        data = clip(f"{name}.mp4", 1, f"-an -write_btrt 0 -vf scale=86:48 -c:v libx264 {given}")
        made_of[name] = read_movie(Held(data)).tracks[0].entry
    low = made_of.pop("low")
    assert levels.shared([low]) == low
    assert levels.shared([low, made_of["high"]]) == levels.shared([made_of["high"], low]) == made_of["high"]
    for name in ("baseline", "colours"):
        assert levels.shared([low, made_of[name]]) is None


def test_a_sound_that_is_over_before_it_begins_is_left_out(tmp_path: Path) -> None:
    """Its edit list begins behind its last packet."""
    data = clip("plain.mp4", 2)
    at = data.rindex(b"elst") + 16
    paths = made(tmp_path, data[:at] + struct.pack(">I", 1 << 30) + data[at + 4 :])
    for name in ("web.mp4", "copy.mp4", "live/index.m3u8"):
        assert [stream.kind for stream in seen(paths[name])] == ["video"]


def test_an_index_that_quicktime_compressed_is_read(tmp_path: Path) -> None:
    data = clip("plain.mp4", 2, f"{H264} {AAC} -f mov")
    at = data.rindex(b"moov") - 4
    packed = struct.pack(">I", len(data) - at) + zlib.compress(data[at:])
    whole = data[:at] + box(b"moov", box(b"cmov", box(b"dcom", b"zlib"), box(b"cmvd", packed)))
    paths = made(tmp_path, whole)
    paths["source"].write_bytes(data)
    for name in ("web.mp4", "copy.mp4", "live/index.m3u8"):
        assert [one.times for one in seen(paths[name])] == [one.times for one in seen(paths["source"])]
    for bad in (whole.replace(packed, packed[:4] + bytes(len(packed) - 4)), whole.replace(packed, packed[:40])):
        with pytest.raises(BrokenVideo):
            run(VIDEO, bad, VideoRecipe.model_validate(RECIPE))


def test_pictures_that_are_said_to_have_no_size_end_in_a_named_error_or_outputs(tmp_path: Path) -> None:
    data = clip("vp9.mp4", 1, "-an -c:v libvpx-vp9 -g 24 -deadline realtime -cpu-used 8")
    at = data.index(b"vp09\0\0\0\0") + 28
    data = data[:at] + bytes(4) + data[at + 4 :]
    with contextlib.suppress(FanfoldError):
        assert "web.mp4" in made(tmp_path, data)


def test_a_sample_that_only_ends_the_sequence_is_no_picture(tmp_path: Path) -> None:
    """Of five bytes, four of them its length."""
    whole = clip("silent.mp4", 2, f"{H264} -bf 0 -an")
    paths = made(tmp_path, changed(whole, f"{TABLE}/stsz", lambda body: body[:-4] + struct.pack(">I", 5)))
    paths["source"].write_bytes(whole)
    for name in ("web.mp4", "copy.mp4", "live/index.m3u8"):
        assert seen(paths[name])[0].times == seen(paths["source"])[0].times[:-1]
