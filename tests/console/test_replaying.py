"""What failed is found in two clicks and replayed, and only that runs again; many at once; stopped."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fanfold import replay, sending
from fanfold.aws.stack import Stack
from tests.console.conftest import Console


@contextmanager
def denied(stack: Stack, pattern: str) -> Iterator[None]:
    """Deny everybody to write below a part of the work bucket, as an operator's slip would."""
    s3, bucket = stack.account.client("s3"), stack.stores.work.name
    before = s3.get_bucket_policy(Bucket=bucket)["Policy"]
    policy = json.loads(before)
    slip = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{bucket}/{pattern}",
    }
    policy["Statement"].append(slip)
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    try:
        yield
    finally:
        s3.put_bucket_policy(Bucket=bucket, Policy=before)


def failing(stack: Stack, folder: Path, name: str, rows: int = 600) -> str:
    """Run a table of which one chunk fails; return the job's id."""
    path = folder / name
    path.write_text("id,name\n" + "".join(f"{at},name {at}\n" for at in range(rows)))
    with denied(stack, "jobs/*/parts/0-00001*"):
        job = sending.taken(stack, sending.send(stack, path, None, "2KiB"))["job"]
        assert replay.wait(stack, job)["status"] == "FAILED"
    return str(job)


def parts(stack: Stack, job: str) -> dict[str, Any]:
    return {one.key: one.modified for one in stack.stores.work.listed(f"jobs/{job}/parts/")}


def test_an_error_is_two_clicks_away_and_a_replay_runs_only_what_failed(
    console: Console, engine_stack: Stack, visit: Any, tmp_path: Path
) -> None:
    job = failing(engine_stack, tmp_path, "twoclicks.csv")
    before = parts(engine_stack, job)
    page = visit(console)
    page.click("text=twoclicks.csv")
    assert "AccessDenied" in page.inner_text(".error >> nth=0")
    page.click("[data-part=groups] a >> nth=0")
    assert page.inner_text("h1") == "Chunk 0-00001"
    assert "AccessDenied" in page.inner_text(".log")
    assert "policy" in page.inner_text(".error")
    page.click("text=Replay…")
    assert "A redrive" in page.inner_text("main")
    assert "0-00001" in page.locator(".lines a").all_inner_texts()
    page.click("button:has-text('Redrive')")
    page.wait_for_selector(".head .status.s-succeeded", timeout=60_000)
    after = parts(engine_stack, job)
    assert {key: after[key] for key in before} == before, "what stood was left alone"
    page.click(".tabs >> text=Attempts")
    assert page.locator(".attempts > li").count() == 2
    text = page.inner_text("main")
    assert "goes on where it had failed: Process" in text
    assert "AccessDenied" in text


def test_all_failed_runs_of_a_filter_are_replayed_after_a_preview(
    console: Console, engine_stack: Stack, visit: Any, tmp_path: Path
) -> None:
    jobs = [failing(engine_stack, tmp_path, f"batch{at}.csv", 300 + at) for at in range(2)]
    page = visit(console, "/?text=batch")
    page.click("text=Replay the failed…")
    assert page.inner_text("h1") == "Replay 2 failed runs"
    assert page.locator("tbody tr:has-text('redrive')").count() == 2
    page.click("button:has-text('Replay them')")
    page.wait_for_selector("tbody tr:nth-child(2) .s-succeeded", timeout=60_000)
    page.wait_for_selector("tbody tr:nth-child(1) .s-succeeded", timeout=60_000)
    assert {engine_stack.stores.jobs.get(job)["status"] for job in jobs} == {"SUCCEEDED"}
    answer, body = console.post("/replays?text=batch")
    assert (answer.status, b"no failed run" in body) == (400, True)


def test_a_run_is_stopped_and_goes_on(console: Console, engine_stack: Stack, visit: Any, tmp_path: Path) -> None:
    path = tmp_path / "stopped.csv"
    path.write_text("id,name\n" + "".join(f"{at},name {at}\n" for at in range(20_000)))
    job = sending.taken(engine_stack, sending.send(engine_stack, path, None, "1KiB"))["job"]
    while engine_stack.stores.jobs.get(job)["status"] == "PENDING":
        time.sleep(0.05)
    page = visit(console, f"/runs/{job}/stop")
    page.click("button:has-text('Stop it')")
    page.wait_for_selector(".head .status.s-failed", timeout=30_000)
    assert "States.Aborted" in page.inner_text("main") or "Stopped" in page.inner_text("main")
    answer, body = console.post(f"/runs/{job}/stop")
    assert answer.status == 400, body
    assert "A redrive" in console.get(f"/runs/{job}/replay")


@pytest.mark.parametrize("path", ["/dead-letters/IntakeQueue/look", "/dead-letters/x/again", "/runs/none/replay"])
def test_what_is_not_there_cannot_be_acted_on(console: Console, path: str) -> None:
    assert console.post(path)[0].status == 400
