"""What is read, and that the pixels are those that another decoder finds."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import zlib
from decimal import Decimal

import pytest
from PIL import Image, ImageCms

from fanfold import kinds
from fanfold.kinds.image.formats import format_of, named
from fanfold.kinds.image.headers import HEAD_LIMIT_BYTES, read_header
from fanfold.kinds.image.pixels import decode
from fanfold.kinds.image.recipe import ImageRecipe
from tests.kinds.driver import CountingSource, run
from tests.kinds.image.pictures import opened, picture, saved

IMAGE = kinds.get("image")
AS_PNG = ImageRecipe.model_validate({"convert": {"format": "png"}})


def converted(data: bytes, **asked: object) -> Image.Image:
    recipe = ImageRecipe.model_validate({"convert": {"format": "png"} | asked})
    return opened(run(IMAGE, data, recipe).outputs["converted.png"])


def difference(one: Image.Image, other: Image.Image) -> int:
    assert (one.size, one.mode) == (other.size, other.mode)
    return max(abs(a - b) for a, b in zip(one.tobytes(), other.tobytes(), strict=True))


def heic(image: Image.Image) -> bytes:
    import pillow_heif

    made = io.BytesIO()
    pillow_heif.from_pillow(image).save(made, quality=95)
    return made.getvalue()


SAVED = {
    "jpeg": lambda image: saved(image, "JPEG", quality=95),
    "jpeg progressive": lambda image: saved(image, "JPEG", progressive=True),
    "jpeg restarts": lambda image: saved(image, "JPEG", restart_marker_rows=1),
    "png": lambda image: saved(image, "PNG"),
    "tiff": lambda image: saved(image, "TIFF"),
    "tiff lzw": lambda image: saved(image, "TIFF", compression="tiff_lzw"),
    "tiff deflate": lambda image: saved(image, "TIFF", compression="tiff_adobe_deflate"),
    "tiff packbits": lambda image: saved(image, "TIFF", compression="packbits"),
    "bigtiff": lambda image: saved(image, "TIFF", big_tiff=True),
    "webp": lambda image: saved(image, "WEBP", lossless=True),
    "gif": lambda image: saved(image.quantize(64), "GIF"),
    "avif": lambda image: saved(image, "AVIF", quality=95, subsampling="4:4:4"),
    "heic": heic,
}


@pytest.mark.parametrize("form", SAVED)
def test_a_format_is_told_by_its_bytes_and_decodes_as_elsewhere(form: str) -> None:
    """The header's size is the picture's, within 1 MiB of reads; the pixels are Pillow's, but for rounding."""
    data = SAVED[form](picture(97, 61))
    assert IMAGE.sniff(data[:4096], "misnamed.csv")
    source = CountingSource(data)
    header = read_header(source)
    # HEIF stores whole blocks, and names the part of them that is shown.
    assert (header.width, header.height) == ((98, 64) if form == "heic" else (97, 61))
    assert source.read_bytes <= HEAD_LIMIT_BYTES
    if form == "heic":
        import pillow_heif

        wanted = pillow_heif.open_heif(io.BytesIO(data)).to_pillow()
    else:
        wanted = opened(data).convert("RGB")
    assert difference(converted(data).convert("RGB"), wanted) <= (3 if form in ("avif", "jpeg progressive") else 1)


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"%PDF-1.7\n", "a PDF"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "an SVG drawing"),
        (b'<?xml version="1.0"?>\n<svg/>', "an SVG drawing"),
        (b"8BPS\0\1", "a Photoshop document"),
        (b"a,b\n1,2\n", "unknown"),
    ],
)
def test_what_is_no_image_is_refused_by_name(head: bytes, what: str) -> None:
    assert format_of(head) is None
    assert named(head).startswith(what)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_orientation_is_applied_once(orientation: int) -> None:
    """What is kept of EXIF does not turn the picture again."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = orientation, "a hen"
    given = picture(300, 180)
    data = saved(given, "TIFF", exif=exif)
    made = converted(data, format="png")
    turned = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}.get(orientation)
    wanted = given if turned is None else given.transpose(Image.Transpose(turned))
    assert difference(made, wanted) == 0
    kept = opened(saved(given, "JPEG", exif=exif, quality=95))
    shown = converted(saved(given, "JPEG", exif=exif, quality=95))
    assert shown.size == wanted.size
    assert shown.getexif().get(0x010E) == "a hen" == kept.getexif()[0x010E]
    assert shown.getexif().get(0x0112, 1) == 1


def test_stripped_metadata_is_gone() -> None:
    exif = Image.Exif()
    exif[0x010E] = "a hen"
    data = saved(picture(48, 32), "JPEG", exif=exif)
    for format in ("jpeg", "png", "webp", "avif"):
        recipe = ImageRecipe.model_validate({"convert": {"format": format, "metadata": "strip"}})
        (made,) = [b for n, b in run(IMAGE, data, recipe).outputs.items() if n.startswith("converted")]
        assert b"a hen" not in made
        assert 0x010E not in opened(made).getexif()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *extra: bytes) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = [chunk(b"IHDR", head), *extra, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(("colour", "bands"), [(0, 1), (2, 3), (6, 4)])
def test_16_bits_are_scaled_and_not_clipped(colour: int, bands: int) -> None:
    """Every value of 16 bits becomes its upper 8."""
    values = range(0, 65536, 257)
    row = b"".join(struct.pack(">H", value) * bands for value in values)
    made = converted(png(len(values), 1, 16, colour, b"\0" + row))
    assert list(made.getchannel(0).tobytes()) == [value >> 8 for value in values]


def test_cmyk_is_converted_by_a_profile() -> None:
    """Full cyan is what a press prints, not (0, 255, 255)."""
    made = converted(saved(Image.new("CMYK", (16, 16), (255, 0, 0, 0)), "TIFF"))
    red, green, blue = made.getpixel((8, 8))
    assert made.mode == "RGB"
    assert red < 60
    assert 120 < green < 200
    assert 200 < blue < 255
    assert converted(saved(Image.new("CMYK", (16, 16), (0, 0, 0, 0)), "JPEG")).getpixel((8, 8)) == (255, 255, 255)


def test_a_profile_is_converted_to_srgb() -> None:
    """A picture in another space looks the same; without the conversion its numbers would be taken as sRGB's."""
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    given = picture(48, 32)
    assert difference(converted(saved(given, "TIFF", icc_profile=lab)), given) <= 2
    # A profile that does not fit the pixels is overlooked, as viewers do.
    assert difference(converted(saved(picture(48, 32, "L"), "TIFF", icc_profile=lab)), picture(48, 32, "L")) == 0


EXIF = Image.Exif()
EXIF[0x010F] = "maker"


def animation(format: str) -> bytes:
    frames = [Image.new("RGB", (40, 30), (80 * n, 200, 30)) for n in range(3)]
    made = io.BytesIO()
    frames[0].save(made, format, save_all=True, append_images=frames[1:], duration=[100, 200, 300], loop=0)
    return made.getvalue()


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "AVIF"])
def test_animations_keep_their_frames_where_the_format_can(format: str) -> None:
    """WebP moves, at the given size and times; JPEG and PNG show the first frame."""
    asked = [{"name": f"to-{kind}", "width": 20, "format": kind} for kind in ("webp", "jpeg", "png", "avif")]
    result = run(IMAGE, animation(format), ImageRecipe.model_validate({"renditions": asked}))
    moving = Image.open(io.BytesIO(result.outputs["to-webp.webp"]))
    assert (moving.n_frames, moving.size) == (3, (20, 15))
    times, colours = [], []
    for number in range(3):
        moving.seek(number)
        moving.load()
        times.append(moving.info["duration"])
        colours.append(moving.convert("RGB").getpixel((10, 7))[0])
    assert times == [100, 200, 300]
    assert colours[0] < colours[1] < colours[2]
    for name in ("to-jpeg.jpg", "to-png.png", "to-avif.avif"):
        assert opened(result.outputs[name]).size == (20, 15)
    assert result.stats["frames"] == 3


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P"])
def test_frames_of_a_png_are_those_that_pillow_shows(mode: str) -> None:
    """Pixel for pixel, with what is transparent; a frame may be a patch on the one before."""
    drawn = [picture(40, 30, "RGBA" if mode == "RGBA" else "RGB", seed=n).convert(mode) for n in range(3)]
    drawn[2].paste(drawn[1].crop((0, 0, 40, 20)), (0, 0))
    data = saved(drawn[0], "PNG", save_all=True, append_images=drawn[1:], duration=40, loop=2, exif=EXIF)
    frames = decode(data, "png", ImageRecipe())
    expected = Image.open(io.BytesIO(data))
    assert len(frames) == 3
    for number, frame in enumerate(frames):
        expected.seek(number)
        shown = expected.convert("RGBA" if frame.hasalpha() else "RGB")
        assert bytes(frame.write_to_memory()) == shown.tobytes()
    assert frames[0].get("loop") == 2
    asked = ImageRecipe.model_validate({"convert": {"format": "webp", "metadata": "keep"}})
    assert Image.open(io.BytesIO(run(IMAGE, data, asked).outputs["converted.webp"])).getexif()[0x010F] == "maker"


def test_a_picture_that_is_no_frame_of_its_png_is_left_out() -> None:
    """It is for viewers that show no animations."""
    drawn = [picture(40, 30, seed=n) for n in range(3)]
    data = saved(drawn[0], "PNG", save_all=True, append_images=drawn[1:], default_image=True)
    assert Image.open(io.BytesIO(data)).info["default_image"]
    frames = decode(data, "png", ImageRecipe())
    assert [bytes(frame.write_to_memory()) for frame in frames] == [one.tobytes() for one in drawn[1:]]


def test_the_first_page_of_a_tiff_is_shown_and_the_others_are_counted() -> None:
    made = io.BytesIO()
    pages = [picture(30 + 10 * n, 20, seed=n) for n in range(4)]
    pages[0].save(made, "TIFF", save_all=True, append_images=pages[1:])
    assert read_header(CountingSource(made.getvalue())).pages == 4
    assert difference(converted(made.getvalue()), pages[0]) == 0


def test_an_image_is_one_record_under_its_own_key() -> None:
    """What `metadata.json` says, and the outputs; without metadata there is none."""
    asked = {"renditions": [{"name": "a", "width": 9}], "tiles": {}}
    result = run(IMAGE, saved(picture(97, 61, "LA"), "PNG"), ImageRecipe.model_validate(asked))
    described = json.loads(result.outputs["metadata.json"], parse_float=Decimal)
    del described["histogram"]  # too much for a record
    (record,) = result.records
    assert (record.partition, record.sort, record.ordinal) == ("", None, 0)
    assert record.attributes == described | {"outputs": ["metadata.json", "a.jpg", "tiles.dzi"]}
    assert (described["width"], described["height"], described["mode"]) == (97, 61, "grey+alpha")
    assert set(record.attributes["outputs"]) <= set(result.outputs)
    without = run(IMAGE, saved(picture(9, 9), "PNG"), ImageRecipe.model_validate(asked | {"metadata": False}))
    assert not without.records
    assert "metadata.json" not in without.outputs


def test_to_sniff_and_to_split_needs_no_codec() -> None:
    """Intake and splitter start cold for every object, and tables load no image codec."""
    program = """
import sys
class NotThere:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"pyvips", "PIL", "numpy", "pillow_heif", "pyarrow"}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, NotThere())
from fanfold import kinds
from fanfold.kinds.image.recipe import ImageRecipe
from tests.kinds.driver import CountingSource
data = bytes.fromhex(sys.argv[1])
assert kinds.sniff(data, "x") == "image"
assert kinds.get("image").plan(CountingSource(data), ImageRecipe()).lines
assert kinds.sniff(b"a,b\\n1,2\\n", "x") == "table"
"""
    data = saved(picture(8, 8), "PNG").hex()
    done = subprocess.run([sys.executable, "-c", program, data], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
