"""What is told of clips: the same whatever they are cut into, at its time, and in one line where it fails."""

from __future__ import annotations

import io
import json
import random
from decimal import Decimal
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fanfold import kinds
from fanfold.aws import transcribe
from fanfold.errors import BrokenVideo, FanfoldError
from fanfold.kinds.video.media import Media, Stream
from fanfold.kinds.video.recipe import VideoRecipe
from fanfold.kinds.video.speech import whisper
from fanfold.kinds.video.told import describing
from fanfold.speech import Word
from fanfold.words import words
from tests.kinds.driver import CountingSource, Result, run
from tests.kinds.video.clips import clip
from tests.kinds.video.clips import run as ffmpeg
from tests.kinds.video.test_speech import DICKENS, TWO_CITIES, spelled

VIDEO = kinds.get("video")

KINDS = ["silent.mp4", "sound.m4a", "variable.mp4", "open.mov", "fragmented.mp4", "live.mkv", "hevc.ts"]

EVERYTHING = {
    "scenes": True,
    "posters": {"every": "1s", "width": 64},
    "subtitles": "vtt",
    "transcript": {},
    "keywords": 9,
}

SRT = """1
00:00:00,500 --> 00:00:02,000
<i>Hello</i> & welcome

2
00:00:01,000 --> 00:00:03,500
- an overlap -->
two lines
"""

ASS = r"""[Script Info]
ScriptType: v4.00+
[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Default,Arial,20
[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:01.00,0:00:02.50,Default,,0,0,0,,{\b1\pos(9,9)}Le chat{\b0}, noir\Ndort
"""


def told(data: bytes, recipe: dict[str, Any] | None = None, segment: str = "2s") -> Result:
    return run(VIDEO, data, VideoRecipe.model_validate({"segment": segment, **(recipe or EVERYTHING)}), seed=1)


class Talker:
    """Hears a word in every second that is not silent, where the model would have to listen."""

    def words(self, sound: bytes, language: str) -> list[Word]:
        samples = np.frombuffer(sound, "<i2")
        seconds = range(0, len(samples) - 15_000, 16_000)
        loud = [at // 16 for at in seconds if abs(samples[at : at + 16_000].astype(int)).max() > 1000]
        return [Word("hear", at, at + 500, 1.0) for at in loud]


@pytest.fixture
def talker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whisper, "transcriber", Talker)


@cache
def film(folder: Path) -> bytes:
    """Return a video of four shots, cut at 2, 3.5 and 5 s, with its sound and tracks of text."""
    shots = [("testsrc2", 2), ("mandelbrot", 1.5), ("smptebars", 1.5), ("rgbtestsrc", 2)]
    inputs = [f"{name}=size=128x72:rate=30:d={length}" for name, length in shots if name != "mandelbrot"]
    inputs.insert(1, "mandelbrot=size=128x72:rate=30")
    for name, text in (("a.srt", SRT), ("a.ass", ASS)):
        (folder / name).write_text(text)
    path = folder / "film.mp4"
    cut = ";".join(
        f"[{at}:v]trim=duration={length},setpts=PTS-STARTPTS,format=yuv420p[v{at}]"
        for at, (_, length) in enumerate(shots)
    )
    ffmpeg(
        *(word for one in inputs for word in ("-f", "lavfi", "-i", one)),
        *("-f", "lavfi", "-i", "aevalsrc='if(lt(t,3),0,sin(2*PI*440*t)/2)':sample_rate=44100:d=7"),
        *("-i", str(folder / "a.srt"), "-i", str(folder / "a.ass")),
        *("-filter_complex", f"{cut};[v0][v1][v2][v3]concat=n=4[v]", "-map", "[v]", "-map", "4:a"),
        *("-map", "5", "-map", "6", "-map", "5", "-c:v", "libx264", "-g", "20", "-bf", "2", "-c:a", "aac"),
        *("-c:s", "mov_text", "-metadata:s:s:0", "language=eng", "-metadata:s:s:1", "language=fra"),
        *("-metadata:s:s:2", "language=eng", "-bitexact", str(path)),
    )
    return path.read_bytes()


@pytest.fixture(scope="module")
def shots(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return film(tmp_path_factory.mktemp("film"))


def test_amazon_transcribe_hears_what_the_recipe_says_it_shall(shots: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same words come to the same transcript, records and keywords, whoever heard them; the model is not asked."""
    recipe = {"transcript": {"language": "en-GB", "engine": "transcribe"}, "keywords": 3, "metadata": False}
    asked = []

    class Service(Talker):
        def words(self, sound: bytes, language: str) -> list[Word]:
            asked.append((len(sound), language))
            return super().words(sound, language)

    monkeypatch.setattr(whisper, "transcriber", None)
    monkeypatch.setattr(transcribe, "transcriber", Service)
    by_service = told(shots, recipe)
    assert [language for _, language in asked] == ["en-GB"]
    monkeypatch.setattr(whisper, "transcriber", Talker)
    by_model = told(shots, {**recipe, "transcript": {}})
    said = json.loads(by_service.outputs.pop("transcript.json"))
    assert (said.pop("engine"), said.pop("language")) == ("amazon transcribe", "en-GB")
    other = json.loads(by_model.outputs.pop("transcript.json"))
    assert (other.pop("engine"), other.pop("language")) == ("whisper tiny.en", "en")
    assert said == other
    assert said["cues"]
    assert by_service.outputs == by_model.outputs
    assert by_service.records == by_model.records


@pytest.mark.usefixtures("talker")
def test_what_is_told_does_not_depend_on_the_segments(shots: bytes) -> None:
    whole = told(shots, segment="60s")
    for segment in ("1s", "2.3s"):
        cut = told(shots, segment=segment)
        assert cut.outputs == whole.outputs
        assert {**cut.stats, "segments": 0} == {**whole.stats, "segments": 0}
        assert sorted(map(str, cut.records)) == sorted(map(str, whole.records))
    assert whole.stats["segments"] == 1


@pytest.mark.usefixtures("talker")
def test_each_output_says_what_is_in_the_video(shots: bytes) -> None:
    found = told(shots)
    scenes = json.loads(found.outputs["scenes.json"])["scenes"]
    assert [one["start_s"] for one in scenes] == [0.0, 2.0, 3.5, 5.0]
    assert all(a["stop"] == b["start"] for a, b in pairwise(scenes))
    assert scenes[-1]["stop"] == "7"
    sheet = Image.open(io.BytesIO(found.outputs["posters.jpg"]))
    assert found.stats["posters"] == found.outputs["posters.vtt"].count(b"#xywh=") == 7
    assert sheet.width % 64 == sheet.height % 36 == 0
    assert found.outputs["subtitles.eng.vtt"] == found.outputs["subtitles.eng-2.vtt"]
    # MP4 holds no cues that overlap: the first one ends where the second begins.
    assert found.outputs["subtitles.eng.vtt"].decode() == (
        "WEBVTT\n\n00:00:00.500 --> 00:00:01.000\n<i>Hello</i> &amp; welcome\n\n"
        "00:00:01.000 --> 00:00:03.500\n- an overlap --&gt;\ntwo lines\n"
    )
    assert found.outputs["subtitles.fra.vtt"].decode().endswith("<b>Le chat</b>, noir\ndort\n")
    transcript = json.loads(found.outputs["transcript.json"])
    assert [cue["start_s"] for cue in transcript["cues"]] == [3.0]
    assert [word["start_s"] for word in transcript["cues"][0]["words"]] == [3.0, 4.0, 5.0, 6.0]
    keywords = {(one["text"], one["language"]) for one in json.loads(found.outputs["keywords.json"])["keywords"]}
    assert {("overlap", "en"), ("chat", "fr")} <= keywords
    assert found.stats["subtitles"] == 3
    assert json.loads(found.outputs["metadata.json"])["streams"]
    [record, cue, *spoken] = sorted(found.records, key=lambda one: (bool(one.word), one.ordinal))
    assert set(record.attributes["outputs"]) == set(found.outputs)
    assert (cue.ordinal, cue.attributes["start_s"], cue.attributes["text"]) == (1, Decimal(3), "hear hear hear hear")
    assert [(one.word, one.attributes["at_s"], one.attributes["place"]) for one in spoken] == [
        ("hear", Decimal(second), place) for place, second in enumerate((3, 4, 5, 6))
    ]


@pytest.mark.usefixtures("talker")
@pytest.mark.parametrize(
    "name", ["silent.mp4", "sound.m4a", "variable.mp4", "open.mov", "fragmented.mp4", "live.mkv", "hevc.ts"]
)
def test_clips_of_every_kind_are_described(name: str) -> None:
    found = told(clip(name, 3))
    heard, seen = name != "silent.mp4", name != "sound.m4a"
    assert len(json.loads(found.outputs["scenes.json"])["scenes"]) == (1 if seen else 0)
    assert ("posters.jpg" in found.outputs) == ("posters.vtt" in found.outputs) == seen
    assert found.stats["words"] == (3 if heard else 0)
    assert found.outputs["transcript.vtt"].startswith(b"WEBVTT\n")


def test_posters_are_upright_and_in_the_shape_that_is_looked_at(tmp_path: Path) -> None:
    """A phone held upright stores pictures that lie on their side; the left edge of what it stores is the top."""
    plain, turned = tmp_path / "plain.mp4", tmp_path / "turned.mp4"
    source = "color=red:size=160x90:rate=10:duration=1,drawbox=x=0:y=0:w=80:h=90:color=blue:t=fill"
    ffmpeg("-f", "lavfi", "-i", source, "-c:v", "libx264", "-pix_fmt", "yuv420p", str(plain))
    ffmpeg("-display_rotation", "-90", "-i", str(plain), "-c", "copy", str(turned))
    found = told(turned.read_bytes(), {"posters": {"width": 90}})
    image = Image.open(io.BytesIO(found.outputs["posters.jpg"]))
    assert image.size == (90, 160)
    top, bottom = image.getpixel((45, 20)), image.getpixel((45, 140))
    assert top[2] > 200 > 60 > top[0]
    assert bottom[0] > 200 > 60 > bottom[2]


def test_what_is_said_in_a_video_is_found_by_its_words() -> None:
    found = told(TWO_CITIES.read_bytes(), {"transcript": {}, "keywords": 12})
    said = json.loads(found.outputs["transcript.json"])
    errors = len(set(spelled(DICKENS)) ^ set(spelled(said["text"])))
    assert errors <= 4
    [worst] = [one for one in found.records if one.word == "worst"]
    assert worst.attributes["at_s"] == pytest.approx(Decimal("3.5"), abs=Decimal("0.3"))
    assert words(worst.attributes["text"])[worst.attributes["place"]] == "worst"
    assert "age of wisdom" in [one["text"] for one in json.loads(found.outputs["keywords.json"])["keywords"]]


@pytest.mark.usefixtures("talker")
def test_sound_that_begins_later_than_the_pictures_is_heard_at_its_time(tmp_path: Path) -> None:
    path = tmp_path / "late.mp4"
    pictures = "testsrc=size=64x36:rate=10:duration=5"
    inputs = ("-f", "lavfi", "-i", pictures, "-itsoffset", "2", "-f", "lavfi", "-i", "sine=frequency=440:duration=3")
    ffmpeg(*inputs, "-c:v", "libx264", "-c:a", "aac", str(path))
    found = told(path.read_bytes(), {"transcript": {}})
    [cue] = json.loads(found.outputs["transcript.json"])["cues"]
    assert cue["start_s"] == pytest.approx(2, abs=0.1)


@pytest.mark.usefixtures("talker")
def test_a_broken_video_is_told_as_far_as_it_decodes_or_refused_in_one_line() -> None:
    data, outcomes = clip("plain.mp4", 2), set()
    for seed in range(25):
        chance = random.Random(seed)
        flipped = bytearray(data)
        for _ in range(chance.choice([1, 10, 300])):
            flipped[chance.randrange(len(data) // 2)] = chance.randrange(256)
        try:
            outcomes.add("posters.jpg" in told(bytes(flipped)).outputs)
        except FanfoldError as error:
            outcomes.add("\n" not in str(error))
    assert outcomes == {True}


@pytest.mark.usefixtures("talker")
def test_a_video_of_which_no_picture_decodes_is_refused() -> None:
    data = bytearray(clip("first.mp4", 2))
    start = data.index(b"mdat") + 4
    data[start:] = bytes(len(data) - start)
    with pytest.raises(BrokenVideo, match="not one picture"):
        told(bytes(data))


def test_a_forecast_counts_what_is_looked_at_and_heard() -> None:
    source = CountingSource(clip("plain.mp4", 3))
    plain, asked = (VideoRecipe.model_validate(recipe) for recipe in ({}, {"scenes": True, "transcript": {}}))
    less, more = (VIDEO.forecast(source, recipe, VIDEO.plan(source, recipe)) for recipe in (plain, asked))
    assert more.worker_s > less.worker_s + 3 / 10
    assert more.longest_s > less.longest_s


@pytest.mark.parametrize(
    ("language", "chosen"), [("en", 1), ("de-DE", 2), ("pt-BR", 3), ("zh-TW", 4), ("fr-FR", 0), ("sw-KE", 0)]
)
def test_the_sound_in_the_language_of_the_recipe_is_heard(language: str, chosen: int) -> None:
    """By whatever code the container says it, ISO 639-2 for books or for terms, or with a region; else the default."""
    sounds = [
        Stream(at, "audio", "aac", 48_000, b"", 0, 1, 0, 0, language=said, default=at == 0)
        for at, said in enumerate(("spa", "eng", "ger", "pt-PT", "chi"))
    ]
    media = Media("mp4", "0", "1", None, sounds, [(0, 1)])
    assert describing.spoken(media, language).index == chosen
