"""What was recognised is drawn where it is in the picture, and says as text what it says."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image, ImageDraw

from fanfold import intake
from fanfold.aws.stack import Stack
from fanfold.console import seen
from fanfold.console.outputs import SANDBOX
from tests.console.conftest import Console, console_of
from tests.console.jobs import MARKUP
from tests.console.test_outputs import finished, ran
from tests.kinds.image.pictures import written

RECIPES = "version: 1\nrecipes:\n  signs: {image: {metadata: false, recognise: {what: [text]}}}\n"


def dark(page: Any) -> tuple[int, int, int, int]:
    """Return the extent of what is black on the drawing, in pixels of the drawing."""
    page.locator(".seen input").uncheck()  # the boxes are in the way
    shot = Image.open(io.BytesIO(page.locator(".over image").screenshot())).convert("L")
    extent = shot.point(lambda value: 255 if value < 64 else 0).getbbox()
    page.locator(".seen input").check()
    assert extent
    return extent


def extent(page: Any, shape: str) -> list[float]:
    """Return where a shape is on the drawing, without the width of its line: left, top, right, bottom."""
    x, y, width, height = page.locator(shape).evaluate(
        "one => ['x', 'y', 'width', 'height'].map(side => one.getBBox()[side])"
    )
    return [edge * scale(page) for edge in (x, y, x + width, y + height)]


def scale(page: Any) -> float:
    """Return how many pixels of the drawing a pixel of the image takes."""
    drawn = page.locator(".over image")
    return float(drawn.bounding_box()["width"]) / float(drawn.get_attribute("width"))


def test_a_line_is_boxed_where_it_is_read(console: Console, engine_stack: Stack, visit: Any, tmp_path: Path) -> None:
    """With no rendition the source itself is painted, upright as its EXIF says."""
    engine_stack.stores.work.put(intake.RECIPES_KEY, RECIPES.encode(), "application/yaml")
    turned = Image.Exif()
    turned[0x0112] = 6
    written((400, 120), [(20, 20, 50, "PIZZA 24")]).rotate(90, expand=True).save(tmp_path / "sign.jpg", exif=turned)
    job = ran(engine_stack, tmp_path / "sign.jpg", "signs")
    page = visit(console, f"/runs/{job}/outputs")
    assert page.locator(".read a").all_inner_texts() == ["PIZZA 24"]
    page.wait_for_load_state("networkidle")
    ink, box = dark(page), extent(page, ".over polygon")
    margins = [ink[0] - box[0], ink[1] - box[1], box[2] - ink[2], box[3] - ink[3]]
    # The detector leaves a margin around what it reads.
    assert all(0 <= margin < 30 * scale(page) for margin in margins), (ink, box)
    page.click(".read a")
    assert page.evaluate("document.querySelector(':target').id") == "box-1"
    answer, body = console.ask("GET", f"/runs/{job}/source", cookie=console.cookie)
    assert body == (tmp_path / "sign.jpg").read_bytes()
    assert (answer.headers["content-type"], answer.headers["content-security-policy"]) == ("image/jpeg", SANDBOX)
    assert answer.headers["content-disposition"].startswith("attachment;")


# ---- outputs put where a run would have left them


def told(lines: int = 1) -> dict[str, Any]:
    text = {"text": MARKUP, "score": 0.987, "corners": [[100, 50], [300, 50], [300, 90], [100, 90]]}
    words = [{"text": MARKUP, "box": [100, 50, 180, 90]}]
    faces = [{"score": 0.5, "box": [20, 200, 60, 260]}]
    head = {"engine": {"name": MARKUP, "version": "1"}, "width": 400, "height": 300}
    return head | {"text": [text | {"words": words}] * lines, "faces": faces}


def test_boxes_lie_on_the_rendition_and_markup_in_them_is_text(stack: Stack, visit: Any) -> None:
    picture = Image.new("RGB", (200, 150), "white")
    ImageDraw.Draw(picture).rectangle((50, 25, 149, 44), fill="black")
    half, square = io.BytesIO(), io.BytesIO()
    picture.save(half, "PNG")
    picture.crop((0, 0, 150, 150)).save(square, "PNG")
    outputs = {"half.png": half.getvalue(), "square.png": square.getvalue()}
    job = finished(stack, "sign.tif", outputs | {"recognised.json": json.dumps(told()).encode()})
    renditions = [
        {"name": "half", "width": 200, "height": None, "fit": "contain"},
        {"name": "square", "width": 300, "height": 300, "fit": "cover"},
    ]
    stack.account.client("stepfunctions").input = json.dumps({"recipe": {"image": {"renditions": renditions}}})
    with console_of(stack) as console:
        page = visit(console, f"/runs/{job}/outputs/recognised.json")
        page.wait_for_load_state("networkidle")
        assert page.get_attribute(".over image", "href").endswith("/raw/half.png")
        assert page.locator(".read a").all_inner_texts() == [MARKUP, "Face 1"]
        assert page.locator(".over title").evaluate_all("all => all.map(one => one.textContent)")[:2] == [MARKUP] * 2
        assert page.locator("main script, main img").count() == 0
        ink, box = dark(page), extent(page, ".over polygon")
        assert [abs(a - b) < 3 for a, b in zip(ink, box, strict=True)] == [True] * 4, (ink, box)
        assert extent(page, ".over .face") == [edge * scale(page) for edge in (20, 200, 60, 260)]
        faults = Axe().run(page).response["violations"]
        assert not [one["id"] for one in faults if one["impact"] in ("serious", "critical")]
        page.locator(".seen input").uncheck()
        assert not page.locator(".over polygon").is_visible()


NOT_DRAWN = (
    b"{",
    b"[]",
    b"{}",
    b'{"width": "x", "height": 1}',
    b'{"width": 1, "height": 1, "text": [{"text": "a"}]}',
    b'{"width": 1, "height": 1, "faces": [{"score": 1, "box": [1, 2, 3]}]}',
    b'{"width": 1, "height": 1, "text": 5}',
    b" " * seen.SEEN_BYTES + b"{}",
)


def test_what_cannot_be_drawn_is_shown_as_text(stack: Stack) -> None:
    for number, body in enumerate(NOT_DRAWN):
        stack.stores.outputs.put(f"{number}", body)
        assert seen.seen(stack.stores.outputs, f"{number}", len(body)) is None, body[-80:]
    job = finished(stack, "broken.png", {"recognised.json": b"{"})
    with console_of(stack) as console:
        assert '<pre class="text" tabindex="0">{</pre>' in console.get(f"/runs/{job}/outputs/recognised.json")


def test_more_than_is_drawn_is_counted_and_a_source_that_is_gone_is_no_picture(stack: Stack) -> None:
    body = json.dumps(told(seen.LINES_DRAWN + 3)).encode()
    job = finished(stack, "many.png", {"recognised.json": body})
    with console_of(stack) as console:
        page = console.get(f"/runs/{job}/outputs/recognised.json")
        assert console.ask("GET", f"/runs/{job}/source", cookie=console.cookie)[0].status == 404
    assert page.count("<polygon") == seen.LINES_DRAWN
    assert "3 more are in the file" in page
    assert "add a rendition" in page


@pytest.mark.parametrize("head", [b"<svg xmlns=", b"<!doctype html>", b"II*\0", b"", b"%PDF-1.7"])
def test_no_source_that_a_browser_would_not_paint_leaves_as_one(head: bytes) -> None:
    assert seen.painted(head) is None
