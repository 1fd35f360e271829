"""Make the pictures of docs/console.md anew, of samples on an engine of its own: `python -m tests.console.pictures`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from fanfold import engine as engines
from fanfold import intake, replay, sending
from fanfold.aws.account import Account
from fanfold.aws.stack import Stack
from tests.console.conftest import CHROMIUM, FLAGS, console_of
from tests.console.test_outputs import RECIPES
from tests.console.test_replaying import failing

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs/console"
LIMIT_BYTES = 200_000


def run(stack: Stack, path: Path, recipe: str) -> str:
    job = sending.taken(stack, sending.send(stack, path, recipe, None))["job"]
    assert replay.wait(stack, job)["status"] == "SUCCEEDED"
    return str(job)


def main() -> None:
    """Run the samples, and take a picture of every page."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, engines.session(Path(scratch) / "home") as engine:
        stack = Stack.find(Account(region=engine.region, endpoint=engine.endpoint), engine.stack)
        stack.stores.work.put(intake.RECIPES_KEY, RECIPES.encode(), "application/yaml")
        bad = Path(scratch) / "orders.csv"
        bad.write_text(
            "id,amount\n" + "".join(f"{at},{at * 3}\n" for at in range(40)) + "41,forty\n42,1,2\n43,<none>\n"
        )
        jobs = {
            "airports": run(stack, ROOT / "samples/airports.csv", "heads"),
            "sky": run(stack, ROOT / "samples/hubble_deep_field.jpg", "deep"),
            "film": run(stack, ROOT / "samples/testcard.mp4", "films"),
            "orders": run(stack, bad, "strict"),
            "weather": run(stack, ROOT / "samples/seattle-weather.csv", "rain"),
            "failed": failing(stack, Path(scratch), "measurements.csv", 3000),
        }
        pages = {
            "runs": "/",
            "run": f"/runs/{jobs['failed']}",
            "run-dark": f"/runs/{jobs['airports']}",
            "chunks": f"/runs/{jobs['airports']}/chunks",
            "chunk": f"/runs/{jobs['failed']}/chunks/0-00001",
            "replay": f"/runs/{jobs['failed']}/replay",
            "image": f"/runs/{jobs['sky']}/outputs",
            "film": f"/runs/{jobs['film']}/outputs",
            "rejects": f"/runs/{jobs['orders']}/outputs/rejects.jsonl",
            "records": "/records?recipe=rain&key=snow",
        }
        with console_of(stack) as console, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
            for name, path in pages.items():
                scheme = "dark" if name.endswith("-dark") else "light"
                context = browser.new_context(viewport={"width": 1180, "height": 760}, color_scheme=scheme)
                page = context.new_page()
                page.goto(console.guard.url())
                page.goto(console.base + path)
                page.wait_for_timeout(2000)
                page.screenshot(path=FOLDER / f"{name}.png")
                shrink(FOLDER / f"{name}.png")
                context.close()
            browser.close()


def shrink(path: Path) -> None:
    """Write a picture with as few colours as make it small enough."""
    picture = Image.open(path).convert("RGB")
    for colours in (256, 128, 64):
        picture.quantize(colours, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size < LIMIT_BYTES:
            return
    raise SystemExit(f"{path} is larger than {LIMIT_BYTES} bytes")


if __name__ == "__main__":
    main()
