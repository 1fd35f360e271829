"""The list and a run, in a browser: uploaded, watched, failed, found out, with ten thousand beside it."""

from __future__ import annotations

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer
from moto.dynamodb.models import dynamodb_backends

from fanfold.aws.jobs import Filters
from fanfold.aws.stack import Stack
from fanfold.console.reads import Paced
from fanfold.model import Line
from tests.console.conftest import Console, console_of
from tests.console.jobs import EXECUTION, MARKUP, fail, finish, lines, made_job

SAMPLES = Path(__file__).parents[2] / "samples"


def test_a_chosen_file_is_uploaded_watched_and_succeeds(console: Console, visit: Any) -> None:
    page = visit(console)
    page.set_input_files("#files", SAMPLES / "airports.csv")
    page.click("#sending a >> nth=0", timeout=30_000)
    page.wait_for_selector(".head .status.s-succeeded", timeout=60_000)
    assert page.inner_text("h1") == "airports.csv"
    assert "rows" in page.inner_text(".facts").lower()
    assert page.locator(".machine .state.s-succeeded").count() >= 5
    assert page.locator(".grid .cells").first.get_attribute("aria-label").endswith("Arrow keys move, Enter opens.")
    page.locator(".tabs").get_by_text("Chunks").click()
    page.wait_for_selector("table caption:has-text('Chunks')", state="attached")
    assert page.locator("[data-part=table] tbody .s-succeeded").count() >= 1
    page.locator("[data-part=table] tbody a").first.click()
    page.wait_for_selector("h1:has-text('Chunk')")
    assert re.search(r"\d+ of [\d,]+ MB", page.inner_text(".figures")), "memory from the function's report"
    assert "work done" in page.inner_text(".log")
    for tab, word in (("events", "ExecutionSucceeded"), ("attempts", "Attempt 1"), ("definition", "JSONata")):
        page.goto(page.url.split("/chunks")[0].rsplit("/events")[0].rsplit("/attempts")[0] + f"/{tab}")
        assert word in page.inner_text("main")


DRAG = """([name, text]) => {
  const dragged = new DataTransfer();
  if (name) dragged.items.add(new File([text], name));
  else dragged.setData("text/plain", text);
  const over = ["dragover", "drop"].map((type) => {
    const event = new DragEvent(type, { dataTransfer: dragged, bubbles: true, cancelable: true });
    document.querySelector("h1").dispatchEvent(event);
    return [event.defaultPrevented, document.getElementById("drop").classList.contains("over")];
  });
  return over;
}"""


def test_a_file_is_dragged_onto_the_page_and_text_is_not_taken(
    console: Console, engine_stack: Stack, visit: Any
) -> None:
    page = visit(console)
    assert page.evaluate(DRAG, ["", "some text"]) == [[False, False], [False, False]]
    assert page.locator("#sending li").count() == 0
    page.fill("[name=chunk]", "1KiB")
    taken = page.evaluate(DRAG, ["dragged é.csv", "a,b\n1,é\n"])
    assert taken == [[True, True], [True, False]], "the browser does not open it, and the place to drop lights up"
    page.click("#sending a", timeout=30_000)
    page.wait_for_selector(".head .status.s-succeeded", timeout=60_000)
    assert page.inner_text("h1") == "dragged é.csv"
    got = engine_stack.account.client("s3").get_object(Bucket=engine_stack.uploads, Key="dragged é.csv")
    assert got["Body"].read() == "a,b\n1,é\n".encode()
    assert got["Metadata"] == {"fanfold-chunk": "1KiB"}


def test_an_upload_of_several_parts_is_what_was_sent(console: Console, engine_stack: Stack) -> None:
    body = b"a,b\n" + b"1,x\n" * (5 << 19)
    answer, told = console.post("/uploads?name=large.csv&chunk=64MiB", body)
    assert answer.status == 200, told
    got = engine_stack.account.client("s3").get_object(Bucket=engine_stack.uploads, Key="large.csv")
    assert got["Body"].read() == body
    assert got["Metadata"] == {"fanfold-chunk": "64MiB"}


@pytest.mark.parametrize(
    ("query", "error"),
    [("name=", "UsageError"), ("name=a.csv&recipe=none", "UnknownRecipe"), ("name=a.csv&chunk=big", "UsageError")],
)
def test_an_upload_that_makes_no_sense_is_refused(console: Console, query: str, error: str) -> None:
    answer, body = console.post(f"/uploads?{query}", b"a\n1\n")
    assert answer.status == 400
    assert error.encode() in body


# ---- many runs, and a run of many chunks: in buckets and tables that moto plays in this process


def item(at: int) -> dict[str, Any]:
    status = ("SUCCEEDED", "SUCCEEDED", "SUCCEEDED", "FAILED", "IGNORED")[at % 5]
    started = f"2026-11-{1 + at // 2000:02}T{at // 100 % 24:02}:{at // 60 % 60:02}:{at % 60:02}.{at % 1000:03}Z"
    return {
        "pk": f"job#{at:016x}", "sk": "job", "job": f"{at:016x}", "listing": "jobs", "started": started,
        "stopped": started, "status": status, "recipe": f"recipe{at % 7}", "kind": "table", "order": "1",
        "source": {"bucket": "uploads", "key": f"recipe{at % 7}/{at:05}.csv", "bytes": at, "etag": "0", "version": "1"},
    }  # fmt: skip


def put_items(stack: Stack, count: int) -> None:
    """Fill the Jobs table from behind: ten thousand requests would take longer than the test."""
    write = TypeSerializer().serialize
    table = dynamodb_backends["123456789012"]["us-east-1"].tables["jobs"]
    for at in range(count):
        table.put_item({name: write(value) for name, value in item(at).items()})


def test_ten_thousand_runs_are_listed_page_by_page(stack: Stack, visit: Any) -> None:
    put_items(stack, 10_000)
    wanted = sorted((item(at) for at in range(10_000)), key=lambda one: (one["started"], one["job"]), reverse=True)
    with console_of(stack) as console:
        page = visit(console)
        shown = page.locator(".runs tbody th a").all_inner_texts()
        assert [one["started"] for one in wanted[:50]] == page.locator(".runs time").evaluate_all(
            "found => found.map(one => one.dateTime)"
        )
        assert len(shown) == 50
        page.click("text=Older →")
        second = page.locator(".runs tbody th a").all_inner_texts()
        assert not set(second) & set(shown)
        page.click("text=← Newer")
        assert page.locator(".runs tbody th a").all_inner_texts() == shown
        page.select_option("select[name=status]", "FAILED")
        page.fill("input[name=text]", "0333")
        page.click("button:has-text('Show')")
        keys = page.locator(".runs tbody th > a").all_inner_texts()
        assert sorted(keys) == sorted(
            one["source"]["key"] for one in wanted if one["status"] == "FAILED" and "0333" in one["source"]["key"]
        )
        assert keys


def test_every_run_is_on_exactly_one_page(stack: Stack) -> None:
    put_items(stack, 330)
    jobs, seen, after = stack.stores.jobs, [], None
    for filters, count in ((Filters(), 330), (Filters(status="FAILED"), 66), (Filters(recipe="recipe3"), 47)):
        seen, after, more = [], None, True
        while more:
            page, more = jobs.page(20, filters, after)
            seen += page
            after = (page[-1]["started"], page[-1]["job"])
        assert [one["job"] for one in seen] == [
            one["job"] for one in jobs.newest() if one["job"] in {found["job"] for found in seen}
        ]
        assert len({one["job"] for one in seen}) == count
        back, _ = jobs.page(20, filters, (seen[40]["started"], seen[40]["job"]), backwards=True)
        assert [one["job"] for one in back] == [one["job"] for one in seen[20:40]]


def test_a_run_of_five_thousand_chunks_is_drawn_in_a_second_and_stays_live(stack: Stack, visit: Any) -> None:
    setting = made_job(stack, "many.csv", 5_000)
    stack.stores.jobs.status(setting.job.id, "RUNNING", "1", execution=EXECUTION)
    planned = lines(5_000)
    for line in planned[:3]:
        finish(setting, line, EXECUTION)
    fail(setting, planned[7], "BrokenImage", "it breaks")
    with console_of(stack) as console:
        page = visit(console)
        took = []
        for _ in range(3):
            page.goto(f"{console.base}/runs/{setting.job.id}")
            page.wait_for_selector(".grid .cells[data-drawn='5000']")
            took.append(page.evaluate("performance.getEntriesByName('grid-drawn')[0].startTime"))
        assert min(took) < 1000, f"ms from the request to the drawn grid: {took}"
        assert page.get_attribute(".grid .cells", "aria-label").startswith(
            "5000 chunks: 3 succeeded, 4996 pending, 1 failed"
        )
        for line in planned[3:6]:
            finish(setting, line, EXECUTION)
        page.wait_for_selector(".grid .cells[aria-label*='6 succeeded']", timeout=20_000)
        page.focus(".grid .cells")
        for key in ("ArrowRight", "ArrowRight", "End", "Home", "ArrowDown"):
            page.keyboard.press(key)
        assert page.inner_text("#said").startswith("chunk 0-")
        page.keyboard.press("Home")
        page.keyboard.press("Enter")
        page.wait_for_url("**/chunks/0-00000")


def test_many_open_pages_ask_aws_once(stack: Stack) -> None:
    setting = made_job(stack, "watched.csv", 40)
    stack.stores.jobs.status(setting.job.id, "RUNNING", "1", execution=EXECUTION)
    with console_of(stack) as console:
        path = f"/runs/{setting.job.id}"
        console.get(path)
        before = console.runs.stack.paced.calls.copy()
        began = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(console.get, [path, path + "/chunks", path + "/events", "/"] * 10))
        took = time.monotonic() - began
        calls = console.runs.stack.paced.calls - before
    assert calls["DescribeMapRun"] == calls["ListMapRuns"] == calls["DescribeStateMachineForExecution"] == 0
    for operation, every_s in (("DescribeExecution", 2.0), ("GetExecutionHistory", 1.0), ("ListExecutions", 1.5)):
        assert calls[operation] <= 3 + 2 * took / every_s, (operation, calls, took)
    assert sum(calls.values()) < 40 + 25 * took, (calls, took)


def test_a_throttled_operation_waits_for_its_turn_and_a_page_does_not(stack: Stack) -> None:
    setting = made_job(stack, "slow.csv", 4)
    stack.stores.jobs.status(setting.job.id, "RUNNING", "1", execution=EXECUTION)
    with console_of(stack) as console:
        path = f"/runs/{setting.job.id}"
        console.get(path)
        for pace in console.runs.stack.paced.paces.values():
            pace.bucket, pace._tokens, pace.per_s = 1, 0, 0.2
        time.sleep(1.1)  # what is remembered has aged
        began = time.monotonic()
        assert "slow.csv" in console.get(path)
        assert time.monotonic() - began < 2, "the page shows what is known while one reads anew"
    pace = replace(Paced().paces["DescribeMapRun"], per_s=20.0, bucket=2)
    began = time.monotonic()
    for _ in range(6):
        pace.take()
    assert time.monotonic() - began >= 0.19


def test_markup_in_keys_and_errors_is_text(stack: Stack, visit: Any) -> None:
    setting = made_job(stack, MARKUP, 3)
    planned = lines(3)
    finish(setting, planned[0], EXECUTION)
    fail(setting, planned[1], "BrokenImage", MARKUP)
    error = {"name": "BrokenImage", "message": MARKUP, "remedy": MARKUP}
    stack.stores.jobs.status(
        setting.job.id, "FAILED", "1", execution=EXECUTION, error=error, stopped="2027-01-01T00:00:00Z"
    )
    stack.account.client("stepfunctions").input = json.dumps(setting.job.to_json())
    with console_of(stack) as console:
        page = visit(console)
        assert MARKUP in page.inner_text("main")
        for path in ("", "/chunks", "/events", "/attempts", "/definition", "/chunks/0-00001"):
            page.goto(f"{console.base}/runs/{setting.job.id}{path}")
            assert MARKUP in page.inner_text("main"), path
            assert page.locator("main img, main script").count() == 0, path


def test_a_repair_round_says_what_its_lines_were_given(stack: Stack) -> None:
    setting = made_job(stack, "repaired.csv", 3)
    planned = lines(3)
    setting.write_plan(1, [Line("1-00000", "rows", {**planned[1].span, "pin": 1030})])
    for line in (*planned, setting.read_plan(1)[0]):
        finish(setting, line, EXECUTION)
    stack.stores.jobs.status(setting.job.id, "RUNNING", "1", execution=EXECUTION)
    with console_of(stack) as console:
        page = console.get(f"/runs/{setting.job.id}/attempts")
        assert "repairs" in page
        assert "pin 1030" in page
        assert "1 repaired" in console.get(f"/runs/{setting.job.id}")
