"""What players choose from in HLS: sizes that they change between, sounds, texts, and how each is announced."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import pytest

from fanfold import kinds
from fanfold.kinds.video.hls.rfc6381 import codec
from fanfold.kinds.video.recipe import VideoRecipe
from tests.kinds.driver import run
from tests.kinds.video.clips import H264, clip
from tests.kinds.video.clips import run as run_ffmpeg
from tests.kinds.video.probes import peak_rate, seen

VIDEO = kinds.get("video")

SUBTITLES = """1
00:00:01,000 --> 00:00:02,500
It was the <i>best</i> of times

2
00:00:05,000 --> 00:00:05,500
it was the worst
"""

LADDER = [
    {"name": "high", "format": "hls", "crf": 20},
    {"name": "low", "format": "hls", "height": 48, "crf": 35},
    {"name": "heard", "format": "hls", "video": "none"},
]


@cache
def spoken() -> bytes:
    """Return a film with two sounds, which differ, and a track of subtitles."""
    tones = [f"-f lavfi -i sine=frequency={hertz}:sample_rate=48000:duration=6" for hertz in (300, 700)]
    pictures = "-f lavfi -i testsrc2=size=160x90:rate=30000/1001:duration=6"
    tags = "-metadata:s:a:0 language=eng -metadata:s:a:1 language=deu -metadata:s:s:0 language=eng"
    codecs = f"{H264} -pix_fmt yuv420p -c:a aac -c:s srt {tags}"
    maps = "-map 0 -map 1 -map 2 -map 3"
    words = f"{pictures} {' '.join(tones)} -f srt -i pipe: {maps} {codecs} -f matroska pipe:"
    return run_ffmpeg(*words.split(), fed=SUBTITLES.encode())


def made(folder: Path, data: bytes, **fields: object) -> dict[str, Path]:
    outputs = run(VIDEO, data, VideoRecipe.model_validate({"segment": "2s", **fields})).outputs
    for name, body in outputs.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
    return {name: folder / name for name in outputs}


def tags(path: Path, name: str) -> list[dict[str, str]]:
    """Return the attributes of each of a playlist's tags."""
    found = re.findall(rf"^#{name}:(.*)$", path.read_text(), re.MULTILINE)
    return [{key: value.strip('"') for key, value in re.findall(r'([A-Z-]+)=("[^"]*"|[^",]*)', one)} for one in found]


def test_renditions_are_a_ladder_that_one_playlist_names(tmp_path: Path) -> None:
    """Sounds that are the same are one choice, whichever rendition has them; ffmpeg sees all that it names."""
    paths = made(tmp_path, spoken(), subtitles="vtt", renditions=LADDER)
    with av.open(str(paths["index.m3u8"])) as found:
        sizes = sorted((one.width, one.height) for one in found.streams.video)
        codecs = {one.codec_context.codec.canonical_name for one in found.streams.audio}
    assert sizes == [(86, 48), (160, 90)]
    assert codecs == {"aac"}
    sounds = [one for one in tags(paths["index.m3u8"], "EXT-X-MEDIA") if one["TYPE"] == "AUDIO"]
    assert [(one["GROUP-ID"], one["LANGUAGE"], one["DEFAULT"]) for one in sounds] == [
        ("audio", "en", "YES"),
        ("audio", "de", "NO"),
    ]
    high, low, heard = tags(paths["index.m3u8"], "EXT-X-STREAM-INF")
    assert (high["AUDIO"], low["AUDIO"], heard["AUDIO"]) == ("audio", "audio", "audio")
    assert int(high["BANDWIDTH"]) > int(low["BANDWIDTH"]) > int(heard["BANDWIDTH"])
    assert all(int(one["AVERAGE-BANDWIDTH"]) <= int(one["BANDWIDTH"]) for one in (high, low, heard))
    assert "RESOLUTION" not in heard
    assert "#EXT-X-INDEPENDENT-SEGMENTS" in paths["index.m3u8"].read_text()
    high, low = (seen(paths[f"{name}/video.m3u8"])[0] for name in ("high", "low"))
    assert high.times == low.times


def test_one_rendition_has_no_playlist_of_all(tmp_path: Path) -> None:
    paths = made(tmp_path, clip("plain.mp4"), renditions=LADDER[:1])
    assert "index.m3u8" not in paths
    assert "SUBTITLES" not in paths["high/index.m3u8"].read_text()


def test_subtitles_are_shown_by_every_rendition(tmp_path: Path) -> None:
    """As ffmpeg reads them: the same cues at the same times, through the playlist that names them."""
    paths = made(tmp_path, spoken(), subtitles="vtt", renditions=LADDER[1:])
    for name, above in (("index.m3u8", ""), ("low/index.m3u8", "../"), ("heard/index.m3u8", "../")):
        [text] = [one for one in tags(paths[name], "EXT-X-MEDIA") if one["TYPE"] == "SUBTITLES"]
        assert (text["URI"], text["LANGUAGE"], text["DEFAULT"]) == (f"{above}subtitles.eng.m3u8", "en", "NO")
        assert all(one["SUBTITLES"] == text["GROUP-ID"] for one in tags(paths[name], "EXT-X-STREAM-INF"))
    shown = run_ffmpeg("-i", str(paths["subtitles.eng.m3u8"]), "-f", "webvtt", "pipe:").decode()
    assert re.findall(r"(\S+) --> (\S+)", shown) == [("00:01.000", "00:02.500"), ("00:05.000", "00:05.500")]
    assert "<i>best</i>" in shown


def test_playlists_that_a_player_changes_between_have_one_target(tmp_path: Path) -> None:
    """RFC 8216, 6.2.4; and no segment is longer than it, of pictures or of sound."""
    paths = made(tmp_path, spoken(), renditions=LADDER)
    playlists = [path.read_text() for name, path in paths.items() if re.search(r"(video|audio-\d)\.m3u8$", name)]
    assert len(playlists) == 8
    targets = {int(re.search(r"TARGETDURATION:(\d+)", text)[1]) for text in playlists}  # type: ignore[index]
    longest = max(Fraction(length) for text in playlists for length in re.findall(r"EXTINF:([\d.]+)", text))
    [target] = targets
    assert target - 1 < longest <= target


@pytest.mark.parametrize(("turn", "size"), [(90, "90x160"), (180, "160x90")])
def test_a_copy_is_announced_as_it_is_looked_at(tmp_path: Path, turn: int, size: str) -> None:
    source = tmp_path / "source.mp4"
    source.write_bytes(clip("plain.mp4"))
    turned = run_ffmpeg(
        *["-display_rotation", str(turn), "-i", str(source), "-c", "copy"],
        *["-movflags", "frag_keyframe+empty_moov", "-f", "mp4", "pipe:"],
    )
    paths = made(tmp_path, turned, renditions=[{"name": "live", "format": "hls"}])
    [stream] = tags(paths["live/index.m3u8"], "EXT-X-STREAM-INF")
    assert stream["RESOLUTION"] == size
    assert "INDEPENDENT" not in paths["live/index.m3u8"].read_text()


def test_light_beyond_the_ordinary_is_announced(tmp_path: Path) -> None:
    """Also where the pictures alone say it, and the index does not."""
    x265 = "log-level=none:keyint=48:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc"
    hdr = clip("hdr.mp4", 4, f"-pix_fmt yuv420p10le -c:v libx265 -preset ultrafast -x265-params {x265} -an")
    assert b"colr" not in hdr
    renditions = [{"name": "copy", "format": "hls"}, {"name": "made", "format": "hls", "video": "hevc", "height": 64}]
    paths = made(tmp_path, hdr, renditions=renditions)
    assert [one["VIDEO-RANGE"] for one in tags(paths["index.m3u8"], "EXT-X-STREAM-INF")] == ["PQ", "PQ"]


@pytest.mark.parametrize(("config", "name"), [("1190", "mp4a.40.2"), ("2b92", "mp4a.40.5"), ("f94641", "mp4a.40.42")])
def test_aac_says_which_it_is(config: str, name: str) -> None:
    """LC, HE and xHE-AAC (ISO/IEC 14496-3, table 1.17), the last by an escape."""
    private = bytes.fromhex(config)
    decoder = b"\x04\x80\x80\x80" + bytes([15 + len(private)]) + bytes(13) + b"\x05" + bytes([len(private)]) + private
    esds = bytes(4) + b"\x03" + bytes([3 + len(decoder)]) + bytes(3) + decoder
    box = (8 + len(esds)).to_bytes(4, "big") + b"esds" + esds
    assert codec(b"\0\0\0\0mp4a" + bytes(28) + box) == name


def test_sound_that_begins_late_is_silent_before(tmp_path: Path) -> None:
    """A player begins where both pictures and sound are: without silence it would pass by three seconds of pictures."""
    late = "-af asetpts=PTS+3.28/TB"
    source = tmp_path / "late.mp4"
    source.write_bytes(clip("late.mp4", 9, f"{late} {H264} -c:a aac"))
    copied = made(tmp_path, source.read_bytes(), renditions=[{"name": "live", "format": "hls"}, {"name": "copy"}])
    with av.open(str(source)) as found:
        assert found.streams.audio[0].start_time * found.streams.audio[0].time_base > 3
    pictures, sound = seen(copied["live/index.m3u8"])
    assert sound.times[0] == pictures.times[0] == 0
    assert (sound.samples - 48_000 * Fraction("12.28")) <= 1024
    lengths = re.findall(r"EXTINF:([\d.]+)", copied["live/audio-0.m3u8"].read_text())
    assert float(sum(map(Fraction, lengths))) == pytest.approx(12.28, abs=0.03)
    # What is heard is where it was; a file says by its index when a sound begins, and has the packets of the source.
    assert loud_from(copied["live/audio-0.m3u8"]) == pytest.approx(3.28, abs=0.03)
    assert seen(copied["copy.mp4"])[1].times[0] == seen(source)[1].times[0]


def loud_from(path: Path) -> float:
    """Return when a sound is first heard, in seconds."""
    with av.open(str(path)) as found:
        for frame in found.decode(audio=0):
            heard = abs(frame.to_ndarray()).max(axis=0)
            if (heard > 0.02).any():
                return float(frame.pts * frame.time_base) + int((heard > 0.02).argmax()) / frame.sample_rate
    raise AssertionError("nothing is heard")


def test_a_last_fragment_of_two_pictures_says_nothing_of_the_rate(tmp_path: Path) -> None:
    """RFC 8216, 4.1: runs count that last from half to one and a half of the target duration; all are tried here."""
    tail = clip("tail.mp4", 8.05, "-c:v libx264 -preset veryfast -g 60 -keyint_min 60 -sc_threshold 0 -crf 20 -an")
    paths = made(tmp_path, tail, renditions=[{"name": "live", "format": "hls"}])
    text = paths["live/video.m3u8"].read_text()
    lengths = [Fraction(length) for length in re.findall(r"EXTINF:([\d.]+)", text)]
    bits = [paths[f"live/{name}"].stat().st_size * 8 for name in re.findall(r"^video-.*m4s$", text, re.MULTILINE)]
    assert lengths[-1] < max(lengths) / 2
    [stream] = tags(paths["live/index.m3u8"], "EXT-X-STREAM-INF")
    assert int(stream["BANDWIDTH"]) == pytest.approx(float(peak_rate(bits, lengths)), abs=2)
    assert float(bits[-1] / lengths[-1]) > int(stream["BANDWIDTH"])
