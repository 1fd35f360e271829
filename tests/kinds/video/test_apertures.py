"""Pictures of which less is shown than is coded: `clap` of MP4, PixelCrop of Matroska."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from fanfold import kinds
from fanfold.kinds.video.mp4.boxes import box
from fanfold.kinds.video.mp4.entries import margins, shown_size
from fanfold.kinds.video.mp4.movie import read_movie
from fanfold.kinds.video.recipe import VideoRecipe
from tests.kinds.driver import CountingSource, run
from tests.kinds.video.clips import clip
from tests.kinds.video.clips import run as run_ffmpeg
from tests.kinds.video.probes import complaints, psnr

VIDEO = kinds.get("video")

RENDITIONS = [{"name": "copy"}, {"name": "web", "height": 60}, {"name": "live", "format": "hls"}]

Numbers = tuple[int, int, int, int, int, int, int, int]


def opened(data: bytes, numbers: Numbers) -> bytes:
    """Put a clean aperture into the sample entry of a clip whose index is last."""
    made = bytearray(data)
    entry = data.index(b"stsd") + 12
    (size,) = struct.unpack_from(">I", data, entry)
    aperture = box(b"clap", struct.pack(">IIIIiIiI", *numbers))
    made[entry + size : entry + size] = aperture
    places = [data.rindex(name, 0, entry) - 4 for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")]
    for at in (*places, entry):
        struct.pack_into(">I", made, at, struct.unpack_from(">I", made, at)[0] + len(aperture))
    return bytes(made)


def first(path: Path) -> Image.Image:
    """Return the first picture as ffmpeg shows it."""
    png = run_ffmpeg("-i", str(path), "-frames:v", "1", "-f", "image2pipe", "-c:v", "png", "-")
    return Image.open(io.BytesIO(png)).convert("RGB")


def apart(one: Image.Image, other: Image.Image) -> float:
    return max(ImageStat.Stat(ImageChops.difference(one, other)).mean)


@pytest.mark.parametrize("name", ["silent.mp4", "cropped.mkv", "vp9.mp4"])
def test_what_is_cut_off_is_shown_nowhere(tmp_path: Path, name: str) -> None:
    """Not stretched either; what is copied says the same."""
    source = tmp_path / name
    numbers = (120, 1, 90, 1, -10, 1, 0, 1)
    source.with_suffix(".mp4").write_bytes(opened(clip(name.replace("cropped.mkv", "silent.mp4"), 2), numbers))
    if name == "cropped.mkv":
        run_ffmpeg("-i", str(source.with_suffix(".mp4")), "-c", "copy", str(source))
    sizes = {"copy.mp4": (120, 90), "web.mp4": (80, 60)}
    renditions = RENDITIONS
    if name == "vp9.mp4":
        sizes["open.webm"] = (120, 90)
        renditions = [*renditions, {"name": "open", "format": "webm"}]
    recipe = {"segment": "2s", "posters": {"every": "1s", "width": 120}, "renditions": renditions}
    outputs = run(VIDEO, source.read_bytes(), VideoRecipe.model_validate(recipe), seed=1).outputs
    shown = first(source)
    assert shown.size == (120, 90)
    for output, size in sizes.items():
        (tmp_path / output).write_bytes(outputs[output])
        assert first(tmp_path / output).size == size
        assert psnr(tmp_path / output, source, "120x90") > (20 if output == "web.mp4" else 30)
        assert complaints(tmp_path / output) == ""
    assert psnr(tmp_path / "copy.mp4", source, "120x90") == float("inf")
    assert "RESOLUTION=120x90" in outputs["live/index.m3u8"].decode()
    poster = Image.open(io.BytesIO(outputs["posters.jpg"])).crop((0, 0, 120, 90))
    (tmp_path / "all.mp4").write_bytes(source.with_suffix(".mp4").read_bytes().replace(b"clap", b"free"))
    assert apart(poster, shown) < apart(poster, first(tmp_path / "all.mp4").resize((120, 90))) / 3


@pytest.mark.parametrize(
    "numbers",
    [
        (120, 1, 90, 1, 0, 1, 0, 1),
        (238, 2, 45, 1, 3, 2, -5, 2),
        (120, 1, 90, 1, 20, 1, 0, 1),
        (120, 1, 90, 1, 40, 1, 0, 1),
        (200, 1, 90, 1, 0, 1, 0, 1),
        (120, 0, 90, 1, 0, 1, 0, 1),
    ],
)
def test_an_aperture_is_read_as_ffmpeg_reads_it(tmp_path: Path, numbers: Numbers) -> None:
    """In whole pixels; ffmpeg takes pairs of them, as the colours of two share one. What goes beyond is none."""
    (tmp_path / "x.mp4").write_bytes(opened(clip("silent.mp4", 1), numbers))
    entry = read_movie(CountingSource((tmp_path / "x.mp4").read_bytes())).tracks[0].entry
    width, height = shown_size(entry)
    assert first(tmp_path / "x.mp4").size == (width & ~1, height & ~1)
    assert bool(margins(entry)) == ((width, height) != (160, 90))


def test_a_track_as_large_as_its_aperture_has_square_pixels(tmp_path: Path) -> None:
    """By the sizes of the track and of what is coded libavformat finds narrow ones."""
    data = bytearray(opened(clip("silent.mp4", 1), (120, 1, 90, 1, 0, 1, 0, 1)).replace(b"pasp", b"free"))
    struct.pack_into(">I", data, data.index(b"tkhd") + 80, 120 << 16)
    recipe = VideoRecipe.model_validate({"renditions": [{"name": "web", "height": 60}, {"name": "copy"}]})
    outputs = run(VIDEO, bytes(data), recipe).outputs
    (tmp_path / "web.mp4").write_bytes(outputs["web.mp4"])
    assert first(tmp_path / "web.mp4").size == (80, 60)
    header = outputs["copy.mp4"].index(b"tkhd")
    assert struct.unpack_from(">II", outputs["copy.mp4"], header + 92) == (120 << 16, 90 << 16)
