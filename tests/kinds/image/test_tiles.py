"""A pyramid is what libvips' own `dzsave` writes of the same pixels, byte for byte."""

from __future__ import annotations

import pytest
import pyvips

from fanfold import kinds
from fanfold.kinds.image import fitting, pyramid
from fanfold.kinds.image.encoding import encode, pieces
from fanfold.kinds.image.pixels import flattened
from fanfold.kinds.image.recipe import ImageRecipe
from tests.kinds.driver import run
from tests.kinds.image.pictures import dzsave, picture, saved

SUFFIXES = {"png": ".png[keep=none]", "jpeg": ".jpg[Q=80,keep=none]", "webp": ".webp[Q=80,keep=none]"}


def tiles_of(data: bytes, **asked: object) -> dict[str, bytes]:
    recipe = ImageRecipe.model_validate({"metadata": False, "tiles": asked})
    return run(kinds.get("image"), data, recipe).outputs


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("format", ["png", "jpeg", "webp"])
@pytest.mark.parametrize(("size", "overlap"), [(64, 0), (64, 1), (100, 7)])
def test_every_tile_has_the_bytes_of_dzsave(mode: str, format: str, size: int, overlap: int) -> None:
    """Whatever the mode, format, tile size and overlap, at odd sizes; JPEG shows transparent parts as white."""
    data = saved(picture(301, 157, mode), "PNG")
    whole = pyvips.Image.pngload_buffer(data).copy(xres=1, yres=1)
    if format == "jpeg":
        whole = flattened(whole)
    assert tiles_of(data, size=size, overlap=overlap, format=format) == dzsave(whole, size, overlap, SUFFIXES[format])


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_jpeg_by_pillow_has_the_bytes_of_one_by_libvips_at_every_quality(mode: str) -> None:
    """Though libvips keeps the colours at full resolution from 90 on; the piece is no multiple of a block."""
    data = saved(picture(301, 157, mode), "PNG")
    whole = pyvips.Image.pngload_buffer(data)
    for quality in range(1, 101):
        ours = pieces(whole, "jpeg", quality)(7, 90)
        assert ours == encode(whole.crop(7, 0, 83, 157), "jpeg", quality), quality


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_16_bits_are_scaled_before_they_are_halved(mode: str) -> None:
    """The tiles are those of the image in 8 bits, which every output is made of."""
    low = picture(301, 157, mode)
    space = "grey16" if mode == "L" else "rgb16"
    eight = pyvips.Image.new_from_memory(low.tobytes(), 301, 157, len(mode), "uchar")
    eight = eight.copy(interpretation="b-w" if mode == "L" else "srgb")
    wide = (eight.cast("ushort") * 256 + 200).cast("ushort").copy(interpretation=space)
    wanted = dzsave(eight.copy(xres=1, yres=1), 64, 1, SUFFIXES["png"])
    assert tiles_of(wide.pngsave_buffer(), size=64, overlap=1, format="png") == wanted


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 1), (1, 300), (64, 64), (65, 64), (128, 129), (254, 255)])
def test_small_and_narrow_images_have_pyramids_too(width: int, height: int) -> None:
    """Down to one pixel, and around the size of a tile."""
    data = saved(picture(width, height), "PNG")
    whole = pyvips.Image.pngload_buffer(data).copy(xres=1, yres=1)
    assert tiles_of(data, size=64, overlap=1, format="png") == dzsave(whole, 64, 1, SUFFIXES["png"])
    assert len(list(pyramid.Levels(whole))) == fitting.levels(width, height)
