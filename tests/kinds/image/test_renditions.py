"""Renditions: their sizes, and that what they show is what the documentation says."""

from __future__ import annotations

from fractions import Fraction

import pytest
import pyvips
from hypothesis import given
from hypothesis import strategies as st

from fanfold import kinds
from fanfold.kinds.image.fitting import fit, halvings
from fanfold.kinds.image.pyramid import halve
from fanfold.kinds.image.recipe import ImageRecipe, Rendition
from tests.kinds.driver import run
from tests.kinds.image.pictures import opened, picture, saved

IMAGE = kinds.get("image")
SIDES = st.integers(1, 5000)


@given(SIDES, SIDES, SIDES, SIDES)
def test_contain_is_inside_the_box_and_touches_it(width: int, height: int, box_width: int, box_height: int) -> None:
    """The sides keep their ratio within half a pixel, and nothing is enlarged."""
    found = fit(width, height, Rendition(name="a", width=box_width, height=box_height))
    assert found.width <= min(width, box_width)
    assert found.height <= min(height, box_height)
    assert (found.width, found.height) == (width, height) or found.width == box_width or found.height == box_height
    scale = min(Fraction(box_width, width), Fraction(box_height, height), Fraction(1))
    assert abs(found.width - width * scale) <= Fraction(1, 2) or found.width == 1
    assert abs(found.height - height * scale) <= Fraction(1, 2) or found.height == 1


@given(SIDES, SIDES, SIDES, SIDES)
def test_cover_fills_the_box(width: int, height: int, box_width: int, box_height: int) -> None:
    """As far as the image reaches without being enlarged; what is kept lies in the middle of what it was made of."""
    found = fit(width, height, Rendition(name="a", width=box_width, height=box_height, fit="cover"))
    assert found.crop_width == min(box_width, found.width)
    assert found.crop_height == min(box_height, found.height)
    assert found.width <= width
    assert found.height <= height
    assert 0 <= found.width - found.crop_width - 2 * found.left <= 1
    assert 0 <= found.height - found.crop_height - 2 * found.top <= 1
    if width >= box_width and height >= box_height:
        assert (found.crop_width, found.crop_height) == (box_width, box_height)


@given(SIDES, SIDES, st.integers(1, 300))
def test_what_is_resampled_is_at_least_twice_the_rendition(width: int, height: int, box: int) -> None:
    """Halving never takes what the last resampling needs."""
    wanted = fit(width, height, Rendition(name="a", width=box))
    for _ in range(halvings(width, height, wanted)):
        width, height = (width + 1) // 2, (height + 1) // 2
        assert width >= 2 * wanted.width
        assert height >= 2 * wanted.height


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from(["L", "LA", "RGB", "RGBA"]), st.integers(0, 9))
def test_a_half_is_the_mean_of_four(width: int, height: int, mode: str, seed: int) -> None:
    """By plain arithmetic: rounded to nearest; with alpha weighted by it and rounded down."""
    given = picture(width, height, mode, seed)
    bands = len(mode)
    image = pyvips.Image.new_from_memory(given.tobytes(), width, height, bands, "uchar")
    made = halve(image.copy(interpretation="srgb" if bands > 2 else "b-w"))
    pixels = made.write_to_memory()
    at = given.load()
    for y in range(made.height):
        for x in range(made.width):
            four = [at[min(2 * x + i, width - 1), min(2 * y + j, height - 1)] for i in (0, 1) for j in (0, 1)]
            four = [one if isinstance(one, tuple) else (one,) for one in four]
            if "A" in mode:
                alpha = sum(one[-1] for one in four)
                colours = [sum(one[-1] * one[band] for one in four) for band in range(bands - 1)]
                wanted = [colour // alpha if alpha else 0 for colour in colours] + [alpha // 4]
            else:
                wanted = [(sum(one[band] for one in four) + 2) // 4 for band in range(bands)]
            start = (y * made.width + x) * bands
            assert list(pixels[start : start + bands]) == wanted


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("width", [301, 300, 150, 76, 75, 20, 1])
def test_a_rendition_is_the_halves_resampled(mode: str, width: int) -> None:
    """The whole-image meaning, step by step, by libvips' own pyramid and resize."""
    data = saved(picture(301, 157, mode), "PNG")
    recipe = ImageRecipe.model_validate({"renditions": [{"name": "a", "width": width, "format": "png"}]})
    made = run(IMAGE, data, recipe).outputs["a.png"]
    image = pyvips.Image.pngload_buffer(data)
    wanted = fit(301, 157, Rendition(name="a", width=width))
    for _ in range(halvings(301, 157, wanted)):
        image = halve(image)
    if image.width != wanted.width:
        scales = wanted.width / image.width, wanted.height / image.height
        if image.hasalpha():
            image = image.premultiply().resize(scales[0], vscale=scales[1]).unpremultiply().rint().cast("uchar")
        else:
            image = image.resize(scales[0], vscale=scales[1])
    assert opened(made).size == (wanted.width, wanted.height)
    assert opened(made).tobytes() == image.write_to_memory()


def test_a_rendition_looks_like_the_image() -> None:
    """Of one colour it has that colour, and no seam darkens its edge."""
    from PIL import Image

    data = saved(Image.new("RGBA", (777, 333), (200, 100, 50, 128)), "PNG")
    recipe = ImageRecipe.model_validate({"renditions": [{"name": "a", "width": 99, "format": "png"}]})
    assert set(opened(run(IMAGE, data, recipe).outputs["a.png"]).getcolors()) == {(99 * 42, (200, 100, 50, 128))}
