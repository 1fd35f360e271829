"""Outputs are looked at as what they are, and whatever they hold is text, or bytes that nothing runs."""

from __future__ import annotations

import csv
import io
import json
import time
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fanfold import intake, replay, sending
from fanfold.aws.stack import Stack
from fanfold.console import previews
from fanfold.console.outputs import SANDBOX, TYPES
from tests.console.conftest import Console, console_of
from tests.console.jobs import EXECUTION, MARKUP, made_job
from tests.engine.place import until
from tests.kinds.video.clips import run as run_ffmpeg

SAMPLES = Path(__file__).parents[2] / "samples"
CELLS = "rows => rows.map(row => [...row.cells].map(cell => cell.innerText))"
RECIPES = """
version: 1
recipes:
  heads: {table: {chunk: 16KiB, output: parquet, columns: text}}
  strict: {table: {columns: {id: integer, amount: integer}, rejects: 50%, output: csv}}
  rain:
    table:
      columns: {precipitation: "decimal(6,1)", temp_max: "decimal(6,1)", temp_min: "decimal(6,1)", wind: "decimal(6,1)"}
      index: {partition: weather, sort: date}
      totals: [{by: weather, sum: precipitation}]
  deep: {image: {renditions: [{name: thumb, width: 200}], tiles: {size: 254}}}
  films:
    video:
      segment: 2s
      posters: {every: 1s, width: 160}
      subtitles: vtt
      renditions:
        - {name: web, format: hls, height: 120}
        - {name: small, format: hls, height: 60, crf: 35}
        - {name: net, format: webm, height: 120}
"""


SUBTITLES = b"1\n00:00:01,000 --> 00:00:02,000\none\n\n2\n00:00:07,500 --> 00:00:09,000\ntwo\n"


@pytest.fixture(scope="module", autouse=True)
def _recipes(engine_stack: Stack) -> None:
    engine_stack.stores.work.put(intake.RECIPES_KEY, RECIPES.encode(), "application/yaml")


def ran(stack: Stack, path: Path, recipe: str) -> str:
    job = sending.taken(stack, sending.send(stack, path, recipe, None))["job"]
    item = replay.wait(stack, job)
    assert item["status"] == "SUCCEEDED", item
    return str(job)


def test_the_head_of_a_table_is_what_csv_reader_reads(console: Console, engine_stack: Stack, visit: Any) -> None:
    job = ran(engine_stack, SAMPLES / "airports.csv", "heads")
    with (SAMPLES / "airports.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    page = visit(console, f"/runs/{job}/outputs")
    table = page.locator(".data").first
    assert table.locator("thead th").all_inner_texts() == header
    shown = table.locator("tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.innerText))"
    )
    assert shown == [[cell.strip() or "null" for cell in row] for row in rows[: len(shown)]]
    assert len(shown) == previews.ROWS_SHOWN


def test_rejects_are_shown_in_their_bytes(console: Console, engine_stack: Stack, visit: Any, tmp_path: Path) -> None:
    path = tmp_path / "rejected.csv"
    path.write_bytes("id,amount\n1,2\n3,<b>vier</b>é\n5,6\n".encode())
    job = ran(engine_stack, path, "strict")
    page = visit(console, f"/runs/{job}/outputs/rejects.jsonl")
    assert "<b>vier</b>é" in page.inner_text(".rejects code:nth-of-type(2)")
    marked = page.locator(".dump .hex mark").all_inner_texts()
    assert bytes.fromhex(" ".join(marked)) == "3,<b>vier</b>é".encode()
    assert page.locator(".dump .at").first.inner_text() == "00000000"


def test_a_picture_is_looked_into_and_its_words_are_text(
    console: Console, engine_stack: Stack, visit: Any, tmp_path: Path
) -> None:
    path = tmp_path / "deep.jpg"
    picture = Image.open(SAMPLES / "hubble_deep_field.jpg")
    exif = Image.Exif()
    exif[0x010E] = MARKUP  # ImageDescription
    picture.save(path, exif=exif)
    job = ran(engine_stack, path, "deep")
    page = visit(console, f"/runs/{job}/outputs")
    page.wait_for_selector("[data-zoom][data-tiles=drawn]")
    assert page.evaluate("document.querySelector('.picture').naturalWidth") == 200
    assert json.loads(page.inner_text(".text"))["exif"]["ImageDescription"] == MARKUP
    page.focus("[data-zoom] .openseadragon-canvas")
    page.keyboard.press("+")
    page.click("text=Whole picture")


def test_a_film_is_played_and_its_posters_lead_into_it(
    console: Console, engine_stack: Stack, visit: Any, tmp_path: Path
) -> None:
    path = tmp_path / "testcard.mp4"
    words = "-i pipe: -map 0 -map 1 -c copy -c:s mov_text -metadata:s:s:0 language=eng"
    run_ffmpeg("-i", str(SAMPLES / "testcard.mp4"), *words.split(), str(path), fed=SUBTITLES)
    job = ran(engine_stack, path, "films")
    # The ladder of both renditions, with the text that players may show.
    page = visit(console, f"/runs/{job}/outputs/index.m3u8")
    film = page.locator("video")
    until(lambda: film.evaluate("film => film.readyState >= 2 && film.textTracks.length == 1"))
    film.evaluate("film => { film.textTracks[0].mode = 'showing'; }")
    until(lambda: film.evaluate("film => film.textTracks[0].cues?.length == 2"))
    cues = "film => [...film.textTracks[0].cues].map(cue => [cue.startTime, cue.endTime, cue.text])"
    assert film.evaluate(cues) == [[1, 2, "one"], [7.5, 9, "two"]]
    page = visit(console, f"/runs/{job}/outputs/web/index.m3u8")
    film = page.locator("video")
    until(lambda: film.evaluate("film => film.readyState >= 2"))
    assert film.evaluate("film => film.videoHeight") == 120
    posters = page.locator(".posters button")
    last = posters.count() - 1
    assert last > 0
    until(lambda: posters.first.evaluate("poster => poster.style.backgroundImage.includes('posters.jpg')"))
    posters.nth(last).click()
    until(lambda: film.evaluate("film => film.currentTime") >= last)
    # WebM, which is woven in a round of its own: sought, and played to its end.
    page = visit(console, f"/runs/{job}/outputs/net.webm")
    film = page.locator("video")
    until(lambda: film.evaluate("film => film.readyState >= 2"))
    assert film.evaluate("film => film.videoHeight") == 120
    assert film.evaluate("film => film.duration") == pytest.approx(12, abs=0.05)
    film.evaluate("film => { film.muted = true; film.currentTime = film.duration - 0.5; return film.play(); }")
    until(lambda: film.evaluate("film => film.ended"))
    assert film.evaluate("film => film.error") is None


def test_records_are_searched_and_totals_drawn(console: Console, engine_stack: Stack, visit: Any) -> None:
    ran(engine_stack, SAMPLES / "seattle-weather.csv", "rain")
    with (SAMPLES / "seattle-weather.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        sums[row["weather"]] += Decimal(row["precipitation"])
    while sum(one["count"] for one in engine_stack.stores.totals.read("rain")) < len(rows):
        time.sleep(0.1)
    page = visit(console, "/records?recipe=rain")
    shown = page.locator(".chart tbody tr").evaluate_all(
        "rows => rows.map(row => [row.cells[0].innerText, row.cells[1].innerText])"
    )
    assert {value: Decimal(total) for value, total in shown} == sums
    assert [value for value, _ in shown] == sorted(sums, key=lambda value: -sums[value])
    page.fill("[name=key]", "snow")
    page.keyboard.press("Enter")
    page.wait_for_selector(".data")
    dates = page.locator(".data tbody tr td:first-child").all_inner_texts()
    assert dates == sorted(row["date"] for row in rows if row["weather"] == "snow")


# ---- hostile outputs, put where a run would have left them

CUES = f"WEBVTT\n\n00:00.000 --> 00:02.500\n{MARKUP}\n\n01:00:02.500 --> 01:00:04.000\nsheet.jpg#xywh=10,20,30,40\n"
EVIL = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><script>alert(1)</script></svg>"


def finished(stack: Stack, key: str, outputs: dict[str, bytes]) -> str:
    """Record a job that ended well with these outputs."""
    setting = made_job(stack, key, 1)
    prefix = f"made/{setting.job.id}/"
    told = []
    for name, body in outputs.items():
        stack.stores.outputs.put(prefix + name, body)
        told.append({"name": name, "uri": f"s3://outputs/{prefix}{name}", "bytes": len(body)})
    result = {"outputs": told, "missing": []}
    stack.stores.outputs.put(prefix + "result.json", json.dumps(result).encode())
    facts = {"execution": EXECUTION, "result": f"s3://outputs/{prefix}result.json", "stopped": "2027-01-01T00:00:00Z"}
    stack.stores.jobs.status(setting.job.id, "SUCCEEDED", "1", **facts)
    stack.account.client("stepfunctions").input = json.dumps(setting.job.to_json())
    return setting.job.id


def test_markup_in_outputs_is_text_and_none_of_them_runs(stack: Stack, visit: Any) -> None:
    line = {"offset": 0, "reason": MARKUP, "column": MARKUP, "value": MARKUP, "raw": MARKUP}
    outputs = {
        "rows.jsonl": json.dumps({MARKUP: MARKUP, "nested": {MARKUP: [MARKUP]}}).encode() + b"\n",
        "rejects.jsonl": json.dumps(line).encode() + b"\n",
        "metadata.json": json.dumps({"exif": {MARKUP: MARKUP}}).encode(),
        "transcript.vtt": CUES.encode(),
        "web.mp4": b"no film",
        "evil.svg": EVIL,
        "evil.html": EVIL,
        "evil.png": EVIL,
    }
    job = finished(stack, MARKUP, outputs)
    stack.account.client("s3").put_object(Bucket="uploads", Key=MARKUP, Body=MARKUP.encode())
    with console_of(stack) as console:
        page = visit(console)
        for path in ("", *(f"/{name}" for name in outputs if name not in ("web.mp4", "evil.png"))):
            page.goto(f"{console.base}/runs/{job}/outputs{path}")
            assert MARKUP in page.inner_text("main") or path.startswith("/evil"), path
            assert page.locator("main script, main svg:not([aria-hidden]), main img:not(.picture)").count() == 0, path
        for name in outputs:
            answer, body = console.ask("GET", f"/runs/{job}/raw/{name}", cookie=console.cookie)
            assert body == outputs[name]
            assert answer.headers["content-security-policy"] == SANDBOX
            assert answer.headers["content-disposition"].startswith("attachment;")
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "svg" not in answer.headers["content-type"]
            assert "html" not in answer.headers["content-type"]
        for path in ("../result.json", "..%2F..%2Fx", "result.json/../../x", "%00", "made", "evil.svg%00.png"):
            assert console.ask("GET", f"/runs/{job}/raw/{path}", cookie=console.cookie)[0].status in (400, 404)


def test_no_type_that_an_output_gets_can_hold_a_script() -> None:
    assert not [
        kind for kind in TYPES.values() if kind.split("/")[1].split("+")[-1] in ("html", "xml", "javascript", "svg")
    ]


@pytest.mark.parametrize(
    ("asked", "status", "wanted"),
    [
        (None, 200, slice(None)),
        ("bytes=0-", 200, slice(None)),
        ("bytes=2-4", 206, slice(2, 5)),
        ("bytes=5-999", 206, slice(5, None)),
        ("bytes=-3", 206, slice(-3, None)),
        ("bytes=0-1,3-4", 200, slice(None)),
        ("lines=1", 200, slice(None)),
    ],
)
def test_a_range_of_an_output_is_what_was_asked_for(
    stack: Stack, asked: str | None, status: int, wanted: slice
) -> None:
    body = bytes(range(10))
    job = finished(stack, "ranged.csv", {"web.mp4": body})
    with console_of(stack) as console:
        headers = {"range": asked} if asked else {}
        answer, got = console.ask("GET", f"/runs/{job}/raw/web.mp4", cookie=console.cookie, **headers)
    assert (answer.status, got) == (status, body[wanted])
    assert int(answer.headers["content-length"]) == len(got)


def test_cues_are_read_with_their_times_and_pictures() -> None:
    first, second = previews.cues(CUES)
    assert (first.start, first.stop) == (0, 2.5)
    assert "<" not in first.text
    assert (second.start, second.picture, second.x, second.height) == (3602.5, "sheet.jpg", 10, 40)


class Bytes:
    """A source in memory."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def read(self, start: int, stop: int) -> bytes:
        return self.data[start:stop]


@given(
    st.binary(max_size=300), st.text(st.characters(codec="ascii"), min_size=1, max_size=200), st.binary(max_size=300)
)
def test_the_dump_of_a_row_marks_exactly_its_bytes(before: bytes, row: str, behind: bytes) -> None:
    source: Any = Bytes(before + row.encode() + behind)
    dumped = previews.context(source, {"offset": len(before), "raw": row})
    marked = b"".join(bytes.fromhex(line.hex[1]) for line in dumped)
    assert marked == row.encode()[: previews.ROW_BYTES]
    whole = b"".join(bytes.fromhex(" ".join(line.hex)) for line in dumped)
    begin = dumped[0].offset
    assert whole == source.data[begin : begin + len(whole)]
    assert all(len("".join(line.text)) == len(bytes.fromhex(" ".join(line.hex))) for line in dumped)


def test_a_table_is_read_by_ranges_whatever_its_format(stack: Stack) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"a": at, "b": f"text {at}"} for at in range(20_000)]
    made = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), made)
    bodies = {
        "rows.parquet": made.getvalue(),
        "rows.jsonl": b"".join(json.dumps(row).encode() + b"\n" for row in rows),
        "rows.csv": b"a,b\r\n" + b"".join(f'{row["a"]},"{row["b"]}"\r\n'.encode() for row in rows),
    }
    for name, body in bodies.items():
        stack.stores.outputs.put(name, body)
        found = previews.table(stack.stores.outputs, name, len(body))
        assert list(found.columns) == ["a", "b"]
        assert [[str(cell) for cell in row] for row in found.rows] == [[str(row["a"]), row["b"]] for row in rows[:50]]
