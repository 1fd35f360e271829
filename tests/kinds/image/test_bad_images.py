"""What is broken, or far too large, ends in a named error, quickly; half a picture is never an output."""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from PIL import Image

from fanfold import kinds
from fanfold.errors import BrokenImage, FanfoldError, NotAnImage, TooLargeForFormat, TooManyPixels
from fanfold.kinds.image.pixels import decode
from fanfold.kinds.image.recipe import ImageRecipe
from tests.kinds.driver import CountingSource, run
from tests.kinds.image.pictures import picture, saved
from tests.kinds.image.test_formats import SAVED, chunk, png

IMAGE = kinds.get("image")
AS_PNG = ImageRecipe.model_validate({"convert": {"format": "png"}})


def refused(data: bytes, error: type[FanfoldError], recipe: ImageRecipe = AS_PNG) -> str:
    """Check that a job ends in `error` within 2 s, in one line; return the line."""
    began = time.perf_counter()
    with pytest.raises(error) as caught:
        run(IMAGE, data, recipe)
    assert time.perf_counter() - began < 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("form", SAVED)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.95])
def test_a_truncated_image_is_refused(form: str, share: float) -> None:
    """Wherever it was cut: a decoder that stops silently would show half a picture."""
    data = SAVED[form](picture(97, 61))
    refused(data[: int(len(data) * share)], FanfoldError)


@pytest.mark.parametrize("form", SAVED)
def test_a_damaged_image_ends_in_outputs_or_a_named_error(form: str) -> None:
    """Any byte may be wrong; nothing but errors of ours comes out."""
    pick = random.Random(form)
    data = SAVED[form](picture(33, 21))
    for _ in range(40):
        bad = bytearray(data)
        for _ in range(pick.randint(1, 4)):
            bad[pick.randrange(len(bad))] = pick.randrange(256)
        with suppress(FanfoldError):
            assert "converted.png" in run(IMAGE, bytes(bad), AS_PNG).outputs


def resized(form: str) -> bytes:
    """Return a small image whose header claims 60,000 × 60,000 pixels, or the most its format can."""
    data = bytearray(SAVED[form](picture(16, 16)))
    match form:
        case "png":
            data[16:24] = struct.pack(">II", 60_000, 60_000)
        case "jpeg":
            at = data.index(b"\xff\xc0")
            data[at + 5 : at + 9] = struct.pack(">HH", 60_000, 60_000)
        case "gif":
            data[6:10] = struct.pack("<HH", 60_000, 60_000)
        case "webp":
            data[21:25] = struct.pack("<I", 16_382 | 16_382 << 14)
        case "avif" | "heic":
            at = data.index(b"ispe") + 8
            data[at : at + 8] = struct.pack(">II", 60_000, 60_000)
        case "tiff":
            (at,) = struct.unpack_from("<I", data, 4)
            for entry in range(at + 2, at + 2 + 12 * data[at], 12):
                if struct.unpack_from("<H", data, entry)[0] in (256, 257):
                    struct.pack_into("<HII", data, entry + 2, 4, 1, 60_000)
    return bytes(data)


@pytest.mark.parametrize("form", ["png", "jpeg", "gif", "webp", "avif", "heic", "tiff"])
def test_a_bomb_is_refused_by_its_header_in_every_format(form: str) -> None:
    """Before a pixel is decoded: by how many there are, and by how many there are for each byte."""
    source = CountingSource(resized(form))
    with pytest.raises(TooManyPixels, match="`pixels_per_byte` allows 10,000"):
        IMAGE.plan(source, ImageRecipe())
    with pytest.raises(TooManyPixels, match="`pixels` allows 1,000,000"):
        IMAGE.plan(source, ImageRecipe(pixels=1_000_000))


@pytest.mark.parametrize(("width", "height"), [((1 << 20) + 1, 1), (1, (1 << 20) + 1)])
def test_an_image_without_end_on_one_side_is_refused(width: int, height: int) -> None:
    """Few pixels in few bytes; but its rows, or its tiles, have no bound."""
    rows = b"".join(b"\0" + bytes(width) for _ in range(height))
    assert "the longest side" in refused(png(width, height, 8, 0, rows), TooManyPixels)


@pytest.mark.parametrize("form", ["GIF", "PNG", "AVIF"])
def test_frames_count_as_pixels(form: str) -> None:
    """An animation of small frames can be a bomb too."""
    frames = [Image.new("L", (500, 500), n) for n in range(60)]
    data = saved(frames[0], form, save_all=True, append_images=frames[1:])
    assert "60 frames" in refused(data, TooManyPixels, ImageRecipe(pixels=10_000_000))


@pytest.mark.parametrize("form", ["PNG", "AVIF"])
def test_a_damaged_animation_is_shown_or_refused(form: str) -> None:
    """By no error but ours, and without a word of Pillow's."""
    frames = [picture(60, 40, seed=n) for n in range(4)]
    data = saved(frames[0], form, save_all=True, append_images=frames[1:])
    for seed in range(200):
        chance = random.Random(seed)
        damaged = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(8, min(len(data), chance.choice([200, len(data)])))] = chance.randrange(256)
        with suppress(BrokenImage, NotAnImage, TooManyPixels):
            decode(bytes(damaged), form.lower(), ImageRecipe())


def test_an_animation_without_time_is_refused() -> None:
    """Its times are given in parts of a second, and the parts are none (found by damaging bytes)."""
    frames = [picture(60, 40, seed=n) for n in range(4)]
    data = saved(frames[0], "AVIF", save_all=True, append_images=frames[1:])
    at = data.index(b"mdhd")
    timescale = at + (24 if data[at + 4] else 16)
    refused(data[:timescale] + bytes(4) + data[timescale + 4 :], BrokenImage)


@pytest.mark.parametrize("share", [0.5, 0.7, 0.9, 0.99])
@pytest.mark.parametrize("form", ["PNG", "AVIF"])
def test_an_animation_that_was_cut_off_is_refused(form: str, share: float) -> None:
    """Never the frames that are left, and no error but ours."""
    frames = [picture(60, 40, seed=n) for n in range(4)]
    data = saved(frames[0], form, save_all=True, append_images=frames[1:])
    refused(data[: int(len(data) * share)], BrokenImage)


def tiff(next_of: Callable[[int], int], count: int) -> bytes:
    """Return a TIFF of directories with one tag each."""
    body = b"II*\0" + struct.pack("<I", 8)
    for number in range(count):
        body += struct.pack("<HHHIII", 1, 256, 4, 1, 10, next_of(number))
    return body


@pytest.mark.parametrize("back", [0, 1, 7])
def test_a_loop_of_directories_is_refused(back: int) -> None:
    refused(tiff(lambda number: 8 + 18 * (number + 1) if number < back else 8, back + 1), BrokenImage)


def test_a_million_directories_are_refused() -> None:
    """By reading no more than 1 MiB."""
    one = b"".join(struct.pack("<HHHIII", 1, 256, 4, 1, 10, 26 + 18 * number) for number in range(1_000_000))
    source = CountingSource(b"II*\0\x08\0\0\0" + one)
    began = time.perf_counter()
    with pytest.raises(BrokenImage, match="directories"):
        IMAGE.plan(source, ImageRecipe())
    assert time.perf_counter() - began < 2
    assert source.read_bytes <= 1 << 20


@pytest.mark.parametrize(("width", "height"), [(0, 5), (5, 0)])
def test_zero_sizes_are_refused(width: int, height: int) -> None:
    assert f"{width} × {height}" in refused(png(width, height, 8, 0, b""), BrokenImage)


def test_what_is_no_marker_is_passed_over() -> None:
    """Between the segments of a JPEG, as other decoders do: such files are about."""
    data = saved(picture(16, 16), "JPEG")
    at = data.index(b"\xff\xdb")
    assert "converted.png" in run(IMAGE, data[:at] + b"junk\xff\0" + data[at:], AS_PNG).outputs


def test_svg_and_pdf_are_refused_by_name() -> None:
    assert "an SVG drawing" in refused(b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', NotAnImage)
    assert "a PDF" in refused(b"%PDF-1.7\n1 0 obj", NotAnImage)
    assert "unknown" in refused(b"hello", NotAnImage)


def test_an_output_that_its_format_cannot_hold_is_refused() -> None:
    data = png(20_000, 1, 8, 0, bytes(20_001))
    assert "`converted.webp`" in refused(data, TooLargeForFormat, ImageRecipe(convert={"format": "webp"}))


def test_a_broken_profile_or_exif_is_no_reason_to_fail() -> None:
    """Metadata is not the picture."""
    rows = b"".join(b"\0" + bytes(12) for _ in range(4))
    import zlib

    icc = chunk(b"iCCP", b"x\0\0" + zlib.compress(b"\0" * 16 + b"RGB " + b"junk" * 40))
    exif = chunk(b"eXIf", b"II*\0\xff\xff\xff\xff" + b"junk" * 10)
    assert "converted.png" in run(IMAGE, png(4, 4, 8, 2, rows, icc, exif), AS_PNG).outputs
