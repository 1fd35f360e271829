"""Every page is free of serious faults that axe-core knows, in light and dark, and is driven by the keyboard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from fanfold.aws.stack import Stack
from tests.console.conftest import Console
from tests.console.test_outputs import RECIPES, _recipes, ran  # noqa: F401 - a fixture
from tests.console.test_replaying import failing

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture(scope="module")
def pages(engine_stack: Stack, _recipes: None, tmp_path_factory: pytest.TempPathFactory) -> list[str]:  # noqa: F811
    folder = tmp_path_factory.mktemp("pages")
    failed = failing(engine_stack, folder, "axe.csv")
    weather = ran(engine_stack, SAMPLES / "seattle-weather.csv", "rain")
    picture = ran(engine_stack, SAMPLES / "hubble_deep_field.jpg", "deep")
    run = [f"/runs/{failed}{path}" for path in ("", "/chunks", "/events", "/attempts", "/definition", "/replay")]
    return [
        "/",
        *run,
        f"/runs/{failed}/chunks/0-00001",
        f"/runs/{weather}/outputs",
        f"/runs/{picture}/outputs",
        f"/runs/{weather}/outputs/rows.jsonl",
        "/records?recipe=rain&key=snow",
        "/dead-letters",
        "/replays/new?text=axe",
        "/?status=FAILED",
    ]


@pytest.mark.parametrize(("scheme", "rules"), [("light", {}), ("dark", {"runOnly": ["color-contrast"]})])
def test_no_page_has_a_serious_fault(
    console: Console, pages: list[str], visit: Any, scheme: str, rules: dict[str, Any]
) -> None:
    page = visit(console, color_scheme=scheme)
    faults = []
    for path in pages:
        page.goto(console.base + path)
        page.wait_for_load_state("load")
        found = Axe().run(page, options=rules).response["violations"]
        faults += [
            (path, one["id"], one["impact"], [node["html"][:160] for node in one["nodes"][:3]])
            for one in found
            if one["impact"] in ("serious", "critical")
        ]
    assert not faults


def test_a_narrow_window_needs_no_sideways_scrolling(console: Console, pages: list[str], visit: Any) -> None:
    page = visit(console)
    page.set_viewport_size({"width": 360, "height": 740})
    for path in pages:
        page.goto(console.base + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path


def test_single_keys_do_what_the_list_of_keys_says(console: Console, pages: list[str], visit: Any) -> None:
    page = visit(console)
    page.wait_for_selector("[data-row]")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.name") == "text"
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert (
        page.evaluate(
            "[...document.querySelectorAll('[data-row]')].indexOf(document.activeElement.closest('[data-row]'))"
        )
        == 1
    )
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    page.wait_for_selector(".tabs")
    page.wait_for_load_state()  # until then nobody listens to keys
    page.keyboard.press("3")
    page.wait_for_url("**/events")
    page.keyboard.press("?")
    assert page.locator("dialog#keys").is_visible()
    page.uncheck("#keys-on")
    page.keyboard.press("Escape")
    page.keyboard.press("1")
    page.wait_for_timeout(200)
    assert page.url.endswith("/events"), "single keys can be switched off"
