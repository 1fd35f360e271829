"""Watch a run of thousands of chunks on an engine of its own, and tell how long its pages take to be drawn.

`python -m tests.console.many_chunks`: not among the tests, since the run takes minutes. The grid is timed from the
request of the page to its last cell, while the run goes on and once it has ended.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from fanfold import engine as engines
from fanfold import figures, sending
from fanfold.aws.account import Account
from fanfold.aws.stack import Stack
from tests.console.conftest import CHROMIUM, FLAGS, console_of

CHUNK_BYTES = 1024
LIVE = ("PENDING", "RUNNING")
EVERY_S, LOADS = 20, 5
TABS = {"chunks": "[data-part=table] tbody tr", "events": "main tbody tr", "outputs": ".data"}
"""What is waited for on each."""


def main() -> None:
    """Run a CSV of that many chunks, and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=5000)
    chunks: int = parser.parse_args().chunks
    with tempfile.TemporaryDirectory() as scratch, engines.session(Path(scratch) / "home") as engine:
        stack = Stack.find(Account(region=engine.region, endpoint=engine.endpoint), engine.stack)
        path = Path(scratch) / "many.csv"
        with path.open("wb") as file:
            file.write(b"id,text\n")
            while file.tell() <= (chunks - 1) * CHUNK_BYTES:
                file.write(b"%07d,%s\n" % (file.tell(), b"x" * 119))
        began = time.monotonic()
        job = str(sending.taken(stack, sending.send(stack, path, None, f"{CHUNK_BYTES}B"))["job"])
        with console_of(stack) as console, sync_playwright() as playwright:
            page = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split()).new_page()
            page.goto(console.guard.url())
            address = f"{console.base}/runs/{job}"
            while stack.stores.jobs.get(job)["status"] == "PENDING":
                time.sleep(0.5)
            while stack.stores.jobs.get(job)["status"] in LIVE:
                took = drawn(page, address, chunks)
                told = page.get_attribute(".grid .cells", "aria-label").partition(".")[0]
                say(f"{time.monotonic() - began:4.0f} s: drawn in {took:.0f} ms: {told}")
                page.wait_for_timeout(EVERY_S * 1000)
                now = page.get_attribute(".grid .cells", "aria-label").partition(".")[0]
                say(f"       {EVERY_S} s later, without another load: {now}")
            item = stack.stores.jobs.get(job)
            say(f"{item['status']} in {figures.elapsed(item):.0f} s: {item['chunks']}, {item['stats']['rows']} rows")
            say("once it has ended, ms: " + listed([drawn(page, address, chunks) for _ in range(LOADS)]))
            for tab, shape in TABS.items():
                say(f"the tab {tab}, ms: " + listed([shown(page, f"{address}/{tab}", shape) for _ in range(LOADS)]))


def drawn(page: Any, address: str, chunks: int) -> float:
    """Load the page of a run; return the milliseconds from the request to the drawn grid."""
    page.goto(address)
    page.wait_for_selector(f".grid .cells[data-drawn='{chunks}']", timeout=120_000)
    return float(page.evaluate("performance.getEntriesByName('grid-drawn')[0].startTime"))


def shown(page: Any, address: str, shape: str) -> float:
    """Load a page; return the milliseconds until something is there."""
    began = time.monotonic()
    page.goto(address)
    page.wait_for_selector(shape, timeout=120_000)
    return 1000 * (time.monotonic() - began)


def listed(took: Sequence[float]) -> str:
    return ", ".join(f"{one:.0f}" for one in took)


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
