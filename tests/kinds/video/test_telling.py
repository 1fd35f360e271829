"""Scenes, posters and subtitles: what they are, whatever a video was cut into."""

from __future__ import annotations

import io
import re
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fanfold.errors import TooManyCues
from fanfold.kinds.video.told import posters, scenes, subtitles, webvtt
from fanfold.kinds.video.told.posters import Shown, laid_out
from fanfold.kinds.video.told.scenes import Differences
from fanfold.kinds.video.told.webvtt import Cue

TICK = Fraction(1, 90_000)

SHOTS = [(60, 0), (45, 40), (90, 80), (75, 120), (60, 160)]
"""Frames of each shot, and the hue that it is painted with."""


def painted(hue: int, number: int, width: int = 160, height: int = 90) -> av.VideoFrame:
    """Return a frame of a shot: stripes of its hue that move to the right."""
    at = (np.arange(width) + 3 * number) // 16 % 2
    row = np.stack([60 + hue * at, 200 - hue + 20 * at, np.full(width, 255 - hue)], axis=1).astype(np.uint8)
    return av.VideoFrame.from_ndarray(np.broadcast_to(row, (height, width, 3)).copy(), "rgb24")


def film() -> list[av.VideoFrame]:
    """Return the frames of a video of 30 a second whose cuts are known."""
    frames = []
    for count, hue in SHOTS:
        for number in range(count):
            frame = painted(hue, number)
            frame.pts, frame.time_base = 90_000 + 3000 * len(frames), TICK
            frames.append(frame)
    return frames


FILM = film()
CUTS = [FILM[at].pts for at in np.cumsum([count for count, _ in SHOTS])[:-1]]


def seen(frames: list[av.VideoFrame]) -> Differences:
    made = Differences()
    for frame in frames:
        made.see(frame)
    return Differences.from_bytes(made.to_bytes())


def test_every_cut_is_found_at_its_frame_and_motion_is_none() -> None:
    assert scenes.cuts(seen(FILM), TICK) == CUTS


@settings(max_examples=12, deadline=None)
@given(st.sets(st.integers(1, len(FILM) - 1) | st.sampled_from([60, 105, 195, 270]), max_size=6))
def test_scenes_are_the_same_whatever_the_video_was_cut_into(edges: set[int]) -> None:
    bounds = [0, *sorted(edges), len(FILM)]
    joined = scenes.joined(seen(FILM[start:stop]) for start, stop in pairwise(bounds))
    whole = seen(FILM)
    assert joined == whole
    assert scenes.joined([Differences(), whole]) == whole


def test_a_flash_is_no_scene_and_a_slow_fade_no_cut() -> None:
    flash = [painted(0, 0) for _ in range(30)] + [painted(200, 0) for _ in range(2)] + [painted(0, 0)] * 30
    fade = [painted(number, 0) for number in range(150)]
    for frames in (flash, fade):
        made = Differences()
        for number, frame in enumerate(frames):
            frame.pts, frame.time_base = 3000 * number, TICK
            made.see(frame)
        assert len(scenes.cuts(made, TICK)) <= 1


def test_scenes_follow_each_other_from_the_first_frame_to_the_end() -> None:
    stop = Fraction(FILM[-1].pts + 3000, 90_000) - 1
    found = scenes.described(seen(FILM), TICK, Fraction(1), stop)
    assert [one["start_pts"] for one in found] == [90_000, *CUTS]
    assert [Fraction(one["start"]) for one in found] == [0, *(cut * TICK - 1 for cut in CUTS)]
    assert all(a["stop"] == b["start"] for a, b in pairwise(found))
    assert found[-1]["stop"] == str(stop) == "11"
    assert (found[1]["start_s"], found[1]["stop_s"]) == (2.0, 3.5)
    assert scenes.described(Differences(), TICK, Fraction(0), stop) == []


def taken(sheet: posters.Sheet, edges: list[int], turn: int = 0) -> dict[int, bytes]:
    """Return the pictures that the workers of segments take, segment by segment."""
    pictures: dict[int, bytes] = {}
    bounds = [0, *edges, len(FILM)]
    zero = FILM[0].pts * TICK
    for start, stop in pairwise(bounds):
        begins = FILM[start].pts * TICK - zero if start else None
        ends = FILM[stop].pts * TICK - zero if stop < len(FILM) else None
        shown = Shown(sheet, sheet.numbers(begins, ends), turn)
        for frame in FILM[start:stop]:
            shown.see(frame, frame.pts * TICK - zero)
        assert not pictures.keys() & shown.finish().keys()
        pictures |= shown.finish()
    return pictures


@settings(max_examples=15, deadline=None)
@given(st.sets(st.integers(1, len(FILM) - 1) | st.sampled_from([30, 60, 90]), max_size=6), st.integers(1, 4))
def test_posters_are_the_frames_on_the_screen_whatever_the_video_was_cut_into(edges: set[int], every: int) -> None:
    sheet = laid_out(Fraction(11), every * 1000, 32, Fraction(16, 9))
    found = taken(sheet, sorted(edges))
    assert sorted(found) == list(range(sheet.count))
    for number, data in found.items():
        assert data == posters.picture(FILM[30 * every * number], sheet, 0)


def test_the_sheet_shows_each_picture_where_its_index_says() -> None:
    sheet = laid_out(Fraction(11), 2000, 160, Fraction(16, 9))
    image = Image.open(io.BytesIO(posters.assembled(sheet, taken(sheet, [100]).items())))
    assert (image.format, image.size) == ("JPEG", (sheet.columns * 160, sheet.rows * 90))
    blocks = sheet.index(Fraction(11)).split("\n\n")
    assert blocks[0] == "WEBVTT"
    assert len(blocks) - 1 == sheet.count == 6
    for number, block in enumerate(blocks[1:]):
        times, place = block.strip().split("\n")
        stop = min(2 * number + 2, 11)
        assert times == f"00:00:{2 * number:02}.000 --> 00:00:{stop:02}.000"
        left, top, width, height = map(int, place.removeprefix("posters.jpg#xywh=").split(","))
        shown = np.asarray(image.crop((left, top, left + width, top + height)), int)
        wanted = FILM[60 * number].to_ndarray(format="rgb24").astype(int)
        assert np.abs(shown - wanted).mean() < 6, number


def test_a_video_that_is_held_upright_has_upright_posters() -> None:
    sheet = laid_out(Fraction(1), 1000, 90, Fraction(9, 16))
    frame = painted(0, 0)
    upright = np.frombuffer(posters.picture(frame, sheet, 90), np.uint8).reshape(sheet.height, sheet.width, 3)
    wanted = np.asarray(Image.fromarray(frame.to_ndarray(format="rgb24")).transpose(Image.Transpose.ROTATE_270))
    assert (sheet.width, sheet.height) == (90, 160)
    assert np.abs(upright.astype(int) - wanted).max() <= 2


@given(
    st.fractions(Fraction(1, 100), 200_000),
    st.integers(100, 600_000),
    st.integers(16, 2048),
    st.fractions(Fraction(1, 16_384), 16_384),
)
def test_no_sheet_is_larger_than_browsers_take(duration: Fraction, every: int, width: int, shape: Fraction) -> None:
    sheet = laid_out(duration, every, width, shape)
    assert sheet.columns * sheet.width <= posters.SHEET_SIDE
    assert sheet.rows * sheet.height <= posters.SHEET_SIDE
    assert sheet.count <= posters.MOST
    assert sheet.columns * sheet.rows * sheet.width * sheet.height <= 2 * posters.SHEET_PIXELS
    assert (sheet.count - 1) * sheet.every_ms < duration * 1000
    assert sheet.every_ms % every == 0
    assert sheet.index(duration).count("#xywh=") == sheet.count


@given(st.lists(st.text(), max_size=4))
def test_text_cannot_end_a_cue_or_become_markup(texts: list[str]) -> None:
    cues = [Cue(1000 * at, 1000 * at + 500, webvtt.in_lines(webvtt.escaped(text))) for at, text in enumerate(texts)]
    file = webvtt.text(cues)
    assert len(re.findall(r"(?m)^\d\d:\d\d:\d\d\.\d{3} --> \d\d:\d\d:\d\d\.\d{3}$", file)) == len(texts)
    assert len(re.split(r"\n\n+", file.strip())) == 1 + len(texts)
    assert file.count("-->") == len(texts)
    assert "<" not in file


@given(st.text(st.characters(exclude_categories=["C", "Z"]), max_size=20))
def test_a_payload_is_read_as_it_was_written(text: str) -> None:
    assert webvtt.plain(webvtt.in_lines(webvtt.escaped(text))) == text


def line(text: str) -> bytes:
    return f"0,0,Default,,0,0,0,,{text}".encode()


@pytest.mark.parametrize(
    ("text", "payload"),
    [
        (r"plain, with, commas\Nnew line", "plain, with, commas\nnew line"),
        (r"{\b1}Bold {\i1}both{\b0} italic{\r} plain", "<b>Bold <i>both</i></b><i> italic</i> plain"),
        (r"{\i1}never closed", "<i>never closed</i>"),
        (r"{\pos(10,20)\c&HFFFFFF&\an8}where it stands", "where it stands"),
        ("1 < 2 & 3 --> 4", "1 &lt; 2 &amp; 3 --&gt; 4"),
        (r"{\b700}heavy{\bord2}", "heavy"),
        (r"{}\N\N  \h", ""),
        ("a\r\n\r\nb\u2028c", "a\nb\nc"),
        ("x" * 5000, "x" * subtitles.TEXT_LIMIT),
        (r"{\i0}{\b0}{\u0}", ""),
        (r"{\p1\pos(9,9)}m 0 0 l 100 0 100 100 0 100{\p0}", ""),
        (r"before {\i1\p4}m 0 0 b 1 1 2 2 3 3{\p0} behind{\pbo9}, and on", "before <i> behind, and on</i>"),
    ],
)
def test_markup_of_subtitles(text: str, payload: str) -> None:
    assert subtitles.payload(line(text)) == payload


@given(
    st.lists(st.sampled_from(["a", "\n", r"\N", "<", "&", "{", "}", *(rf"{{\{n}{v}}}" for n in "ibur" for v in "01")]))
)
def test_tags_are_closed_in_the_order_they_were_opened_in(pieces: list[str]) -> None:
    opened: list[str] = []
    made = subtitles.payload(line("".join(pieces)))
    for slash, name in re.findall(r"<(/?)([ibu])>", made):
        if slash:
            assert opened.pop() == name
        else:
            assert name not in opened
            opened.append(name)
    assert not opened
    assert "\n\n" not in made


def test_tracks_of_one_language_are_numbered() -> None:
    found = subtitles.names(["eng", "fra", "eng", "und", "", "pt-BR", "../x", "ENG"])
    assert found == [f"subtitles.{name}.vtt" for name in ("eng", "fra", "eng-2", "und", "und-2", "pt-BR", "x", "ENG-3")]


class Packet:
    """A packet of text, as FFmpeg's decoders give it."""

    def __init__(self, pts: int, duration: int) -> None:
        self.pts, self.duration, self.size, self.time_base = pts, duration, 1, Fraction(1, 1000)
        self.stream = type("Stream", (), {"index": 3})

    def decode(self) -> list[object]:
        return [type("Line", (), {"type": b"ass", "ass": line("word")})]


def test_a_track_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subtitles, "CUES_LIMIT", 5)
    packets = [Packet(1000 * number, 500) for number in range(6)]
    assert len(subtitles.read(packets[:5], Fraction(0))[3]) == 5  # type: ignore[arg-type]
    with pytest.raises(TooManyCues, match="track 3 has more than 5"):
        subtitles.read(packets, Fraction(0))  # type: ignore[arg-type]


def test_cues_count_from_the_beginning_of_the_video_and_come_in_order() -> None:
    packets = [Packet(9000, 500), Packet(9800, 500), Packet(12_000, 0), Packet(11_000, 3000)]
    found = subtitles.read(packets, Fraction(10))[3]  # type: ignore[arg-type]
    assert [(cue.start_ms, cue.stop_ms) for cue in found] == [(0, 300), (1000, 4000), (2000, 6000)]
