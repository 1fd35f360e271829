"""Images through the command line and the engine: what libvips makes of them, or one line and a remedy."""

from __future__ import annotations

import io
import json
import zlib
from pathlib import Path

import pytest
import pyvips

from fanfold.engine import Engine
from tests.cli.test_engine import fanfold, ran, told
from tests.kinds.image.pictures import dzsave, opened, picture, saved, written

RECIPES = """
version: 1
recipes:
  photos:
    image:
      renditions: [{name: thumb, width: 100, height: 100, fit: cover, format: webp}]
      tiles: {size: 254, overlap: 1}
      convert: {format: jpeg}
"""

HERE = ("--recipe", "photos", "--recipes", "recipes.yaml")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "recipes.yaml").write_text(RECIPES)
    return tmp_path


def tiles(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob("tiles*/**/*.jpg")}


def test_a_large_image_is_cut_and_a_photo_is_not(engine: Engine, folder: Path) -> None:
    """The pyramid is that of `dzsave`, whichever way it was made, and a record is found by the object's key."""
    large = pyvips.Image.xyz(9000, 8000).linear([1 / 37, 1 / 41], 7).cast("uchar").bandjoin(3)
    large = large.copy(interpretation="srgb")
    large.tiffsave(str(folder / "large.tif"), tile=True, tile_width=512, tile_height=512, compression="deflate")
    (folder / "small.png").write_bytes(saved(picture(301, 157), "PNG"))
    # Six rectangles, and the conversion, which is made of all of it.
    for name, chunks in (("large.tif", 7), ("small.png", 1)):
        out = folder / f"out-{name}"
        found = ran(engine, folder, name, *HERE, "--out", out)
        whole = pyvips.Image.new_from_file(str(folder / name)).copy(xres=1, yres=1)
        wanted = dzsave(whole, 254, 1, ".jpg[Q=80,keep=none]")
        assert tiles(out) == {path: data for path, data in wanted.items() if path.endswith(".jpg")}
        assert (out / "tiles.dzi").read_bytes() == wanted["tiles.dzi"]
        assert opened((out / "thumb.webp").read_bytes()).size == (100, 100)
        assert opened((out / "converted.jpg").read_bytes()).size == (whole.width, whole.height)
        assert found["chunks"]["planned"] == found["chunks"]["processed"] == chunks
        assert (found["stats"]["width"], found["stats"]["height"]) == (whole.width, whole.height)
        [record] = told(fanfold(engine, folder, "query", "photos", "--key", f"photos/{name}", "--json"))
        assert record["width"] == whole.width
        assert "thumb.webp" in record["outputs"]


def bomb() -> bytes:
    """Return a PNG that claims 6 gigapixels in a few bytes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")

    side = (80_000).to_bytes(4, "big")
    head, body = chunk(b"IHDR", side + side + bytes((8, 0, 0, 0, 0))), chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + head + body + chunk(b"IEND", b"")


def drawn() -> bytes:
    made = io.BytesIO()
    picture(301, 157).save(made, "PNG")
    return made.getvalue()


BAD = {
    "drawing.jpg": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "NotAnImage", "an SVG drawing"),
    "paper.png": (b"%PDF-1.7\n", "NotAnImage", "a PDF"),
    "cut.png": (drawn()[:9000], "BrokenImage", "does not decode as a whole"),
    "bomb.png": (bomb(), "TooManyPixels", "`pixels` allows 5,000,000,000"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_images_fail_by_name_with_a_remedy(engine: Engine, folder: Path, name: str) -> None:
    """On one line, with exit status 1 and no output."""
    body, error, says = BAD[name]
    (folder / name).write_bytes(body)
    done = fanfold(engine, folder, "run", name, *HERE, "--json")
    [one] = told(done)
    assert (done.returncode, one["status"], one["error"]["name"]) == (1, "FAILED", error)
    assert says in one["error"]["message"]
    assert one["error"]["message"].isprintable()
    assert one["error"]["remedy"].endswith(".")
    assert one["outputs"] == []


SIGNS = """
version: 1
recipes:
  signs: {image: {metadata: false, recognise: {}}}
"""


def test_an_image_is_found_by_the_words_in_it_until_a_version_without_them(engine: Engine, folder: Path) -> None:
    """In any case; the record under its key names them too."""
    (folder / "recipes.yaml").write_text(SIGNS)
    here = ("--recipe", "signs", "--recipes", "recipes.yaml")
    for text, is_there in (("PIZZA 24", True), ("closed", False)):
        written((400, 120), [(20, 20, 50, text)]).save(folder / "sign.png")
        found = ran(engine, folder, "sign.png", *here, "--out", folder)
        assert (found["stats"]["text"], found["stats"]["faces"]) == (1, 0)
        [line] = json.loads((folder / "recognised.json").read_text())["text"]
        assert line["text"] == text
        rows = told(fanfold(engine, folder, "query", "signs", "--word", "Pizza", "--json"))
        assert [row["key"] for row in rows] == ["signs/sign.png"] * is_there
        assert [row["box"] for row in rows] == [line["box"]] * is_there
        [record] = told(fanfold(engine, folder, "query", "signs", "--key", "signs/sign.png", "--json"))
        assert record["words"] == text.casefold().split()
    planned = told(fanfold(engine, folder, "plan", "sign.png", *here, "--json"))[0]
    assert planned["worker_seconds"] > 0
