"""Splitting is invisible: every picture and every sample of sound is there once, at its own time."""

from __future__ import annotations

import struct
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.stream import Disposition
from pydantic import ValidationError

from fanfold import kinds
from fanfold.kinds.video import encoding
from fanfold.kinds.video.media import Media
from fanfold.kinds.video.reading import read_segment
from fanfold.kinds.video.recipe import VideoRecipe
from tests.kinds.driver import CountingSource, run
from tests.kinds.video.clips import CLIPS, H264, clip
from tests.kinds.video.clips import run as run_ffmpeg
from tests.kinds.video.probes import complaints, nearest_ms, psnr, samples_encoded, samples_heard, seen

VIDEO = kinds.get("video")

RECIPE = {
    "renditions": [{"name": "web", "height": 60}, {"name": "copy", "format": "mov"}, {"name": "live", "format": "hls"}]
}


def made(folder: Path, name: str, segment: str, recipe: dict[str, object]) -> dict[str, Path]:
    """Run a job over a clip; return where each output lies, and the clip itself under its name."""
    data = clip(name)
    outputs = run(VIDEO, data, VideoRecipe.model_validate({"segment": segment, **recipe}), seed=1).outputs
    for path, body in {name: data, **outputs}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(body)
    return {path: folder / path for path in (name, *outputs)}


def check_same(output: Path, source: Path) -> None:
    """Assert that two videos have the same pictures and samples at the same times, and that decoders are content."""
    before = seen(source)
    # Streams and recordings begin when they like; what comes back begins at 0, and all is moved alike.
    begins_anywhere = source.suffix in (".ts", ".mts", ".mkv", ".webm", ".avi") or b"moof" in source.read_bytes()
    origin = min(stream.times[0] for stream in before) if begins_anywhere else 0
    is_webm = output.suffix == ".webm"
    for ours, theirs in zip(seen(output), before, strict=True):
        assert ours.kind == theirs.kind
        assert (ours.language or "und") == (theirs.language or "und")
        if ours.kind == "video":
            times = [time - origin for time in theirs.times]
            assert ours.times == ([nearest_ms(time) for time in times] if is_webm else times)
        elif is_webm:
            assert ours.samples == samples_heard(source)
            assert ours.times[0] == nearest_ms(theirs.times[0] - origin)
        else:
            wanted = theirs.samples if ours.codec == theirs.codec else samples_encoded(source, ours.codec)
            # Matroska says how many samples of its last frame are heard; of an MP4 libavformat hears all of them.
            assert 0 <= ours.samples - wanted < (960 if ours.codec == theirs.codec == "opus" else 1)
            assert ours.times[0] == theirs.times[0] - origin
        assert all(before < after for before, after in zip(ours.decoded, ours.decoded[1:], strict=False))
    assert complaints(output) == ""


@pytest.mark.parametrize("name", CLIPS)
def test_every_picture_and_sample_is_there_at_its_time(tmp_path: Path, name: str) -> None:
    paths = made(tmp_path, name, "2s", RECIPE)
    for output in ("web.mp4", "copy.mov", "live/index.m3u8"):
        check_same(paths[output], paths[name])


def test_a_copy_is_the_same_pictures(tmp_path: Path) -> None:
    paths = made(tmp_path, "open.mov", "1s", {"renditions": [{"name": "copy"}]})
    assert psnr(paths["copy.mp4"], paths["open.mov"]) == float("inf")


def test_what_was_encoded_here_before_is_encoded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its description is what the encoder gives again, and yet nothing of it is a copy.

    Of a source that is turned, pictures that are encoded are upright, so that nothing may turn them any more.
    """
    web = {"name": "web", "crf": 23}
    ours = made(tmp_path, "plain.mp4", "2s", {"renditions": [web]})["web.mp4"].read_bytes()
    turned = bytearray(ours)
    at = turned.index(b"tkhd") + 4 + 52
    turned[at : at + 36] = struct.pack(">9i", -0x10000, 0, 0, 0, -0x10000, 0, 160 << 16, 90 << 16, 0x40000000)
    sources = {"ours.mp4": ours, "turned.mp4": bytes(turned)}
    monkeypatch.setattr("tests.kinds.video.test_exact.clip", sources.__getitem__)
    for name in sources:
        renditions = [web, {"name": "live", "format": "hls", "crf": 23}]
        paths = made(tmp_path, name, "2s", {"renditions": renditions})
        for output in ("web.mp4", "live/index.m3u8"):
            check_same(paths[output], paths[name])
            assert psnr(paths[output], paths[name]) > 30


def test_the_sound_that_is_heard_is_that_of_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = "-map 0 -map 1 -map 1 -disposition:a:0 0 -disposition:a:1 default"
    source = clip("chosen.mkv", 4, f"{chosen} {H264} -c:a aac")
    monkeypatch.setattr("tests.kinds.video.test_exact.clip", lambda name: source)
    recipe = {"renditions": [{"name": "copy"}, {"name": "net", "format": "webm", "height": 48}]}
    paths = made(tmp_path, "chosen.mkv", "2s", recipe)
    for output in ("copy.mp4", "net.webm"):
        with av.open(str(paths[output])) as found:
            heard = [bool(one.disposition & Disposition.default) for one in found.streams.audio]
        assert heard == [False, True]


def test_sound_of_quicktime_is_described_as_mp4_does(tmp_path: Path) -> None:
    """Readers of MP4 look for the set-up of AAC in its entry, and for nothing of QuickTime's before it."""
    paths = made(tmp_path, "open.mov", "2s", {"renditions": [{"name": "copy"}, {"name": "live", "format": "hls"}]})
    heads = [path.read_bytes() for name, path in paths.items() if name == "copy.mp4" or "/audio-0-" in name]
    entries = [data[data.index(b"mp4a") - 4 :] for data in heads if b"mp4a" in data]
    assert len(entries) == 2
    for entry in entries:
        assert entry[16:18] == b"\0\0"
        assert entry[40:44] == b"esds"


def test_a_rendition_for_which_there_is_nothing_is_named() -> None:
    renditions = [{"name": "heard", "video": "none"}, {"name": "seen", "height": 60}]
    found = run(VIDEO, clip("silent.mp4"), VideoRecipe.model_validate({"renditions": renditions}))
    assert found.stats["left_out"] == ["heard"]
    assert "heard.mp4" not in found.outputs
    with pytest.raises(ValidationError, match="are those of pictures"):
        VideoRecipe.model_validate({"renditions": [{"name": "heard", "video": "none", "height": 60}]})


def test_the_splitter_reads_the_index_and_a_worker_its_segment() -> None:
    """At most 1% of the object, and a segment's bytes and 2 MB: counted."""
    data = clip("large.mp4", 40, "-vf noise=alls=40:allf=t,scale=640:360 -c:v mpeg4 -q:v 2 -g 60 -an")
    assert len(data) > 20_000_000
    source = CountingSource(data)
    recipe = VideoRecipe.model_validate(
        {"segment": "4s", "renditions": [{"name": "web", "format": "mp4", "height": 32}]}
    )
    plan = VIDEO.plan(source, recipe)
    assert source.read_bytes <= len(data) / 100
    assert len(plan.lines) == 10
    for line in plan.lines[:3]:
        source.reads.clear()
        segment = read_segment(source, Media.from_json(plan.layout["media"]), line.span)
        assert segment.video
        assert sum(segment.video.samples.sizes) <= source.read_bytes <= sum(segment.video.samples.sizes) + 2_000_000
        assert len(source.reads) == 1


CHAPTERS = ";FFMETADATA1\ntitle=A talk – ü\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=2500\ntitle=First\n"
CHAPTERS += "[CHAPTER]\nTIMEBASE=1/1000\nSTART=2500\nEND=6000\ntitle=Zweites\n"


def rich(folder: Path, name: str) -> bytes:
    """Return a clip with two languages and their titles, chapters, a title and a quarter turn."""
    (folder / "in.mp4").write_bytes(clip("plain.mp4"))
    (folder / "told.txt").write_text(CHAPTERS)
    inputs = ("-display_rotation:v:0", "-90", "-i", str(folder / "in.mp4"), "-i", str(folder / "told.txt"))
    # Matroska has another code for it (ISO 639-2/B).
    french = "fre" if name.endswith("mkv") else "fra"
    sounds = ("-metadata:s:a:0", "language=eng", "-metadata:s:a:1", f"language={french}")
    titles = ("-metadata:s:a:0", "title=The talk", "-metadata:s:a:1", "title=Exposé")
    maps = ("-map", "0:v", "-map", "0:a", "-map", "0:a", "-map_metadata", "1", "-c", "copy")
    run_ffmpeg(*inputs, *maps, *sounds, *titles, str(folder / name))
    return (folder / name).read_bytes()


@pytest.mark.parametrize("name", ["rich.mp4", "rich.mkv"])
def test_chapters_languages_titles_and_turns_are_kept(tmp_path: Path, name: str) -> None:
    recipe = {"segment": "2s", "renditions": [{"name": "web", "height": 80}, {"name": "copy", "format": "mov"}]}
    result = run(VIDEO, rich(tmp_path, name), VideoRecipe.model_validate(recipe), seed=1)
    for output in ("web.mp4", "copy.mov"):
        (tmp_path / output).write_bytes(result.outputs[output])
        with av.open(str(tmp_path / output)) as made:
            assert [stream.language for stream in made.streams.audio] == ["eng", "fra"]
            assert [stream.metadata["title"] for stream in made.streams.audio] == ["The talk", "Exposé"]
            assert [stream.metadata["handler_name"] for stream in made.streams.audio] == ["The talk", "Exposé"]
            assert [one["metadata"]["title"] for one in made.chapters()] == ["First", "Zweites"]
            assert [one["start"] * one["time_base"] for one in made.chapters()] == [0, Fraction(5, 2)]
            assert made.metadata["title"] == "A talk – ü"
            frame = next(made.decode(video=0))
            shown = (frame.width, frame.height) if frame.rotation % 180 == 0 else (frame.height, frame.width)
        assert shown == ((90, 160) if output == "copy.mov" else (44, 80))
        assert complaints(tmp_path / output) == ""
    # ffmpeg turns the pictures that it compares with: a turn the wrong way would leave some 10 dB.
    assert psnr(tmp_path / "web.mp4", tmp_path / name, "44x80") > 25


def test_pictures_are_as_good_as_those_of_a_whole_file_encode(tmp_path: Path) -> None:
    """At equal settings, to 0.1 dB: no worse, and a little better where segments are short."""
    paths = made(tmp_path, "plain.mp4", "1s", {"renditions": [{"name": "web", "crf": 23}]})
    whole = tmp_path / "whole.mp4"
    run_ffmpeg("-i", str(paths["plain.mp4"]), "-c:v", "libx264", "-preset", "medium", "-crf", "23", "-an", str(whole))
    assert psnr(paths["web.mp4"], paths["plain.mp4"]) > psnr(whole, paths["plain.mp4"]) - 0.1


@pytest.mark.parametrize(("name", "codec", "output"), [("vp9.mp4", "aac", "x.mov"), ("plain.mp4", "opus", "x.mp4")])
def test_encoded_sound_has_no_seam(tmp_path: Path, name: str, codec: str, output: str) -> None:
    """It is sample for sample that of a whole-file encode, and as long as the source, whose end that does not cut."""
    form = output.rpartition(".")[2]
    paths = made(tmp_path, name, "1s", {"renditions": [{"name": "x", "format": form, "audio": codec, "video": "none"}]})
    whole = tmp_path / "whole.mp4"
    encoder = {"aac": "aac", "opus": "libopus"}[codec]
    run_ffmpeg("-i", str(paths[name]), "-vn", "-c:a", encoder, "-b:a", "128k", "-flags:a", "+bitexact", str(whole))
    ours, theirs = (run_ffmpeg("-i", str(path), "-f", "s16le", "-") for path in (paths[output], whole))
    last = 6 * 48000 * 4
    assert last <= len(ours) <= len(theirs)
    assert ours[: last - 16_384] == theirs[: last - 16_384]


HDR10 = [
    "log-level=none:keyint=25:hdr10=1:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:max-cll=1000,400",
    "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)",
]
HDR = f"-pix_fmt yuv420p10le -c:v libx265 -preset ultrafast -tag:v hvc1 -an -x265-params {':'.join(HDR10)}"


def test_hdr_is_kept(tmp_path: Path) -> None:
    """Ten bits, colours, the display it was mastered on, and its light levels, in every segment."""
    recipe = {"segment": "1s", "metadata": False, "renditions": [{"name": "x", "height": 60, "video": "hevc"}]}
    (tmp_path / "x.mp4").write_bytes(
        run(VIDEO, clip("hdr.mp4", 3, HDR), VideoRecipe.model_validate(recipe)).outputs["x.mp4"]
    )
    with av.open(str(tmp_path / "x.mp4")) as made:
        frames = list(made.decode(video=0))
    assert len(frames) == 90
    for frame in frames:
        assert frame.format.name == "yuv420p10le"
        assert (frame.color_primaries, frame.color_trc, frame.colorspace) == (9, 16, 9)
        told = {side.type.name for side in frame.side_data}
        assert {"MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"} <= told or not frame.key_frame


def test_a_segment_is_encoded_to_the_same_bytes_however_busy_the_machine_is() -> None:
    """What a retry writes must be what the record of the try before it says."""
    source = CountingSource(clip("plain.mp4"))
    recipe = VideoRecipe.model_validate({"segment": "2s", "renditions": [{"name": "web"}]})
    plan = VIDEO.plan(source, recipe)
    media, rendition = Media.from_json(plan.layout["media"]), recipe.renditions[0]

    def encoded(_: int) -> bytes:
        return b"".join(encoding.encode_pictures(read_segment(source, media, plan.lines[0].span), rendition).data)

    # Of the thread that looks ahead one in twelve differed.
    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(encoded, range(24)))) == 1
