"""From an object's bytes to pixels: upright, 8 bits a band, sRGB or grey, with or without alpha.

Every output is made of these pixels, so what the rest of the package knows of colour ends here.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager

import pyvips
from PIL import Image

from fanfold.errors import BrokenImage, NotAnImage, TooManyPixels
from fanfold.kinds.image.formats import Format
from fanfold.kinds.image.limits import WHOLE_PIXELS, check
from fanfold.kinds.image.recipe import ImageRecipe
from fanfold.kinds.image.sequences import Sequence, is_sequence
from fanfold.kinds.image.streams import Stream, of_source
from fanfold.model import Source

# A worker has a core; threads of its own would cost more than they bring, and each holds pixels.
pyvips.concurrency_set(1)
pyvips.cache_set_max(0)
pyvips.block_untrusted_set(True)

_LOADERS = {
    "jpeg": "jpegload_buffer",
    "png": "pngload_buffer",
    "gif": "gifload_buffer",
    "tiff": "tiffload_buffer",
    "webp": "webpload_buffer",
    "avif": "heifload_buffer",
}

_ANIMATED = frozenset({"gif", "webp"})

_SPACES = {b"GRAY": (1, 2), b"RGB ": (3, 4), b"CMYK": (4, 5)}
"""The bands of an image that a profile of each colour space fits, without and with alpha (ICC.1, 7.2.6)."""

_EIGHT_BITS = {"grey16": "b-w", "rgb16": "srgb"}


@contextmanager
def decoding(format: str, stream: Stream | None = None) -> Iterator[None]:
    """Name what libvips finds wrong: it decodes when pixels are asked for, so this goes around that.

    stream: what is decoded. Where reading it failed, that is what went wrong.
    """
    try:
        yield
        if stream:
            stream.failed()
    except pyvips.Error as error:
        if stream:
            stream.failed()
        lines = " ".join(str(error.detail or error.message).split())
        raise BrokenImage(f"the {format.upper()} does not decode as a whole: {lines[:200]}") from error


@contextmanager
def decoding_heif() -> Iterator[None]:
    """Name what pillow-heif finds wrong."""
    try:
        yield
    except (ValueError, RuntimeError, EOFError, OSError, LookupError) as error:
        raise BrokenImage(f"the HEIC does not decode as a whole: {' '.join(str(error).split())[:200]}") from error


def decode(data: bytes, format: Format, recipe: ImageRecipe) -> list[pyvips.Image]:
    """Return the frames of an image in memory, first one first; only animations have more than one.

    Raises BrokenImage, NotAnImage, TooManyPixels.
    """
    with decoding(format):
        if is_sequence(data, format):
            sequence = Sequence(data, format)
            frames, height = sequence.frames, sequence.height
            _check_frames(recipe, sequence.width, height, len(data), frames)
            opened = sequence.decoded()
        else:
            opened = _open_heic(data) if format == "heic" else _open(data, format)
            frames = opened.get_n_pages() if format in _ANIMATED else 1
            height = opened.get_page_height() if frames > 1 else opened.height
            _check_frames(recipe, opened.width, height, len(data), frames)
        tops = range(0, opened.height, height)
        normal = upright(normalised(opened).copy_memory())
        if frames == 1:
            return [normal]
        return [normal.crop(0, top, normal.width, height) for top in tops]


def _check_frames(recipe: ImageRecipe, width: int, height: int, size_bytes: int, frames: int) -> None:
    check(recipe, width, height, size_bytes, frames)
    if width * height * frames > WHOLE_PIXELS:
        raise TooManyPixels(
            f"the image has {width:,} × {height:,} × {frames:,} pixels; "
            f"an image that is decoded at once has at most {WHOLE_PIXELS:,}"
        )


_BLOBS = {"exif": "exif-data", "xmp": "xmp-data", "iptc": "iptc-data", "icc": "icc-profile-data"}


def blobs(source: Source, format: Format) -> dict[str, bytes]:
    """Return what an image carries besides pixels, as bytes by kind; no pixel is decoded."""
    stream = of_source(source)
    if format == "heic":
        import pillow_heif

        with decoding_heif():
            info = pillow_heif.open_heif(io.BytesIO(stream.read_all())).info
        found = {"exif": info.get("exif"), "xmp": info.get("xmp"), "icc": info.get("icc_profile")}
        return {name: bytes(data) for name, data in found.items() if data}
    with decoding(format, stream):
        opened = loaded(stream, format)
        return {kind: bytes(opened.get(name)) for kind, name in _BLOBS.items() if opened.get_typeof(name)}


def loaded(stream: Stream, format: Format) -> pyvips.Image:
    """Return an image that is decoded as its pixels are asked for, from the top down; of an animation the first frame.

    HEIC is decoded at once.
    """
    if format == "heic":
        return _open_heic(stream.read_all())
    loader = _LOADERS[format].replace("_buffer", "_source")
    return getattr(pyvips.Image, loader)(stream.source, access="sequential", fail_on="error")


def _open(data: bytes, format: Format) -> pyvips.Image:
    options = {"n": -1} if format in _ANIMATED else {}
    return getattr(pyvips.Image, _LOADERS[format])(data, access="sequential", fail_on="error", **options)


def _open_heic(data: bytes) -> pyvips.Image:
    """Decode with pillow-heif: libvips' wheel carries no decoder of HEVC. It turns the image upright itself."""
    import pillow_heif

    with decoding_heif():
        heif = pillow_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=True)
        picture = heif.to_pillow()
    opened = pyvips.Image.new_from_memory(
        picture.tobytes(), picture.width, picture.height, len(picture.getbands()), "uchar"
    ).copy(interpretation="b-w" if len(picture.getbands()) < 3 else "srgb")
    if profile := heif.info.get("icc_profile"):
        opened.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    return opened


def upright(image: pyvips.Image) -> pyvips.Image:
    """Return an image in memory turned as its orientation asks; the frames of an animation are never turned."""
    frames = image.get_n_pages() if image.get_typeof("n-pages") else 1
    is_turned = image.get_typeof("orientation") and image.get("orientation") > 1
    return image.autorot().copy_memory() if is_turned and frames == 1 else image


def normalised(image: pyvips.Image) -> pyvips.Image:
    """Return an image in sRGB or grey, with 8 bits a band; raise NotAnImage where it has no such meaning.

    16 bits are scaled to 8 by dropping the lower ones (with a profile, by the transform). What a pixel becomes does not
    depend on any other.
    """
    if image.format not in ("uchar", "ushort"):
        raise NotAnImage(f"the samples are {image.format}; what is read has 1 to 8 or 16 bits without a sign")
    if image.interpretation == "multiband":
        wide = image.format == "ushort"
        grey = "grey16" if wide else "b-w"
        image = image.copy(interpretation=grey if image.bands < 3 else "rgb16" if wide else "srgb")
    image = _to_srgb(image)
    if image.format != "uchar":
        image = image.cast("uchar")
    if image.bands > 4:
        raise NotAnImage(f"the image has {image.bands} bands; what is read has at most four")
    # A resolution would go into some tiles of a pyramid and not into others.
    return image.copy(xres=1, yres=1)


def _to_srgb(image: pyvips.Image) -> pyvips.Image:
    if image.get_typeof("icc-profile-data"):
        profile = image.get("icc-profile-data")
        # A profile of another colour space than the pixels is a mistake that viewers overlook.
        if image.bands in _SPACES.get(bytes(profile[16:20]), ()) and (image.interpretation != "cmyk") == (
            bytes(profile[16:20]) != b"CMYK"
        ):
            return image.icc_transform("srgb", embedded=True, intent="relative", depth=8)
    if image.interpretation == "cmyk":
        return image.icc_transform("srgb", input_profile="cmyk", intent="relative", depth=8)
    if image.interpretation in _EIGHT_BITS:
        # libvips' own way from grey to grey goes through light, and rounds on it.
        return (image >> 8).cast("uchar").copy(interpretation=_EIGHT_BITS[image.interpretation])
    return image.colourspace("b-w" if image.interpretation == "b-w" else "srgb")


def in_memory(data: bytes | bytearray | memoryview, width: int, height: int, bands: int) -> pyvips.Image:
    """Return an image of plain pixels, row by row."""
    image = pyvips.Image.new_from_memory(data, width, height, bands, "uchar")
    return image.copy(interpretation="b-w" if bands < 3 else "srgb")


def in_pillow(image: pyvips.Image) -> Image.Image:
    """Return an image without alpha, in memory once more, as Pillow's."""
    mode = "L" if image.bands == 1 else "RGB"
    return Image.frombuffer(mode, (image.width, image.height), image.write_to_memory(), "raw", mode, 0, 1)


def flattened(image: pyvips.Image) -> pyvips.Image:
    """Return an image without alpha, on white."""
    return image.flatten(background=[255] * (image.bands - 1)) if image.hasalpha() else image


def carry(given: pyvips.Image, made: pyvips.Image) -> pyvips.Image:
    """Return `made` with the EXIF, XMP and IPTC of `given`; its orientation is spent."""
    made = made.copy()
    for name in given.get_fields():
        if name.startswith("exif-") or name in ("xmp-data", "iptc-data"):
            made.set_type(given.get_typeof(name), name, given.get(name))
    if made.get_typeof("exif-ifd0-Orientation"):
        made.remove("exif-ifd0-Orientation")
    made.set_type(pyvips.GValue.gint_type, "orientation", 1)
    return made
