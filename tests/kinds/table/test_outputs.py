"""Same object and recipe: same output bytes, for every chunk size and order of workers."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.kinds import table
from fanfold.kinds.table import layout, packing, planning
from fanfold.kinds.table.recipe import TableRecipe
from tests import strategies
from tests.kinds.driver import Result, run

ROOT = Path(__file__).parents[3]
SAMPLES = {name: (ROOT / "samples" / name).read_bytes() for name in ("airports.csv", "seattle-weather.csv")}


def folded(data: bytes, seed: int | None = None, **fields: object) -> Result:
    return run(table, data, TableRecipe(**fields), seed=seed)


def as_csv(rows: list[list[str]]) -> bytes:
    file = io.StringIO(newline="")
    csv.writer(file).writerows(rows)
    return file.getvalue().encode()


tables = st.integers(1, 3).flatmap(
    lambda width: st.lists(st.lists(strategies.cells, min_size=width, max_size=width), max_size=12).map(
        lambda rows: as_csv([[f"c{at}" for at in range(width)], *rows])
    )
)


@pytest.mark.parametrize("output", ["jsonl", "csv", "parquet"])
@given(tables, st.integers(1, 80), st.integers(0, 3), st.integers(8, 60), st.integers(0, 3))
def test_bytes_do_not_depend_on_chunks(
    output: str, data: bytes, chunk: int, seed: int, head: int, samples: int
) -> None:
    """Nor on the order of the workers, nor on what the splitter saw of the types."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "CELL_BYTES", 64)
        patch.setattr(packing, "FAN_IN", 3)
        whole = folded(data, output=output, chunk=64 * 10**6)
        patch.setattr(planning, "HEAD_BYTES", head)
        patch.setattr(planning, "SAMPLES", samples)
        patch.setattr(planning, "SAMPLE_BYTES", 20)
        split = folded(data, seed, output=output, chunk=chunk)
    assert split.outputs == whole.outputs
    assert split.stats == whole.stats


@pytest.mark.parametrize("output", ["jsonl", "csv", "parquet"])
@given(strategies.json_lines(), st.integers(1, 80), st.integers(20, 60))
def test_bytes_of_json_lines_do_not_depend_on_chunks(output: str, text: str, chunk: int, head: int) -> None:
    """Nor do the columns, which no header tells."""
    data = text.encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "CELL_BYTES", 64)
        whole = folded(data, output=output, format="jsonl", rejects="100%")
        patch.setattr(planning, "HEAD_BYTES", head)
        patch.setattr(planning, "SAMPLES", 0)
        split = folded(data, 1, output=output, format="jsonl", rejects="100%", chunk=chunk)
    assert split.outputs == whole.outputs
    assert split.stats == whole.stats


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("output", ["jsonl", "csv", "parquet"])
def test_samples_fold_to_the_same_bytes(name: str, output: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row groups of the grid included, which small chunks pack and large ones write at once."""
    monkeypatch.setattr(layout, "CELL_BYTES", 20_000)
    results = [folded(SAMPLES[name], 1, output=output, chunk=chunk).outputs for chunk in (10**8, 40_000, 20_000, 3_000)]
    assert all(result == results[0] for result in results)


def test_rows_of_a_sample_are_those_of_a_dict_reader() -> None:
    """Values are typed, and nothing else changes."""
    rows = [json.loads(line) for line in folded(SAMPLES["airports.csv"], chunk=5000).outputs["rows.jsonl"].splitlines()]
    expected = list(csv.DictReader(io.StringIO(SAMPLES["airports.csv"].decode(), newline="")))
    assert len(rows) == len(expected) == 3376
    for row, texts in zip(rows, expected, strict=True):
        assert row == {
            name: float(text) if name in ("latitude", "longitude") else text.strip() or None
            for name, text in texts.items()
        }


def test_csv_output_reads_back() -> None:
    """Delimiters, quotes and line ends inside cells are quoted; a lone null is no blank line."""
    data = as_csv([["a", "b,c"], ['x"y', "1\n2"], ["\r", ","], ["", ""]])
    output = folded(data, output="csv", clean={"trim": False}).outputs["rows.csv"].decode()
    assert list(csv.reader(io.StringIO(output, newline=""))) == [["a", "b,c"], ['x"y', "1\n2"], ["\r", ","], ["", ""]]
    assert folded(b'a\nx\n" "\n', output="csv").outputs["rows.csv"] == b'a\nx\n""\n'


@pytest.mark.parametrize("chunk", [10**8, 7_000])
def test_two_readers_agree_on_parquet(chunk: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The joined footer describes every row group to pyarrow and to DuckDB, filters included."""
    monkeypatch.setattr(layout, "CELL_BYTES", 16_384)
    result = folded(SAMPLES["seattle-weather.csv"], output="parquet", chunk=chunk)
    path = tmp_path / "rows.parquet"
    path.write_bytes(result.outputs["rows.parquet"])
    read = pq.read_table(path)
    lines = folded(SAMPLES["seattle-weather.csv"]).outputs["rows.jsonl"].splitlines()
    expected = [json.loads(line) for line in lines]
    assert [row | {"date": str(row["date"])} for row in read.to_pylist()] == expected
    assert pq.ParquetFile(path).num_row_groups == 3
    wet = [row for row in expected if row["precipitation"] > 20]
    query = f"select count(*), sum(wind), min(date) from '{path}' where precipitation > 20"
    count, wind, first = duckdb.sql(query).fetchall()[0]
    assert (count, str(first)) == (len(wet), wet[0]["date"])
    assert wind == pytest.approx(sum(row["wind"] for row in wet))


@pytest.mark.parametrize("chunk", [10**8, 7_000])
def test_a_folder_of_parquet_is_the_one_file_in_pieces(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file for each row group, in the order of their names; an empty table is one file that has the columns."""
    monkeypatch.setattr(layout, "CELL_BYTES", 16_384)
    one = folded(SAMPLES["seattle-weather.csv"], output="parquet", chunk=chunk).outputs["rows.parquet"]
    many = folded(SAMPLES["seattle-weather.csv"], output="parquet", chunk=chunk, parquet={"files": "many"}).outputs
    names = [name for name in many if name != "rejects.jsonl"]
    assert names == [f"rows/part-0000{number}.parquet" for number in range(3)]
    tables = [pq.read_table(io.BytesIO(many[name])) for name in names]
    assert pa.concat_tables(tables).equals(pq.read_table(io.BytesIO(one)))
    empty = folded(b"a,b\n", output="parquet", parquet={"files": "many"}).outputs
    assert pq.read_table(io.BytesIO(empty["rows/part-00000.parquet"])).schema.names == ["a", "b"]


@pytest.mark.parametrize("output", ["jsonl", "csv", "parquet"])
def test_a_header_alone_makes_an_empty_table(output: str) -> None:
    """It has columns and no rows."""
    result = folded(b"a,b\n", output=output)
    assert result.stats["rows"] == 0
    if output == "parquet":
        assert pq.read_table(io.BytesIO(result.outputs["rows.parquet"])).schema.names == ["a", "b"]
    else:
        assert result.outputs["rows." + output] == (b"a,b\n" if output == "csv" else b"")
