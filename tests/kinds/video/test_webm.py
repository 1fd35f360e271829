"""WebM: what ffmpeg, libavformat and a reader of its own find in it is what was put in, to the millisecond."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from fanfold.errors import BrokenVideo
from fanfold.kinds.video import opus, tracks
from fanfold.kinds.video.media import Media, Stream
from fanfold.kinds.video.recipe import VideoRecipe
from fanfold.kinds.video.samples import Samples
from fanfold.kinds.video.tracks import Stored, Whole
from fanfold.kinds.video.webm import assembling, blocks, ebml, trackentries, weaving
from fanfold.model import Copied, Line, Part, PartObject
from tests.kinds.driver import MemoryDesk, json_copy, run
from tests.kinds.video.clips import clip
from tests.kinds.video.clips import run as run_ffmpeg
from tests.kinds.video.matroska import Element, elements, variable
from tests.kinds.video.probes import complaints, nearest_ms, psnr, samples_heard, seen
from tests.kinds.video.test_exact import HDR, VIDEO, check_same, made, rich

WEB = {"renditions": [{"name": "web", "format": "webm"}]}


def webm_of(folder: Path, data: bytes, segment: str = "1s", **rendition: object) -> Path:
    recipe = {"segment": segment, "metadata": False, "renditions": [{"name": "x", "format": "webm", **rendition}]}
    (folder / "x.webm").write_bytes(run(VIDEO, data, VideoRecipe.model_validate(recipe), seed=1).outputs["x.webm"])
    return folder / "x.webm"


@pytest.mark.parametrize(
    "name",
    ["vp9.mp4", "av1.mp4", "open.mov", "variable.mp4", "h264.ts", "vorbis.webm", "vp9.webm", "silent.mp4", "sound.m4a"],
)
def test_every_picture_and_sample_is_there_at_its_millisecond(tmp_path: Path, name: str) -> None:
    paths = made(tmp_path, name, "2s", WEB)
    check_same(paths["web.webm"], paths[name])


def test_a_copy_is_the_same_packets(tmp_path: Path) -> None:
    """From MP4, and from WebM again: of the sound as much is heard, though an MP4 does not have libavformat cut it."""

    def packets(path: Path) -> list[list[bytes]]:
        with av.open(str(path)) as container:
            found: list[list[bytes]] = [[] for _ in container.streams]
            for packet in container.demux():
                if packet.size:
                    found[packet.stream_index].append(bytes(packet))
            return found

    paths = made(tmp_path, "vp9.mp4", "1s", WEB)
    assert packets(paths["web.webm"]) == packets(paths["vp9.mp4"])
    [_, sound] = seen(paths["web.webm"])
    assert (sound.codec, sound.samples) == ("opus", 6 * 48_000)
    again = webm_of(tmp_path, paths["web.webm"].read_bytes())
    assert packets(again) == packets(paths["vp9.mp4"])
    assert [stream.times for stream in seen(again)] == [stream.times for stream in seen(paths["web.webm"])]


def test_what_is_cut_off_and_what_comes_late_is_where_it_was(tmp_path: Path) -> None:
    """An edit list that begins within the film; sound that begins behind the pictures; one that says nothing of it."""
    source = tmp_path / "vp9.mp4"
    source.write_bytes(clip("vp9.mp4"))
    run_ffmpeg("-ss", "2.35", "-t", "2.2", "-i", str(source), "-map", "0:a", "-c", "copy", str(tmp_path / "cut.mp4"))
    late = ("-itsoffset", "1.234", "-i", str(source), "-map", "0:v", "-map", "1:a", "-c", "copy")
    run_ffmpeg("-i", str(source), *late, str(tmp_path / "late.mp4"))
    for name in ("cut.mp4", "late.mp4"):
        [*_, before] = seen(tmp_path / name)
        [*pictures, sound] = seen(webm_of(tmp_path, (tmp_path / name).read_bytes()))
        assert sound.times[0] == nearest_ms(before.times[0])
        assert sound.samples == samples_heard(tmp_path / name)
        assert all(one.times[0] == 0 for one in pictures)
    # What an edit list hides of the pictures is hidden by no player of WebM, so they are encoded.
    run_ffmpeg("-ss", "2.35", "-t", "2.2", "-i", str(source), "-an", "-c", "copy", str(tmp_path / "cut.mp4"))
    [pictures_] = seen(webm_of(tmp_path, (tmp_path / "cut.mp4").read_bytes()))
    assert len(pictures_.times) == len(seen(tmp_path / "cut.mp4")[0].times)


def test_pictures_are_as_good_as_those_of_a_whole_file_encode(tmp_path: Path) -> None:
    """At equal settings, to 0.1 dB."""
    source = tmp_path / "plain.mp4"
    source.write_bytes(clip("plain.mp4"))
    whole = tmp_path / "whole.webm"
    told = "-c:v libvpx-vp9 -crf 31 -b:v 0 -deadline good -cpu-used 4 -row-mt 1 -threads 2 -an"
    run_ffmpeg("-i", str(source), *told.split(), str(whole))
    assert psnr(webm_of(tmp_path, source.read_bytes(), audio="none"), source) > psnr(whole, source) - 0.1


def test_encoded_sound_has_no_seam(tmp_path: Path) -> None:
    """It is sample for sample that of a whole-file encode, and not one longer."""
    source = tmp_path / "plain.mp4"
    source.write_bytes(clip("plain.mp4"))
    told = "-vn -c:a libopus -b:a 128k -flags:a +bitexact"
    run_ffmpeg("-i", str(source), *told.split(), str(tmp_path / "whole.webm"))
    both = (webm_of(tmp_path, source.read_bytes(), video="none"), tmp_path / "whole.webm")
    ours, theirs = (run_ffmpeg("-i", str(path), "-f", "s16le", "-") for path in both)
    assert len(ours) == 6 * 48_000 * 4
    assert ours == theirs


def test_chapters_languages_and_titles_are_kept_and_turns_are_made(tmp_path: Path) -> None:
    """Players of WebM turn nothing: pictures that are to be turned are encoded, though WebM holds their codec."""
    path = webm_of(tmp_path, rich(tmp_path, "rich.mp4"), height=80)
    with av.open(str(path)) as container:
        # ISO 639-2/B, as Matroska has it.
        assert [stream.language for stream in container.streams.audio] == ["eng", "fre"]
        assert [stream.metadata["title"] for stream in container.streams.audio] == ["The talk", "Exposé"]
        assert [one["metadata"]["title"] for one in container.chapters()] == ["First", "Zweites"]
        assert [one["start"] * one["time_base"] for one in container.chapters()] == [0, Fraction(5, 2)]
        assert container.metadata["title"] == "A talk – ü"
    assert complaints(path) == ""
    turned = tmp_path / "turned.mp4"
    (tmp_path / "vp9.mp4").write_bytes(clip("vp9.mp4", 2))
    run_ffmpeg("-display_rotation:v:0", "-90", "-i", str(tmp_path / "vp9.mp4"), "-c", "copy", str(turned))
    path = webm_of(tmp_path, turned.read_bytes())
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    assert (frame.width, frame.height, frame.rotation) == (90, 160, 0)
    # ffmpeg turns the pictures that it compares with.
    assert psnr(path, turned, "90x160") > 25


@pytest.mark.parametrize("codec", ["vp9", "av1"])
def test_hdr_is_kept(tmp_path: Path, codec: str) -> None:
    """Ten bits, colours, the display it was mastered on, and its light levels."""
    path = webm_of(tmp_path, clip("hdr.mp4", 3, HDR), video=codec, height=60)
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    assert len(frames) == 90
    assert frames[0].format.name == "yuv420p10le"
    assert (frames[0].color_primaries, frames[0].color_trc, frames[0].colorspace) == (9, 16, 9)
    told = {side.type.name: side for side in frames[0].side_data}
    assert {"MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"} <= told.keys()
    colour = segment_of(path.read_bytes()).one("Tracks", "TrackEntry", "Video", "Colour")
    assert (colour.one("55BC").unsigned, colour.one("55BD").unsigned) == (1000, 400)
    told = [one.real for one in colour.one("MasteringMetadata").children]
    # Red, green, blue, white; the brightest and the darkest.
    assert told == [0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329, 1000, 0.0001]


def test_what_webm_does_not_hold_is_refused_by_name() -> None:
    for asked, told in (
        ({"video": "h264"}, "webm holds vp9 or av1, not h264"),
        ({"audio": "aac"}, "webm holds opus, not"),
    ):
        with pytest.raises(ValidationError, match=told):
            VideoRecipe.model_validate({"renditions": [{"name": "x", "format": "webm", **asked}]})


def segment_of(data: bytes) -> Element:
    """Return the segment of a file; all of it that follows the header."""
    head, segment = elements(data)
    assert head.name == "1A45DFA3"
    assert segment.stop == len(data)
    return segment


# ---- the writer, and what lies in clusters


@given(st.integers(0, (1 << 56) - 2))
def test_a_size_is_read_back_and_as_short_as_can_be(value: int) -> None:
    data = ebml.sized(value)
    assert variable(data, 0) == (value, len(data))
    assert variable(ebml.sized(value, 8), 0) == (value, 8)
    if len(data) > 1:
        with pytest.raises(OverflowError):
            ebml.sized(value, len(data) - 1)


def test_a_size_has_its_limit() -> None:
    with pytest.raises(OverflowError):
        ebml.sized((1 << 56) - 1)


@given(
    st.integers(0, (1 << 64) - 1),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.binary(max_size=20_000),
)
def test_elements_are_read_back(unsigned: int, signed: int, real: float, text: str, data: bytes) -> None:
    made = b"".join(
        (
            ebml.unsigned(0x73C5, unsigned),
            ebml.signed(0x75A2, signed),
            ebml.real(0x4489, real),
            ebml.text(0x7BA9, text),
            ebml.element(0x63A2, data),
        )
    )
    found = list(elements(made))
    assert [one.name for one in found] == ["73C5", "75A2", "4489", "7BA9", "63A2"]
    assert (found[0].unsigned, found[1].signed, found[2].real) == (unsigned, signed, real)
    assert (found[3].data.decode(), found[4].data) == (text, data)


@given(st.integers(0, 31), st.integers(0, 3), st.integers(1, 48))
def test_a_packet_of_opus_says_how_long_it_is(configuration: int, code: int, count: int) -> None:
    """As libavformat's Ogg demuxer, which counts samples by the same bytes, has it: RFC 6716, tables 2 and 3."""
    sizes_ms = [*((10, 20, 40, 60) * 3), *((10, 20) * 2), *((2.5, 5, 10, 20) * 4)]
    packet = bytes([configuration << 3 | code, count, 0])
    frames = (1, 2, 2, count)[code]
    assert opus.samples(packet) == sizes_ms[configuration] * 48 * frames
    assert opus.samples(memoryview(b"")) == opus.samples(b"\3") == 0


@cache
def entries() -> tuple[bytes, bytes]:
    """Return sample entries of VP9 and Opus."""
    layouts = run(VIDEO, clip("vp9.mp4", 2), VideoRecipe.model_validate({"segment": "10s", **WEB})).layouts
    media = Media.from_json(layouts[0]["media"])
    assert media.video
    return media.video.entry, media.audio[0].entry


Track = tuple[Whole, list[bytes]]


def track(draw: st.DrawFn, kind: str, store: dict[str, bytes], index: int) -> Track:
    """Draw a track: its times, its frames and how it is spread over objects."""
    timescale = draw(st.sampled_from([1000, 12_800, 30_000, 90_000])) if kind == "video" else 48_000
    gaps = draw(st.lists(st.integers(timescale // 500 + 1, 7 * timescale), max_size=30))
    pts = [draw(st.integers(0, 3 * timescale))]
    for gap in gaps:
        pts.append(pts[-1] + (gap if kind == "video" else 960))
    frames = [bytes([index, at % 256]) + draw(st.binary(max_size=3)) for at in range(len(pts))]
    if kind == "audio":
        # 20 ms, one frame of it.
        frames = [b"\xfc" + frame for frame in frames]
    keys = sorted({0} | set(draw(st.lists(st.integers(0, len(pts) - 1), max_size=4))))
    cuts = sorted(set(draw(st.lists(st.integers(1, len(pts)), max_size=3))) | {len(pts)})
    stored = {}
    for number, (first, last) in enumerate(pairwise([0, *cuts])):
        own = [key - first for key in keys if first <= key < last]
        held = [*pairwise([*pts, pts[-1] + 960])][first:last]
        samples = Samples(pts[first:last], [stop - start for start, stop in held], [*map(len, frames[first:last])], own)
        key = f"{index}/{number}"
        store[key] = b"head" + b"".join(frames[first:last]) + b"behind"
        stored[number] = Stored(PartObject(key, len(store[key])), 0, 4, tracks.told(samples))
    delay, over = (draw(st.integers(0, 312)), draw(st.integers(0, 900))) if kind == "audio" and len(pts) > 2 else (0, 0)
    begins, ends = pts[0] + delay, pts[-1] + 960 - over
    stream = Stream(index, kind, "vp9", timescale, b"", begins, ends, pts[0], pts[-1])
    return Whole(stream, timescale, entries()[kind == "audio"], 0, begins, ends, pts[0], stored, copied=False), frames


@st.composite
def films(draw: st.DrawFn) -> tuple[list[Track], dict[str, bytes]]:
    store: dict[str, bytes] = {}
    kinds = draw(st.sampled_from([["video"], ["audio"], ["video", "audio"], ["video", "audio", "audio"]]))
    return [track(draw, kind, store, index) for index, kind in enumerate(kinds)], store


def woven(wholes: Sequence[Whole], store: dict[str, bytes]) -> bytes:
    """Return the file that workers and merge make."""
    parts = []
    for number, span in enumerate(weaving.spans("x", *blocks.laid(wholes))):
        line = Line(str(number), "encode", json_copy(span))
        desk = MemoryDesk(line, store)
        parts.append(Part(line, json_copy(weaving.weave(line.span, desk)), desk.objects, "", 1, 0.0))
    media = Media("mp4", "0", "1", None, [], [])
    pieces = assembling.pieces(media, wholes, parts)
    return b"".join(store[one.key][one.start : one.stop] if isinstance(one, Copied) else one for one in pieces)


@settings(deadline=None, max_examples=60)
@given(films(), st.integers(1, 2000), st.integers(1, 400))
def test_what_is_woven_is_read_back(
    film: tuple[list[Track], dict[str, bytes]], span_bytes: int, size_bytes: int
) -> None:
    """Every frame at its tick, in order, however the lines are cut; and each entry of the index leads to a keyframe."""
    tracks, store = film
    wholes = [whole for whole, _ in tracks]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weaving, "SPAN_BYTES", span_bytes)
        patch.setattr(weaving, "OBJECT_BYTES", size_bytes)
        data = woven(wholes, dict(store))
    with av.open(io.BytesIO(data), format="matroska") as container:
        found: list[list[tuple[int, bytes]]] = [[] for _ in tracks]
        for packet in container.demux():
            if packet.size:
                assert packet.time_base == Fraction(1, 1000)
                assert packet.pts is not None
                found[packet.stream_index].append((packet.pts, bytes(packet)))
    for (whole, frames), read in zip(tracks, found, strict=True):
        assert [frame for _, frame in read] == frames
        # A decoder of Opus leaves out as much as its description says, whatever the container says.
        least = opus.skipped(whole.entry)
        delay_ms = Fraction(max(whole.begins - whole.first, least) * 1000, whole.timescale)
        pts = [at for _, one in sorted(whole.stored.items()) for at in one.samples.pts]
        # libavformat takes off the delay to the nearest of its own ticks.
        due = [nearest_ms(Fraction(at, whole.timescale) + delay_ms / 1000) * 1000 for at in pts]
        assert [at for at, _ in read] == [at - nearest_ms(delay_ms / 1000) * 1000 for at in due]
    check_structure(data, tracks)


def check_structure(data: bytes, tracks: Sequence[Track]) -> None:
    """Assert what a player relies on, by another reader: sizes, times that grow, an index that is true."""
    segment = segment_of(data)
    body = segment.stop - len(segment.data)
    clusters = {one.offset - body: one for one in segment.all("Cluster")}
    assert [one.name for one in segment.children] == ["SeekHead", "Info", "Tracks", "Cues"] + ["Cluster"] * len(
        clusters
    )
    for seek in segment.one("SeekHead").children:
        id, place = seek.children
        [at] = [one for one in segment.children if one.offset - body == place.unsigned]
        assert data[at.offset : at.offset + 4] == id.data
    last, keys = 0, {}
    for place, cluster in clusters.items():
        at, *held = cluster.children
        assert at.name == "E7"
        for at_number, one in enumerate(held):
            block = one.data if one.name == "A3" else one.one("A1").data
            time = at.unsigned + int.from_bytes(block[1:3], "big", signed=True)
            assert last <= time <= at.unsigned + 5000
            last = time
            # The guide's keyframes: its number, and either the flag or a group that refers to no other block.
            if at_number == 0 and block[0] == 0x81 and (one.name == "BlockGroup" or block[3] & 0x80):
                keys[place] = time
        assert held
    cues = {}
    for point in segment.one("Cues").children:
        track, place = point.one("CueTrackPositions").children
        assert track.unsigned == 1
        cues[place.unsigned] = point.one("B3").unsigned
    assert cues == keys
    ends = max(Fraction(whole.ends, whole.timescale) for whole, _ in tracks)
    assert segment.one("Info", "4489").real == pytest.approx(float(ends * 1000))


@given(st.sampled_from(["vp9", "opus"]), st.data())
def test_a_description_that_is_cut_off_is_refused(codec: str, data: st.DataObject) -> None:
    """It comes from the source: whatever it is, it is described or refused."""
    whole_entry = entries()[codec == "opus"]
    broken = bytearray(whole_entry[: data.draw(st.integers(8, len(whole_entry)))])
    where = data.draw(st.integers(8, len(whole_entry) - 1))
    broken[where:] = broken[where + data.draw(st.integers(0, 8)) :]
    stream = Stream(0, "audio" if codec == "opus" else "video", codec, 48_000, b"", 0, 960, 0, 0)
    stored = {0: Stored(PartObject("0", 1), 0, 0, tracks.told(Samples([0], [960], [1], [0])))}
    whole = Whole(stream, 48_000, bytes(broken), 0, 0, 960, 0, stored, copied=False)
    with contextlib.suppress(BrokenVideo):
        trackentries.entry(whole, blocks.laid([whole])[1][0], is_default=True)


def test_pictures_that_share_a_millisecond_get_a_finer_clock() -> None:
    """2,000 pictures a second: none falls upon another."""
    store = {"0": bytes(40)}
    samples = Samples(range(0, 20), [1] * 20, [2] * 20, [0])
    stream = Stream(0, "video", "vp9", 2000, b"", 0, 20, 0, 0)
    whole = Whole(
        stream,
        2000,
        entries()[0],
        0,
        0,
        20,
        0,
        {0: Stored(PartObject("0", 40), 0, 0, tracks.told(samples))},
        copied=False,
    )
    with av.open(io.BytesIO(woven([whole], store)), format="matroska") as container:
        times = [packet.pts * Fraction(packet.time_base or 1) for packet in container.demux() if packet.pts is not None]
    assert times == [Fraction(at, 2000) for at in range(20)]
