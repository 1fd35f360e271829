"""Tables that people upload by mistake, through the command line and the engine: one line and a remedy, or all rows."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path

import pytest

from fanfold.engine import Engine
from tests.cli.test_engine import fanfold, ran, told


def test_10_000_columns_come_back(engine: Engine, tmp_path: Path) -> None:
    """Through payloads that hold 256 KiB at most."""
    names = [f"a rather long name for column {number}" for number in range(10_000)]
    body = [[str(row + number) for number in range(10_000)] for row in range(4)]
    lines = [",".join(cells) + "\n" for cells in [names, *body]]
    (tmp_path / "wide.csv").write_text("".join(lines))
    found = ran(engine, tmp_path, "wide.csv", "--chunk", "128KiB")
    rows = [json.loads(line) for line in (tmp_path / "out/rows.jsonl").read_text().splitlines()]
    assert rows == [dict(zip(names, map(int, row), strict=True)) for row in body]
    assert found["stats"]["rows"] == 4
    assert found["chunks"]["planned"] > 1


def test_a_header_alone_is_a_table_without_rows(engine: Engine, tmp_path: Path) -> None:
    """It has columns, and nothing failed."""
    (tmp_path / "header.csv").write_text("a,b\n")
    found = ran(engine, tmp_path, "header.csv")
    assert (found["status"], found["stats"]["rows"]) == ("SUCCEEDED", 0)
    assert [column["name"] for column in found["stats"]["columns"]] == ["a", "b"]
    assert (tmp_path / "out/rows.jsonl").read_bytes() == b""


def bomb() -> bytes:
    """Return half a GB of zeros in half a MB."""
    engine = zlib.compressobj(9, wbits=31)
    made = [engine.compress(b"a,b\n"), *(engine.compress(bytes(1 << 20).replace(b"\0", b"0")) for _ in range(512))]
    return b"".join([*made, engine.flush()])


BAD = {
    "huge.csv": (b"a,b\n1," + b"x" * 100_000_000, "RowTooLarge", "the row at byte 4 has more than 67,108,864 bytes"),
    "wider.csv": (b"c," * 500_000 + b"c\n1\n", "NotATable", "the first row does not end within 786,432 bytes"),
    "cut.csv.gz": (
        gzip.compress(b"a,b\n1,2\n" * 99)[:-9],
        "BrokenCompression",
        "the data ends in the middle of a member",
    ),
    "bomb.csv.gz": (bomb(), "DecompressionBomb", "the limit is 250 times as many"),
    "nested.csv.gz": (
        gzip.compress(gzip.compress(b"a,b\n1,2\n")),
        "NotATable",
        "inside its gzip it begins like gzip data",
    ),
    "cut.csv": ("a,b\n1,é\n".encode("utf-16")[:-1], "WrongEncoding", "utf-16-le"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_tables_fail_by_name_with_a_remedy(engine: Engine, tmp_path: Path, name: str) -> None:
    """On one line, with exit status 1 and no output."""
    body, error, says = BAD[name]
    (tmp_path / name).write_bytes(body)
    done = fanfold(engine, tmp_path, "run", name, "--json")
    [one] = told(done)
    assert (done.returncode, one["status"], one["error"]["name"]) == (1, "FAILED", error)
    assert says in one["error"]["message"]
    assert one["error"]["message"].isprintable()
    assert one["error"]["remedy"].endswith(".")
    assert one["outputs"] == []
