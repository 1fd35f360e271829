"""What sample entries say of pictures: of HEVC as players of Apple have it; the shape of a pixel."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.kinds.video.mp4.boxes import box
from fanfold.kinds.video.mp4.entries import of_picture, out_of_band, pixel_shape, shaped
from tests.kinds.video.clips import clip
from tests.kinds.video.clips import run as run_ffmpeg
from tests.kinds.video.probes import complaints, psnr
from tests.kinds.video.test_exact import made

X265 = "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=48 -an"


@pytest.mark.parametrize("name", ["hev1.mp4", "hevc.mkv", "hevc.ts"])
def test_hevc_is_copied_as_hvc1(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = clip(name, 6, X265)
    monkeypatch.setattr("tests.kinds.video.test_exact.clip", lambda name: source)
    renditions = [{"name": "copy"}, {"name": "movie", "format": "mov"}]
    paths = made(tmp_path, name, "2s", {"renditions": renditions})
    for output in ("copy.mp4", "movie.mov"):
        with av.open(str(paths[output])) as found:
            assert found.streams.video[0].codec_context.codec_tag == "hvc1"
        assert complaints(paths[output]) == ""
        assert psnr(paths[output], paths[name]) == float("inf")


def hevc(arrays: list[tuple[int, list[bytes]]]) -> bytes:
    """Return an entry of these arrays of parameter sets."""
    made = [
        bytes([kind]) + len(units).to_bytes(2, "big") + b"".join(len(one).to_bytes(2, "big") + one for one in units)
        for kind, units in arrays
    ]
    record = bytes(22) + bytes([len(made)]) + b"".join(made)
    return box(b"hev1", bytes(78), box(b"hvcC", record), box(b"pasp", bytes(8)))


@given(st.lists(st.tuples(st.sampled_from([32, 33, 34, 39]), st.lists(st.binary(max_size=5), max_size=3)), max_size=6))
def test_it_is_told_only_where_all_sets_are_there(arrays: list[tuple[int, list[bytes]]]) -> None:
    entry = hevc(arrays)
    told = out_of_band(entry)
    if {32, 33, 34} <= {kind for kind, units in arrays if units}:
        complete = [(kind | 0x80 if units else kind, units) for kind, units in arrays]
        assert told == hevc(complete).replace(b"hev1", b"hvc1", 1)
    else:
        assert told == entry


@given(st.binary(max_size=60))
def test_a_broken_record_is_left_alone(record: bytes) -> None:
    entry = box(b"hev1", bytes(78), box(b"hvcC", record))
    told = out_of_band(entry)
    assert len(told) == len(entry)


VP9 = "-c:v libvpx-vp9 -g 48 -deadline realtime -cpu-used 8"


@pytest.mark.parametrize("name", ["vp9.webm", "unsaid.mkv", "header.mp4"])
def test_pixels_have_the_shape_that_the_source_says(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which the container alone says, of H.264 too where its parameter sets do not; or the header of a track."""
    h264 = name == "unsaid.mkv"
    source = clip(
        name, 2, f"-an -vf scale=120:90,setsar={0 if h264 else '4/3'} {'-c:v libx264 -g 30' if h264 else VP9}"
    )
    if h264:
        (tmp_path / "in.mkv").write_bytes(source)
        run_ffmpeg("-i", str(tmp_path / "in.mkv"), "-c", "copy", "-aspect", "16:9", str(tmp_path / name))
        source = (tmp_path / name).read_bytes()
    monkeypatch.setattr("tests.kinds.video.test_exact.clip", lambda name: source.replace(b"pasp", b"free"))
    renditions = [{"name": "copy"}, {"name": "web", "format": "webm"}, {"name": "small", "height": 60}]
    paths = made(tmp_path, name, "1s", {"renditions": renditions})
    for output in (name, "copy.mp4", "web.webm", "small.mp4"):
        with av.open(str(paths[output])) as found:
            stream = found.streams.video[0]
            width, height, shape = stream.width, stream.height, stream.sample_aspect_ratio
        assert (width, height, shape) == ((106, 60, 1) if output == "small.mp4" else (120, 90, Fraction(4, 3)))
        assert complaints(paths[output]) == ""
    assert psnr(paths["copy.mp4"], paths[name], "120x90") == float("inf")


SHAPES = st.builds(Fraction, st.integers(1, 0xFFFF), st.integers(1, 0xFFFF))


@given(st.one_of(st.none(), st.binary(max_size=12)), SHAPES)
def test_the_shape_is_said_once_and_all_else_is_kept(said: bytes | None, shape: Fraction) -> None:
    others = [box(b"avcC", b"config"), box(b"colr", b"colour")]
    told = shaped(box(b"avc1", bytes(78), others[0], *([] if said is None else [box(b"pasp", said)]), others[1]), shape)
    assert int.from_bytes(told[:4], "big") == len(told)
    assert pixel_shape(told) == shape
    assert told.count(b"pasp") <= 1
    assert (of_picture(told, "avcC"), of_picture(told, "colr")) == (b"config", b"colour")
