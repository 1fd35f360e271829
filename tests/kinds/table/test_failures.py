"""Chunks that fail within `tolerate`: what is left is still proven, and what is missing is named."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.errors import RowTooLarge, UnclosedQuote
from fanfold.kinds import table
from fanfold.kinds.table import bounds, certifying
from fanfold.kinds.table.recipe import TableRecipe
from fanfold.model import Line
from tests import strategies
from tests.kinds.driver import CountingSource, run
from tests.kinds.oracle import CsvCase


def placed(case: CsvCase) -> Iterator[tuple[int, list[str]]]:
    """Yield each row of a case that is not blank, with the byte where it begins, by `csv.reader` alone."""
    file = io.StringIO(case.text, newline="")
    at = 0
    encoding = {"utf-16": "utf-16-le", "utf-8-sig": "utf-8"}.get(case.encoding, case.encoding)
    mark = len(case.data) - len(case.text.encode(encoding))
    for row in csv.reader(file, **case.dialect.arguments):
        if row:
            yield mark + len(case.text[:at].encode(encoding)), row
        at = file.tell()


@given(
    strategies.csv_cases(), st.sets(st.integers(0, 30)), st.sampled_from(["before", "after"]), st.sampled_from([0, 99])
)
def test_failed_chunks_take_their_own_rows_alone(case: CsvCase, failing: set[int], when: str, scanned: int) -> None:
    """With a note or without one: every row that begins in another chunk is there, and no other."""
    failed = {f"0-{number:05}" for number in failing}

    def fails(line: Line) -> str | None:
        return when if line.id in failed else None

    if case.dialect.ends_in_quotes(case.text):
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certifying, "SCAN_LIMIT_BYTES", scanned)
        result = run(table, case.data, case.recipe(), seed=1, failing=fails)
    lost = [(line.span["start"], line.span["stop"]) for line in result.rounds[0] if line.id in failed]
    rows = list(placed(case))
    width = len(rows[0][1]) if rows else 0
    expected = [
        row
        for at, row in rows[1 if case.header else 0 :]
        if len(row) == width and not any(start <= at < stop for start, stop in lost)
    ]
    written = [list(json.loads(line).values()) for line in result.outputs["rows.jsonl"].splitlines()]
    assert written == expected
    missing = [(span["start"], span["stop"]) for span in result.folded.missing]
    assert missing == [span for span in lost if span in missing]
    touched = {span for span in lost for at, _ in rows if span[0] <= at < span[1]}
    assert touched - set(missing) <= {span for span in touched if case.header and span[0] <= rows[0][0]}


def test_a_failed_chunk_is_missing_and_its_neighbours_are_not() -> None:
    """Its span is named, its rows are nowhere, and nothing is run again for it."""
    data = b"a,b\n" + b"".join(b'%d,"x\ny"\n' % number for number in range(100))
    whole = run(table, data, TableRecipe(chunk=90))
    for when in ("before", "after"):
        result = run(table, data, TableRecipe(chunk=90), failing=lambda line: when if line.id == "0-00003" else None)  # noqa: B023
        assert result.folded.missing == [{"start": 270, "stop": 360, "rows": None}]
        lines, kept = whole.outputs["rows.jsonl"].splitlines(), result.outputs["rows.jsonl"].splitlines()
        assert set(kept) < set(lines)
        assert 8 <= len(lines) - len(kept) <= 10
        assert len(result.rounds) == 1


@pytest.mark.parametrize("closed", [True, False])
def test_a_row_beyond_the_limit_is_refused_by_its_place(closed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it is certain that it begins there, and not by a wrong guess."""
    monkeypatch.setattr(bounds, "ROW_LIMIT_BYTES", 200_000)
    monkeypatch.setattr(certifying, "ROW_LIMIT_BYTES", 200_000)
    body = b"x" * 150_000 + b"\n" + b"y" * 150_000
    data = b'a,b\n1,2\n3,"' + body + (b'"\n' if closed else b"") + b"4,5\n" * 100_000
    with pytest.raises(RowTooLarge, match="the row at byte 8 has more than 200,000 bytes"):
        run(table, data, TableRecipe(chunk=50_000))


def test_a_chunk_inside_a_huge_row_does_not_read_it() -> None:
    """It finds no row of its own, and reads its span and a little more."""
    data = b"a,b\n1," + b"x" * 3_000_000 + b"\n2,y\n"
    result = run(table, data, TableRecipe(chunk=100_000, columns="text"))
    assert result.stats["rows"] == 2
    inner = [result.reads[line.id] for line in result.rounds[0][1:-2]]
    assert max(inner) <= 100_000 + 65_536
    source = CountingSource(data)
    found, _ = bounds.find(source, table.working.Layout.from_json(result.layouts[0]), 500_000, 600_000)
    assert found.first is None


def test_an_unclosed_quote_is_found_behind_failed_chunks() -> None:
    """A chunk that failed does not hide it."""
    data = b'a,b\n1,2\n3,"four\n' + b"5,6\n" * 30
    with pytest.raises(UnclosedQuote):
        run(table, data, TableRecipe(chunk=20), failing=lambda line: "before" if line.id == "0-00004" else None)
