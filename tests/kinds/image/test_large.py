"""A large image in pieces comes to what it comes to whole, byte for byte. The limits are made small here instead."""

from __future__ import annotations

from typing import Any

import pytest
import pyvips
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from fanfold import kinds
from fanfold.errors import BrokenImage, TooLargeForFormat, TooManyPixels
from fanfold.kinds.image import limits, preparing, streaming
from fanfold.kinds.image.recipe import ImageRecipe
from fanfold.kinds.image.tiff import reading
from tests.kinds.driver import CountingSource, Result, run
from tests.kinds.image.pictures import picture, saved

IMAGE = kinds.get("image")

RECIPE = {
    "renditions": [
        {"name": "full", "width": 16_000, "format": "png"},
        {"name": "half", "width": 200, "format": "png"},
        {"name": "small", "width": 70, "height": 40, "fit": "cover", "format": "jpeg"},
        {"name": "tiny", "width": 5, "format": "webp"},
    ],
    "tiles": {"size": 64, "overlap": 1, "format": "png"},
    "convert": {"format": "png"},
}


def in_pieces(
    data: bytes, recipe: Any, monkeypatch: pytest.MonkeyPatch, *, whole: int = 5_000, span: int = 128
) -> Result:
    """Run a job as if an image of more than `whole` pixels were large, in rectangles of about `span`."""
    with monkeypatch.context() as patched:
        patched.setattr(limits, "WHOLE_PIXELS", whole)
        patched.setattr(limits, "LEVEL_PIXELS", whole)
        patched.setattr(limits, "SPAN_SIDE", span)
        patched.setattr(preparing, "STRIP_PIXELS", 7_000)
        patched.setattr(preparing, "BLOCK_WIDTH", 96)
        patched.setattr("fanfold.kinds.image.places.BLOCK_WIDTH", 96)
        patched.setattr(streaming, "STRIP_PIXELS", 3_000)
        return run(IMAGE, data, ImageRecipe.model_validate(recipe), seed=1)


def whole(data: bytes, recipe: Any) -> Result:
    return run(IMAGE, data, ImageRecipe.model_validate(recipe))


def tiff(mode: str, size: tuple[int, int] = (301, 457), **options: Any) -> bytes:
    image = picture(*size, mode)
    made = pyvips.Image.new_from_memory(image.tobytes(), image.width, image.height, len(mode), "uchar")
    return bytes(made.copy(interpretation="b-w" if len(mode) < 3 else "srgb").tiffsave_buffer(**options))


def tiff16() -> bytes:
    """Return one of 16 bits."""
    low = picture(301, 457)
    image = pyvips.Image.new_from_memory(low.tobytes(), 301, 457, 3, "uchar")
    wide = (image.cast("ushort") * 256 + 99).cast("ushort").copy(interpretation="rgb16")
    return bytes(wide.tiffsave_buffer(**TILED, compression="deflate"))


TILED = {"tile": True, "tile_width": 48, "tile_height": 32}

STORED: dict[str, bytes] = {
    **{f"tiled-{mode}": tiff(mode, **TILED, compression="deflate") for mode in ("L", "LA", "RGB", "RGBA")},
    "tiled-jpeg": tiff("RGB", **TILED, compression="jpeg", Q=90),
    "tiled-lzw-predictor": tiff("RGB", **TILED, compression="lzw", predictor="horizontal"),
    "tiled-none-big": tiff("RGB", **TILED, bigtiff=True),
    "tiled-16": tiff16(),
    "strips-packbits": tiff("RGB", compression="packbits"),
    "strips-deflate": tiff("RGBA", compression="deflate"),
    "png": saved(picture(301, 457, "RGB"), "PNG"),
    "png-RGBA": saved(picture(301, 457, "RGBA"), "PNG"),
    "jpeg": saved(picture(301, 457, "RGB"), "JPEG", quality=90),
    **{
        f"jpeg-restarts-{rows}-{mode}-{subsampling}": saved(
            picture(301, 457, mode), "JPEG", quality=85, restart_marker_rows=rows, subsampling=subsampling
        )
        for rows, mode, subsampling in ((1, "RGB", 2), (2, "RGB", 0), (3, "RGB", 1), (1, "L", 0), (1, "CMYK", 0))
    },
    "jpeg-restarts-in-rows": saved(picture(320, 457), "JPEG", restart_marker_blocks=5, subsampling=2),
    "jpeg-restarts-across-rows": saved(picture(301, 457), "JPEG", restart_marker_blocks=7),
    "jpeg-progressive": saved(picture(301, 457, "RGB"), "JPEG", progressive=True),
    "jpeg-CMYK": saved(picture(301, 457, "CMYK"), "JPEG"),
    "webp": saved(picture(301, 457, "RGBA"), "WEBP", lossless=True),
    "gif": saved(picture(301, 457, "L"), "GIF"),
}


@pytest.mark.parametrize("stored", STORED)
def test_the_outputs_are_those_of_the_whole(stored: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However it is stored: tiles, renditions, the conversion and what is said of it."""
    made, wanted = in_pieces(STORED[stored], RECIPE, monkeypatch), whole(STORED[stored], RECIPE)
    assert sorted(made.outputs) == sorted(wanted.outputs)
    assert [name for name, data in wanted.outputs.items() if made.outputs[name] != data] == []
    assert made.stats == wanted.stats
    assert len(made.rounds) >= 3


@pytest.mark.parametrize(
    ("stored", "orientation"),
    # Each rectangle of CMYK sets up a transform of its own: once is enough.
    [(name, way) for name in STORED if "restarts" in name for way in (1, 6) if way == 1 or "CMYK" not in name],
)
def test_between_restarts_a_jpeg_is_read_by_ranges(
    stored: str, orientation: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a row of MCUs around them, rows decode to what they are in the whole; nothing is kept in between."""
    exif = Image.Exif()
    exif[274] = orientation
    turned = STORED[stored][:2] + b"\xff\xe1" + (len(exif.tobytes()) + 2).to_bytes(2, "big") + exif.tobytes()
    turned += STORED[stored][2:]
    made, wanted = in_pieces(turned, RECIPE, monkeypatch, span=256), whole(turned, RECIPE)
    assert made.outputs == wanted.outputs
    is_split = "across" not in stored
    assert ("jpeg" in made.layouts[1]["levels"][str(made.layouts[1]["level"])]["plain"]) == is_split


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("stored", ["tiled", "strips", "jpeg"])
def test_an_orientation_is_applied_once(stored: str, orientation: int, monkeypatch: pytest.MonkeyPatch) -> None:
    image = pyvips.Image.new_from_memory(picture(301, 157).tobytes(), 301, 157, 3, "uchar").copy(interpretation="srgb")
    image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    data = (
        image.jpegsave_buffer() if stored == "jpeg" else image.tiffsave_buffer(**(TILED if stored == "tiled" else {}))
    )
    made, wanted = in_pieces(data, RECIPE, monkeypatch), whole(data, RECIPE)
    assert made.outputs == wanted.outputs


@pytest.mark.parametrize(("format", "mode"), [("png", "L"), ("jpeg", "RGB"), ("jpeg", "RGBA"), ("webp", "RGBA")])
@pytest.mark.parametrize(("size", "overlap"), [(64, 0), (64, 7), (100, 1), (128, 64)])
def test_tiles_of_any_size_overlap_and_format_are_those_of_the_whole(
    format: str, size: int, overlap: int, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = {"metadata": False, "tiles": {"size": size, "overlap": overlap, "format": format}}
    data = tiff(mode, (411, 257), **TILED)
    assert in_pieces(data, recipe, monkeypatch).outputs == whole(data, recipe).outputs


def test_of_a_tiff_only_the_tiles_that_are_shown_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker reads its tiles and little more; the splitter a head."""
    data = tiff("RGB", (1200, 900), **TILED)
    recipe = {"tiles": {"size": 64, "overlap": 1}, "metadata": False}
    made = in_pieces(data, recipe, monkeypatch, span=256)
    tile_bytes = 48 * 32 * 3
    for line in made.rounds[0]:
        left, top, right, bottom = line.span["cut"]
        # A halo of 4 pixels on every side, and whatever else the tiles show that these pixels lie in.
        across = -(-min(1200, right + 4) // 48) - max(0, left - 4) // 48
        down = -(-min(900, bottom + 4) // 32) - max(0, top - 4) // 32
        assert made.reads[line.id] <= across * down * tile_bytes + (16 << 10)
    source = CountingSource(data)
    with monkeypatch.context() as patched:
        patched.setattr(limits, "WHOLE_PIXELS", 5_000)
        assert IMAGE.plan(source, ImageRecipe.model_validate(recipe)).lines[0].span["cut"]
    assert source.read_bytes <= 1 << 19


@pytest.mark.parametrize("stored", STORED)
@pytest.mark.parametrize("share", [0.5, 0.97])
def test_no_half_picture_is_silent(stored: str, share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """An object that was cut off is refused, wherever its worker or its splitter finds that out."""
    data = STORED[stored]
    with pytest.raises(BrokenImage):
        in_pieces(data[: int(len(data) * share)], RECIPE, monkeypatch)


@pytest.mark.parametrize(
    ("tag", "value"),
    [(reading.TILE_OFFSETS, 0xFFFFFFFF), (reading.TILE_OFFSETS, 1 << 24), (reading.TILE_COUNTS, 0)],
)
def test_a_tile_that_cannot_be_is_refused(tag: int, value: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place behind the end of the object, or no bytes."""
    data = bytearray(STORED["tiled-RGB"])
    form = reading.Form.read(lambda start, count: bytes(data[start : start + count]))

    def read(start: int, count: int) -> bytes:
        return bytes(data[start : start + count])

    at = form.offset(read, form.first_at)
    entries, _ = form.entries(read, at, form.count(read, at))
    entry = next(entry for entry in entries if entry.tag == tag)
    size = reading.TYPE_BYTES[entry.type]
    data[entry.at + 10 * size : entry.at + 11 * size] = value.to_bytes(size, "little")
    with pytest.raises(BrokenImage):
        in_pieces(bytes(data), RECIPE, monkeypatch)


@pytest.mark.parametrize("format", ["webp", "avif"])
def test_what_is_encoded_whole_is_refused_before_anything_is_decoded(
    format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(TooLargeForFormat, match=r"`converted\.\w+` would have 301 × 457 pixels; .* at most 5,000"):
        in_pieces(STORED["tiled-RGB"], {"convert": {"format": format}}, monkeypatch)


def test_what_decodes_as_a_whole_is_refused_where_it_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "UNSTREAMED_PIXELS", dict.fromkeys(limits.UNSTREAMED_PIXELS, 100_000))
    for stored in ("jpeg-progressive", "webp", "gif"):
        with pytest.raises(TooManyPixels, match="301 × 457 pixels and is decoded as a whole"):
            in_pieces(STORED[stored], RECIPE, monkeypatch)
    assert in_pieces(STORED["png"], RECIPE, monkeypatch).outputs


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sides=st.tuples(st.integers(1, 400), st.integers(1, 400)),
    tile=st.tuples(st.sampled_from([16, 48, 64, 256]), st.sampled_from([16, 32, 112])),
    mode=st.sampled_from(["L", "LA", "RGB", "RGBA"]),
    size=st.sampled_from([64, 65, 127]),
    overlap=st.integers(0, 9),
    span=st.sampled_from([64, 128, 300]),
    limit=st.sampled_from([16, 1_000, 20_000]),
    box=st.tuples(st.integers(1, 450), st.integers(1, 450)),
    fit=st.sampled_from(["contain", "cover"]),
    is_tiled=st.booleans(),
)
def test_no_size_shows_a_seam(
    sides: tuple[int, int],
    tile: tuple[int, int],
    mode: str,
    size: int,
    overlap: int,
    span: int,
    limit: int,
    box: tuple[int, int],
    fit: str,
    is_tiled: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """For any sides of the image, its tiles, the pyramid's tiles and the rectangles, any mode and any rendition."""
    recipe = {
        "renditions": [{"name": "a", "width": box[0], "height": box[1], "fit": fit, "format": "png"}],
        "tiles": {"size": size, "overlap": overlap, "format": "png"},
    }
    stored = {"tile": True, "tile_width": tile[0], "tile_height": tile[1]} if is_tiled else {}
    data = tiff(mode, sides, **stored, compression="deflate")
    made = in_pieces(data, recipe, monkeypatch, whole=limit, span=span)
    assert made.outputs == whole(data, recipe).outputs
