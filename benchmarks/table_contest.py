"""Who works on tables: see `contest`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import contest
from contest import CORES, Figures, clock

from fanfold.kinds.table.parquet import COMPRESSION_LEVEL

LEVEL = COMPRESSION_LEVEL
"""Of zstd, for everybody: fanfold's own."""


def fanfold_csv(path: Path, out: Path, chunk: str) -> Figures:
    """CSV to one Parquet file: split, two workers, merge, pieces put together."""
    from local_job import Workers, run, warm

    from fanfold.kinds.table.recipe import TableRecipe

    figures: Figures = {}
    warm("table")
    with Workers("table", CORES) as workers:
        with clock(figures):
            ran = run(workers, path, TableRecipe(output="parquet", chunk=chunk), out)
        figures["cpu_s"] = ran.cpu_s
    figures |= {"steps_s": ran.seconds, "chunks": ran.chunks, "repaired": ran.repaired, "rounds": ran.rounds}
    return figures | {"made": [str(out / "rows.parquet")]}


def duckdb_csv(path: Path, out: Path) -> Figures:
    """The same by DuckDB: types sniffed, text trimmed, rows in order."""
    import duckdb

    figures: Figures = {}
    made = out / "duckdb.parquet"
    database = duckdb.connect()
    database.execute(f"SET threads = {CORES}")
    with clock(figures):
        kinds = database.execute(f"DESCRIBE FROM read_csv('{path}')").fetchall()
        cells = ", ".join(
            f'trim("{name}") AS "{name}"' if kind == "VARCHAR" else f'"{name}"' for name, kind, *_ in kinds
        )
        database.execute(
            f"COPY (SELECT {cells} FROM read_csv('{path}')) TO '{made}' "
            f"(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL {LEVEL})"
        )
    return figures | {"made": [str(made)]}


def polars_csv(path: Path, out: Path) -> Figures:
    """The same by Polars' streaming engine."""
    os.environ["POLARS_MAX_THREADS"] = str(CORES)
    import polars

    figures: Figures = {}
    made = out / "polars.parquet"
    with clock(figures):
        rows = polars.scan_csv(path, try_parse_dates=True).with_columns(polars.col(polars.String).str.strip_chars())
        rows.sink_parquet(made, compression="zstd", compression_level=LEVEL)
    return figures | {"made": [str(made)]}


def lithops_csv(path: Path, out: Path, chunk: str, parser: str) -> Figures:
    """The same by a map of Lithops over chunks of the file; a Parquet file for each chunk.

    parser: what the mapped function reads its chunk with, `csv` (the standard library) or `pyarrow`. Lithops cuts at
    any line end, also at one inside quotes: rows that do not fit are left out, and nobody says so.
    """
    import lithops

    from fanfold.fields import size_bytes

    config = {
        "lithops": {"backend": "localhost", "storage": "localhost", "data_limit": False, "log_level": "ERROR"},
        "localhost": {"runtime": sys.executable, "worker_processes": CORES},
    }
    names = path.open(encoding="utf-8").readline().strip().split(",")
    read = {"csv": _read_by_csv, "pyarrow": _read_by_pyarrow}[parser]

    def convert(obj: Any) -> tuple[str, float]:
        import time

        import pyarrow.parquet

        cpu = time.process_time()
        table = read(obj.data_stream.read(), names, obj.part == 1)
        made = f"{out}/lithops-{obj.part:05}.parquet"
        pyarrow.parquet.write_table(table, made, compression="zstd", compression_level=LEVEL)
        return made, time.process_time() - cpu

    figures: Figures = {}
    with lithops.FunctionExecutor(config=config) as executor:
        executor.map(_identity, range(CORES))
        executor.get_result()
        with clock(figures):
            executor.map(convert, str(path), obj_chunk_size=size_bytes(chunk), obj_newline="\n")
            found = executor.get_result()
    figures["cpu_s"] += sum(cpu for _, cpu in found)
    return figures | {"made": sorted(made for made, _ in found)}


def _identity(number: int) -> int:
    return number


def _read_by_pyarrow(data: bytes, names: list[str], has_header: bool) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv

    table = pyarrow.csv.read_csv(
        pa.BufferReader(data),
        pyarrow.csv.ReadOptions(column_names=names, skip_rows=int(has_header)),
        pyarrow.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=lambda row: "skip"),
        pyarrow.csv.ConvertOptions(strings_can_be_null=True),
    )
    for at, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            table = table.set_column(at, field, pc.utf8_trim_whitespace(table[at]))
    return table


def _read_by_csv(data: bytes, names: list[str], has_header: bool) -> Any:
    """Read with the types that this table has: nothing has to be inferred."""
    import csv
    import io
    from datetime import date, datetime

    import pyarrow as pa

    parsers: dict[str, Any] = dict.fromkeys(names, str.strip) | {
        **{"order_id": int, "qty": int, "price": float, "discount": float},
        **{"created_at": datetime.fromisoformat, "day": date.fromisoformat, "active": "true".__eq__},
    }
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for row in list(csv.reader(io.StringIO(data.decode(), newline="")))[has_header:]:
        try:
            cells = [parsers[name](cell) if cell else None for name, cell in zip(names, row, strict=True)]
        except ValueError:
            continue  # the other half of a row that Lithops has cut
        for column, cell in zip(columns.values(), cells, strict=True):
            column.append(cell)
    return pa.table(columns)


def fanfold_json(path: Path, out: Path, format: str, chunk: str) -> Figures:
    """JSON to JSON Lines by what a worker does, chunk after chunk."""
    from local_job import FileSource, warm, work

    from fanfold.kinds import table
    from fanfold.kinds.table.recipe import TableRecipe

    figures: Figures = {}
    warm("table")
    recipe = TableRecipe(format=format, chunk=chunk)
    plan = table.plan(FileSource(path), recipe)
    with clock(figures):
        done = [work("table", path, recipe, plan.layout, line, out) for line in plan.lines]
    return figures | {"rows": sum(one.part.facts["rows"] for one in done), "chunks": len(done)}


def orjson_json(path: Path, out: Path, format: str) -> Figures:
    """The same by a plain program: orjson reads, strings are trimmed, empty ones become null, orjson writes."""
    import orjson

    figures: Figures = {}
    with clock(figures):
        data = path.read_bytes()
        found = orjson.loads(data) if format == "json" else map(orjson.loads, data.splitlines())
        count = 0
        with (out / "plain.jsonl").open("wb") as file:
            for row in found:
                cleaned = {name: (cell.strip() or None) if type(cell) is str else cell for name, cell in row.items()}
                file.write(orjson.dumps(cleaned, option=orjson.OPT_APPEND_NEWLINE))
                count += 1
    return figures | {"rows": count}


def memory(path: Path, out: Path, chunk: str, output: str) -> Figures:
    """The most memory that a worker, a split and a merge of CSV hold, each in a process of its own."""
    from local_job import Workers, run

    from fanfold.kinds.table.recipe import TableRecipe

    with Workers("table", CORES) as workers:
        ran = run(workers, path, TableRecipe(output=output, chunk=chunk), out, peaks=True)
        idle = max(workers.idle_bytes)
    peaks = {"worker": ran.worker_peak_bytes, "split": ran.split_peak_bytes, "merge": ran.merge_peak_bytes}
    return {"peaks_bytes": peaks | {"idle": idle}, "chunks": ran.chunks}


if __name__ == "__main__":
    contest.main((fanfold_csv, duckdb_csv, polars_csv, lithops_csv, fanfold_json, orjson_json, memory))
