"""A large image in pieces comes to what it comes to whole, byte for byte. The limits are made small here instead."""

from __future__ import annotations

from typing import Any

import pytest
import pyvips
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fanfold import kinds
from fanfold.kinds.image import limits, preparing, streaming
from fanfold.kinds.image.recipe import ImageRecipe
from tests.kinds.driver import Result, run
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


TILED = {"tile": True, "tile_width": 48, "tile_height": 32}

STORED: dict[str, bytes] = {
    **{f"tiled-{mode}": tiff(mode, **TILED, compression="deflate") for mode in ("L", "LA", "RGB", "RGBA")},
    "tiled-jpeg": tiff("RGB", **TILED, compression="jpeg", Q=90),
    "tiled-lzw-predictor": tiff("RGB", **TILED, compression="lzw", predictor="horizontal"),
    "tiled-none-big": tiff("RGB", **TILED, bigtiff=True),
    "strips-packbits": tiff("RGB", compression="packbits"),
    "strips-deflate": tiff("RGBA", compression="deflate"),
    "png": saved(picture(301, 457, "RGB"), "PNG"),
    "png-RGBA": saved(picture(301, 457, "RGBA"), "PNG"),
    "jpeg": saved(picture(301, 457, "RGB"), "JPEG", quality=90),
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


@pytest.mark.parametrize("format", ["png", "jpeg", "webp"])
@pytest.mark.parametrize(("size", "overlap"), [(64, 0), (64, 7), (100, 1), (128, 64)])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_tiles_of_any_size_overlap_and_format_are_those_of_the_whole(
    format: str, size: int, overlap: int, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = {"metadata": False, "tiles": {"size": size, "overlap": overlap, "format": format}}
    data = tiff(mode, (411, 257), **TILED)
    assert in_pieces(data, recipe, monkeypatch).outputs == whole(data, recipe).outputs


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
