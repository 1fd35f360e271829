"""Make the pictures of docs/console.md anew, of samples on an engine of its own: `python -m tests.console.pictures`."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import sync_playwright

from fanfold import engine as engines
from fanfold import intake, replay, sending
from fanfold.aws.account import Account
from fanfold.aws.stack import Stack
from tests.console.conftest import CHROMIUM, FLAGS, Console, console_of
from tests.console.test_outputs import RECIPES
from tests.console.test_replaying import failing

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs/console"
LIMIT_BYTES = 200_000
POSTERS = (
    "  posters: {image: {renditions: [{name: large, width: 1024, quality: 90}], recognise: {min_confidence: 0.8}}}\n"
)


def run(stack: Stack, path: Path, recipe: str) -> str:
    job = sending.taken(stack, sending.send(stack, path, recipe, None))["job"]
    assert replay.wait(stack, job)["status"] == "SUCCEEDED"
    return str(job)


def main() -> None:
    """Run the samples, and take a picture of every page."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, engines.session(Path(scratch) / "home") as engine:
        stack = Stack.find(Account(region=engine.region, endpoint=engine.endpoint), engine.stack)
        stack.stores.work.put(intake.RECIPES_KEY, (RECIPES + POSTERS).encode(), "application/yaml")
        bad = Path(scratch) / "orders.csv"
        bad.write_text(
            "id,amount\n" + "".join(f"{at},{at * 3}\n" for at in range(40)) + "41,forty\n42,1,2\n43,<none>\n"
        )
        jobs = {
            "airports": run(stack, ROOT / "samples/airports.csv", "heads"),
            "poster": run(stack, poster(Path(scratch)), "posters"),
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
            "recognised": f"/runs/{jobs['poster']}/outputs/recognised.json",
            "film": f"/runs/{jobs['film']}/outputs",
            "rejects": f"/runs/{jobs['orders']}/outputs/rejects.jsonl",
            "records": "/records?recipe=rain&key=snow",
            "letters": "/dead-letters",
        }
        with console_of(stack) as console, sync_playwright() as playwright:
            leave_letters(stack, console)
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


def poster(folder: Path) -> Path:
    """Return a picture with a face and some lines of text."""
    with Image.open(ROOT / "samples/astronaut.png") as portrait:
        made = Image.new("RGB", (1000, portrait.height), "white")
        made.paste(portrait.convert("RGB"))
    pen = ImageDraw.Draw(made)
    for top, height, text in ((120, 48, "Eileen Collins"), (210, 30, "Pilot of Discovery"), (260, 30, "STS-63, 1995")):
        pen.text((560, top), text, fill="#202830", font=ImageFont.load_default(height))
    made.save(folder / "poster.png")
    return folder / "poster.png"


def leave_letters(stack: Stack, console: Console) -> None:
    """Leave a letter in two queues, and look at them: changes of the day before were sent again already, in vain."""
    [stream] = stack.account.client("dynamodbstreams").list_streams(TableName=stack.stores.records_table)["Streams"]
    batch = {
        "streamArn": stream["StreamArn"],
        "shardId": "shardId-00000000000000000000-00000000",
        "startSequenceNumber": f"{1:021}",
        "endSequenceNumber": f"{64:021}",
        "batchSize": 64,
        "approximateArrivalOfFirstRecord": "2026-11-25T08:14:03Z",
    }
    upload = {"bucket": {"name": stack.uploads}, "object": {"key": "orders/2026/november.csv", "sequencer": "0A"}}
    letters = {"IntakeDeadLetters": {"detail": upload}, "TotalsDeadLetters": {"DDBStreamBatchInfo": batch}}
    for name, body in letters.items():
        stack.account.client("sqs").send_message(QueueUrl=stack.queues[name], MessageBody=json.dumps(body))
        console.post(f"/dead-letters/{name}/look")
    [letter] = re.findall(r'name="letter" value="([^"]+)"', console.get("/dead-letters").partition("TotalsDead")[2])[:1]
    console.post("/dead-letters/TotalsDeadLetters/again", f"letter={letter}")


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
