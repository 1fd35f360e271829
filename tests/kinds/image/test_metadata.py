"""What `metadata.json` says: what others wrote into an image, counted pixels, and hashes."""

from __future__ import annotations

import contextlib
import io
import json
import struct
from collections import Counter
from typing import Any

import blurhash
import pytest
import pyvips
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from fanfold import kinds
from fanfold.kinds.image import embedded, impressions
from fanfold.kinds.image.embedded import Unreadable
from fanfold.kinds.image.pixels import in_memory
from fanfold.kinds.image.recipe import ImageRecipe
from fanfold.kinds.image.tallies import Tally
from tests.kinds.driver import run
from tests.kinds.image.pictures import picture, saved

IMAGE = kinds.get("image")


def said_of(data: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(IMAGE, data, ImageRecipe()).outputs["metadata.json"])
    return found


def exif(**gps: Any) -> Image.Exif:
    made = Image.Exif()
    made[271], made[272], made[274] = "Maker", "Model 1", 6
    made.get_ifd(0x8769)[33434] = 0.005
    made.get_ifd(0x8769)[37500] = b"secret of the maker"
    place = made.get_ifd(0x8825)
    place.update({1: "S", 2: (33.0, 51.0, 54.5), 3: "E", 4: (151.0, 12.0, 36.0), 5: b"\1", 6: 12.5})
    return made


XMP = b"""<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?>
<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>
<rdf:Description rdf:about='' xmlns:xmp='http://ns.adobe.com/xap/1.0/' xmp:Rating='5'
 xmlns:dc='http://purl.org/dc/elements/1.1/'>
<dc:subject><rdf:Bag><rdf:li>sea</rdf:li><rdf:li>sky &amp; sun</rdf:li></rdf:Bag></dc:subject>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end='w'?>"""


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_exif_and_xmp_are_plain_json(format: str) -> None:
    """Rationals are numbers, a place is degrees and metres, and what only a maker reads is left out."""
    found = said_of(saved(picture(64, 48), format, exif=exif(), **({} if format == "PNG" else {"xmp": XMP})))
    assert found["exif"] == {"Make": "Maker", "Model": "Model 1", "Orientation": 6, "ExposureTime": 0.005}
    assert found["gps"] == {"latitude": -33.8651389, "longitude": 151.21, "altitude": -12.5}
    if format != "PNG":
        assert found["xmp"] == {"xmp:Rating": "5", "dc:subject": ["sea", "sky & sun"]}
    assert (found["width"], found["height"], found["stored_width"]) == (48, 64, 64)


def test_a_profile_is_named() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    found = said_of(saved(picture(64, 48), "JPEG", icc_profile=profile.tobytes()))
    assert found["icc"] == {"space": "RGB", "name": "sRGB built-in"}


def data_set(number: int, text: bytes, record: int = 2) -> bytes:
    return struct.pack(">BBBH", 0x1C, record, number, len(text)) + text


def test_iptc_is_found_among_the_resources_of_photoshop() -> None:
    body = data_set(90, b"\x1b%G", 1) + data_set(5, "Süden".encode()) + data_set(25, b"sea") + data_set(25, b"sky")
    block = b"8BIM\x03\xed\0\0\0\0\0\x03abc\0" + b"8BIM\x04\x04\0\0" + struct.pack(">I", len(body)) + body
    assert embedded.iptc(b"Photoshop 3.0\0" + block) == {"title": "Süden", "keywords": ["sea", "sky"]}
    image = in_memory(picture(64, 48).tobytes(), 64, 48, 3).copy()
    image.set_type(pyvips.GValue.blob_type, "iptc-data", b"Photoshop 3.0\0" + block)
    assert said_of(bytes(image.jpegsave_buffer()))["iptc"] == {"title": "Süden", "keywords": ["sea", "sky"]}


def test_pages_behind_the_first_are_named() -> None:
    pages = [picture(40, 30), picture(20, 10), picture(7, 5)]
    found = said_of(saved(pages[0], "TIFF", save_all=True, append_images=pages[1:]))
    assert (found["pages"], found["other_pages"]) == (3, [[20, 10], [7, 5]])


BOMB = b"""<!DOCTYPE a [<!ENTITY b "cccccccc"><!ENTITY d "&b;&b;&b;">]><a>&d;</a>"""


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("exif", b"Exif\0\0MM\0*\xff\xff\xff\xff"),
        ("exif", b"Exif\0\0no TIFF at all"),
        ("exif", bytes(embedded.LIMIT_BYTES["exif"] + 1)),
        ("xmp", BOMB),
        ("xmp", b"<a><b></a>"),
        ("xmp", b"<a>" * 100_000),
        ("xmp", b" " * (embedded.LIMIT_BYTES["xmp"] + 1)),
        ("iptc", data_set(5, b"abc")[:-1]),
        ("icc", b"short"),
    ],
)
def test_what_does_not_parse_is_named_and_left_out(kind: str, data: bytes) -> None:
    assert embedded.read({kind: data}) in ({"unreadable": [kind]}, {})


@given(st.binary(max_size=400))
def test_no_bytes_make_a_parser_fail_otherwise(data: bytes) -> None:
    for parse in (embedded.exif, embedded.iptc, embedded.icc, embedded.xmp):
        for head in (b"", b"Exif\0\0II*\0\x08\0\0\0\x05\0", b"8BIM\x04\x04\0\0\0\0\1\0\x1c\2"):
            with contextlib.suppress(Unreadable):
                json.dumps(parse(head + data), allow_nan=False).encode()


def test_nothing_that_is_carried_is_without_end() -> None:
    made = exif()
    made[270] = "x" * 60_000
    found = said_of(saved(picture(64, 48), "JPEG", exif=made))
    assert found["exif"]["ImageDescription"] == "x" * embedded.TEXT_LIMIT


@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.sampled_from(["L", "LA", "RGB", "RGBA"]),
    st.integers(0, 9),
    st.integers(1, 59),
)
def test_counts_of_pieces_add_up_to_those_of_the_whole(width: int, height: int, mode: str, seed: int, cut: int) -> None:
    """And those of the whole are what plain counting finds."""
    given = picture(width, height, mode, seed)
    bands = len(mode)
    image = in_memory(given.tobytes(), width, height, bands)
    whole = Tally.of(image)
    at = min(cut, height)
    pieces = [image.crop(0, 0, width, at)] + ([image.crop(0, at, width, height - at)] if at < height else [])
    parts = [Tally.from_bytes(Tally.of(piece).to_bytes()) for piece in pieces]
    assert Tally.summed(parts).described() == whole.described()
    raw = given.tobytes()
    for band in range(bands):
        counted = Counter(raw[band::bands])
        assert whole.histogram[band] == [counted[value] for value in range(256)]
    if bands > 2:
        cells = Counter(
            (raw[i] // 16 * 16 + raw[i + 1] // 16) * 16 + raw[i + 2] // 16 for i in range(0, len(raw), bands)
        )
        assert whole.cube == cells
    assert sum(one["share"] for one in whole.described()["colours"]) <= 1.001


def test_the_dominant_colour_is_what_most_pixels_have() -> None:
    drawn = Image.new("RGB", (100, 100), (200, 40, 40))
    drawn.paste((10, 10, 250), (0, 0, 100, 30))
    found = said_of(saved(drawn, "PNG"))
    assert found["colours"] == [{"colour": "#c82828", "share": 0.7}, {"colour": "#0808f8", "share": 0.3}]
    assert found["mean"] == {"red": 143.0, "green": 31.0, "blue": 103.0}


def test_alike_images_have_alike_hashes_and_others_do_not() -> None:
    """A smaller JPEG of the picture differs in a few bits of 64, another picture in many."""
    gradient = Image.radial_gradient("L").resize((640, 480)).convert("RGB")
    gradient.paste((200, 30, 60), (50, 80, 300, 400))
    one = said_of(saved(gradient, "PNG"))
    other = said_of(saved(gradient.resize((320, 240)), "JPEG", quality=60))
    turned = said_of(saved(gradient.rotate(90), "PNG"))

    def bits(found: dict[str, Any], against: dict[str, Any]) -> int:
        return (int(found["dhash"], 16) ^ int(against["dhash"], 16)).bit_count()

    assert bits(one, other) <= 4
    assert bits(one, turned) > 12
    assert blurhash.components(one["blurhash"]) == (impressions.ACROSS, impressions.DOWN)
    shown = blurhash.decode(one["blurhash"], 8, 6)
    reference = gradient.resize((8, 6), Image.Resampling.BOX)
    found = bytes(value for row in shown for pixel in row for value in map(int, pixel))
    far = [abs(a - b) for a, b in zip(found, reference.tobytes(), strict=True)]
    assert sum(far) / len(far) < 40


def test_a_record_has_no_histogram() -> None:
    made = run(IMAGE, saved(picture(64, 48), "PNG"), ImageRecipe())
    [record] = made.records
    assert "histogram" not in record.attributes
    assert record.attributes["dhash"] == json.loads(made.outputs["metadata.json"])["dhash"]
    assert io.BytesIO(made.outputs["metadata.json"]).getbuffer().nbytes < 20_000
