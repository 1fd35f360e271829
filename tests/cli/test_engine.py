"""The command line on the engine: the main job, its JSON, what people see, and bad input."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fanfold.engine import Engine

SAMPLES = Path(__file__).parents[2] / "samples"
RECIPES = """
version: 1
recipes:
  airports: {table: {chunk: 16KiB, columns: text, index: {partition: iata}}}
  weather:
    table:
      chunk: 4KiB
      columns: {precipitation: "decimal(6,1)", temp_max: "decimal(6,1)", temp_min: "decimal(6,1)", wind: "decimal(6,1)"}
      output: parquet
      index: {partition: weather, sort: date}
      totals: [{by: weather, sum: precipitation}]
  typed: {table: {columns: {a: integer}, index: {partition: a}}}
  nowhere: {table: {index: {partition: missing}}}
"""


@pytest.fixture(scope="module")
def recipes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipes") / "recipes.yaml"
    path.write_text(RECIPES)
    return path


def fanfold(engine: Engine, folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from fanfold.cli import main; main()", *map(str, words)]
    environment = os.environ | {"FANFOLD_HOME": str(engine.home)}
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, timeout=120)


def told(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def ran(engine: Engine, folder: Path, *words: str | Path) -> dict[str, Any]:
    done = fanfold(engine, folder, "run", *words, "--json")
    assert done.returncode == 0, done.stderr + done.stdout
    [one] = told(done)
    return one


def test_a_real_table_comes_back_exactly_as_csv_reader_reads_it(engine: Engine, tmp_path: Path, recipes: Path) -> None:
    source = SAMPLES / "airports.csv"
    found = ran(engine, tmp_path, source, "--recipe", "airports", "--recipes", recipes)
    assert list(found) == [
        *("job_id", "execution_arn", "status", "kind", "recipe", "source", "chunks", "outputs", "stats", "error")
    ]
    assert (found["status"], found["kind"], found["recipe"], found["error"]) == ("SUCCEEDED", "table", "airports", None)
    planned = -(-source.stat().st_size // (16 << 10))
    chunks = {"planned": planned, "processed": planned, "reused": 0, "repaired": 0, "failed": 0}
    assert found["chunks"] == chunks
    with source.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    wanted = [{name: cell.strip() or None for name, cell in zip(header, row, strict=True)} for row in rows]
    got = [json.loads(line) for line in (tmp_path / "out/rows.jsonl").read_text().splitlines()]
    assert got == wanted
    assert found["stats"]["rows"] == len(wanted)
    assert {output["name"] for output in found["outputs"]} == {"rows.jsonl", "rejects.jsonl", "result.json"}
    for output in found["outputs"]:
        assert (tmp_path / output["path"]).stat().st_size == output["bytes"]
    [row] = told(fanfold(engine, tmp_path, "query", "airports", "--key", "00M", "--json"))
    assert row == wanted[0]


def test_totals_and_records_are_those_of_the_file(engine: Engine, tmp_path: Path, recipes: Path) -> None:
    from collections import defaultdict
    from decimal import Decimal

    source = SAMPLES / "seattle-weather.csv"
    found = ran(engine, tmp_path, source, "--recipe", "weather", "--recipes", recipes)
    assert found["stats"]["rejected"] == 0
    sums: dict[str, Decimal] = defaultdict(Decimal)
    with source.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        sums[row["weather"]] += Decimal(row["precipitation"])
    snow = told(fanfold(engine, tmp_path, "query", "weather", "--key", "snow", "--json"))
    assert [row["date"] for row in snow] == sorted(row["date"] for row in rows if row["weather"] == "snow")

    def totals(count: int) -> dict[str, Decimal]:
        for _ in range(60):
            found = told(fanfold(engine, tmp_path, "totals", "weather", "--json"))
            if sum(one["count"] for one in found) == count:
                break
        return {one["value"]: Decimal(str(one["sum"])) for one in found}

    assert totals(len(rows)) == sums
    import pyarrow.parquet as pq

    assert pq.read_table(tmp_path / "out/rows.parquet").num_rows == len(rows)
    shorter = tmp_path / source.name
    header, *_, before, last = source.read_text().splitlines(keepends=True)
    shorter.write_text(header + before + last)
    ran(engine, tmp_path, shorter, "--recipe", "weather", "--recipes", recipes)
    sums = defaultdict(Decimal)
    for row in rows[-2:]:
        sums[row["weather"]] += Decimal(row["precipitation"])
    assert totals(2) == sums, "of a version with fewer rows, nothing else stands"


def test_several_files_get_a_folder_each(engine: Engine, tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(f"id,name\n1,{name}\n2,x\n")
    done = fanfold(engine, tmp_path, "run", "a.csv", "b.csv", "--json")
    assert [one["status"] for one in told(done)] == ["SUCCEEDED", "SUCCEEDED"]
    assert json.loads((tmp_path / "out/b.csv/rows.jsonl").read_text().splitlines()[0])["name"] == "b.csv"


def test_what_people_see(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "seen.csv").write_text("id,name\n1,x\n")
    done = fanfold(engine, tmp_path, "run", "seen.csv")
    assert done.returncode == 0
    assert "SUCCEEDED" in done.stdout
    assert "out/rows.jsonl" in done.stdout
    job = told(fanfold(engine, tmp_path, "ls", "--json"))[0]["job"]
    listed = fanfold(engine, tmp_path, "ls").stdout
    assert job in listed
    assert "seen.csv" in listed
    shown = fanfold(engine, tmp_path, "show", job[:8]).stdout
    for word in ("Split", "Process", "Merge", "Done", "0-00000", "rows.jsonl", "SUCCEEDED"):
        assert word in shown
    detail = told(fanfold(engine, tmp_path, "show", job, "--json"))[0]
    assert [state["name"] for state in detail["states"]][:3] == ["Split", "Any chunks?", "Process"]
    assert detail["chunks_detail"][0]["attempts"] == 1
    logged = told(fanfold(engine, tmp_path, "logs", job, "--json"))
    assert {"TableSplit", "TableRows", "TableMerge"} <= {entry["function"] for entry in logged}
    replayed = told(fanfold(engine, tmp_path, "replay", job, "--dry-run", "--json"))[0]
    assert (replayed["how"], replayed["unfinished"]) == ("nothing", [])


BAD = {
    "prose.csv": (b"\x00\x01\x02binary" * 9, "IGNORED", "UnknownFormat"),
    "photo.csv": (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "FAILED", "BrokenImage"),
    "empty.csv": (b"", "IGNORED", "EmptyObject"),
    "open.csv": (b'a,b\n1,"never closed\n2,3\n', "FAILED", "UnclosedQuote"),
    "latin.csv": ("a,b\n1,caf\u00e9\n".encode("latin-1"), "FAILED", "WrongEncoding"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_ends_in_one_line_with_a_remedy_and_nothing_half_written(
    engine: Engine, tmp_path: Path, name: str
) -> None:
    body, status, error = BAD[name]
    (tmp_path / name).write_bytes(body)
    done = fanfold(engine, tmp_path, "run", name, "--json")
    [one] = told(done)
    assert done.returncode == 1
    assert (one["status"], one["error"]["name"]) == (status, error)
    assert one["error"]["message"]
    assert "\n" not in one["error"]["message"]
    assert one["error"]["remedy"].endswith(".")
    assert one["outputs"] == []
    assert not list((tmp_path / "out").glob("*")) if (tmp_path / "out").exists() else True
    plain = fanfold(engine, tmp_path, "run", name)
    assert [line for line in plain.stderr.splitlines() if error in line]
    assert "Traceback" not in plain.stderr


@pytest.mark.parametrize(("recipe", "error"), [("nowhere", "UnknownColumn"), ("typed", "TooManyRejects")])
def test_a_recipe_that_does_not_fit_the_table_fails_by_name(
    engine: Engine, tmp_path: Path, recipes: Path, recipe: str, error: str
) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,x\nseven,y\n")
    done = fanfold(engine, tmp_path, "run", "t.csv", "--recipe", recipe, "--recipes", recipes, "--json")
    [one] = told(done)
    assert (done.returncode, one["status"], one["error"]["name"]) == (1, "FAILED", error)
    if error == "TooManyRejects":
        [reject] = [json.loads(line) for line in (tmp_path / "out/rejects.jsonl").read_text().splitlines()]
        assert (reject["offset"], reject["column"], reject["value"]) == (8, "a", "seven")


@pytest.mark.parametrize(
    "name",
    [
        "a b.csv",
        "a+b.csv",
        "a%2Fb.csv",
        "'\"quo\"te'.csv",
        "new\nline.csv",
        "\N{SNOWMAN}\N{GRINNING FACE}.csv",
        "\x1b[31m.csv",
    ],
)
def test_a_file_of_any_name_is_run(engine: Engine, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("id,name\n1,x\n")
    found = ran(engine, tmp_path, name)
    assert found["status"] == "SUCCEEDED"
    assert found["source"]["uri"].endswith(f"/{name}")
    assert json.loads((tmp_path / "out/rows.jsonl").read_text()) == {"id": 1, "name": "x"}
