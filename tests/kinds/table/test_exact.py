"""Splitting is invisible: at any chunk size, the rows are those of `csv.reader` and `json.loads`."""

from __future__ import annotations

import io
from dataclasses import astuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanfold.kinds import table
from fanfold.kinds.table import bounds, certifying, csv_blocks, csv_grammar, layout
from fanfold.kinds.table.cleaning import Cleaner
from fanfold.kinds.table.csv_grammar import CsvGrammar
from fanfold.kinds.table.recipe import TableRecipe
from fanfold.kinds.table.rejects import Rejects
from tests import strategies
from tests.kinds.driver import CountingSource
from tests.kinds.oracle import CsvCase, Dialect, check_csv, check_jsonl


@settings(max_examples=settings().max_examples * 3)
@given(strategies.csv_cases())
def test_rows_of_csv_are_those_of_the_standard_reader(case: CsvCase) -> None:
    """Whatever the dialect, encoding, chunk and order of the workers."""
    check_csv(case)


@given(strategies.csv_cases(), st.sampled_from([0, 40]), st.sampled_from([(2,), (4, 16)]), st.integers(1, 99))
def test_thresholds_are_for_speed_alone(case: CsvCase, scanned: int, look: tuple[int, ...], mark: int) -> None:
    """Small cases go the ways of large ones: leaps, short look-ahead, short guesses, repairs in several rounds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certifying, "SCAN_LIMIT_BYTES", scanned)
        patch.setattr(csv_grammar, "LEAP_BYTES", 0)
        patch.setattr(bounds, "GUESS_BYTES", 8)
        patch.setattr(bounds, "LOOK_STEPS_BYTES", look)
        patch.setattr(csv_blocks, "BLOCK_UNITS", mark)
        check_csv(case)


@given(strategies.json_lines(), strategies.chunks, st.sampled_from(["utf-8", "utf-16-le", "utf-16-be"]))
def test_rows_of_json_lines_are_those_of_the_standard_parser(text: str, chunk: int, encoding: str) -> None:
    """Every number with the digits it was written with."""
    check_jsonl(text, chunk, encoding)


EMBEDDED = "\n".join(["id,name,body", *(f'{n},n{n},"' + "\n".join(["7,x,y"] * 9) + '"' for n in range(20))])
HUGE = 'id,body\n1,a\n2,"' + "line of text, with a comma\n" * 400 + '"\n3,c\n'

CASES = {
    "an embedded table": CsvCase(EMBEDDED, chunk=64),
    "a row larger than many chunks": CsvCase(HUGE, chunk=100),
    "a huge row of one line": CsvCase("id,body\n1," + "x" * 5000 + "\n2,b\n", chunk=64),
    "a column of quotes": CsvCase('a\n"""\n"\n""""\n"x"\n' * 30, chunk=7),
    "quotes in bare cells": CsvCase('a,b\n5" tv,x\n7" "pad",y\n' * 10, chunk=11),
    "text behind a closing quote": CsvCase('a,b\n"x"y,"z"\n"p""q"r"s,t\n' * 5, chunk=3),
    "CR alone": CsvCase('a,b\r1,"x\ry"\r2,z\r', chunk=2),
    "mixed line ends": CsvCase('a,b\r\n1,"x\r\ny"\n2,z\r3,w', chunk=3),
    "LF CR is two ends": CsvCase("a,b\n\r1,2\n\r3,4", chunk=1),
    "blank lines": CsvCase("\n\na,b\n\n1,2\n\r\n\n3,4\n\n", chunk=2),
    "ragged": CsvCase("a,b\n1\n1,2,3\n4,5\n,\n", chunk=3),
    "no final line end": CsvCase("a,b\n1,2", chunk=2),
    "header only": CsvCase("a,b\n", chunk=2),
    "header only without a line end": CsvCase("a,b", chunk=1),
    "blank lines only": CsvCase("\n\r\n\n", chunk=1),
    "no header": CsvCase("1,2\n3,4\n", header=False, chunk=3),
    "BOM": CsvCase("a,b\n1,2\n", encoding="utf-8-sig", chunk=1),
    "UTF-16 beyond the plane": CsvCase('a,b\n"\U0001f600\n",2\n\u2028,\x85\n', encoding="utf-16", chunk=3),
    "separators of str.splitlines": CsvCase("a,b\n1\x0b,2\x1c\n\u2028,\x85\n", chunk=2),
    "Shift-JIS with a backslash as half of a character": CsvCase("a,b\n表,ソ\n", encoding="shift_jis", chunk=1),
    "an escaped line end": CsvCase("a,b\n1\\\n2,3\n\\\r\n,4\n", Dialect(escape="\\"), chunk=2),
    "a quote at the end, unclosed": CsvCase('a,b\n1,"x\n2,y\n', chunk=3),
    "an escaped quote at the end": CsvCase('a,b\n1,"x\\"', Dialect(escape="\\"), chunk=3),
    "escaped line ends between chunks": CsvCase(
        '\\"\nb\\,1\\,\\"b\n\\\r\'\\\r,\\,\\"\',168\r', Dialect(",", None, "\\"), chunk=6
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize("chunk", [None, 1, 50, 1 << 20])
def test_known_cases(case: CsvCase, chunk: int | None) -> None:
    """Adversarial tables, and what once went wrong."""
    if chunk == 1 and len(case.data) > 2000:
        chunk = 37
    check_csv(CsvCase(case.text, case.dialect, case.encoding, chunk or case.chunk, case.header, 1))


def test_a_table_inside_a_cell_costs_one_round() -> None:
    """Every guess inside it is wrong, and one round of repairs mends them all."""
    result = check_csv(CsvCase(EMBEDDED, chunk=30))
    assert result is not None
    assert result.folded.repaired > 0
    assert len(result.rounds) == 2


@given(strategies.csv_cases(), st.data())
def test_a_leap_lands_where_row_by_row_does(case: CsvCase, data: st.DataObject) -> None:
    """Far goals are reached over whole quoted fields at once; the first row start at the goal is the same."""
    text = case.text.encode()
    rows = CsvGrammar(layout.Dialect(*astuple(case.dialect)), 1)
    starts = [start for start, _ in rows.rows(text, 0, len(text))] + [len(text)]
    row = data.draw(st.sampled_from(starts))
    bound = data.draw(st.integers(row, len(text)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_grammar, "LEAP_BYTES", 0)
        assert rows.advance(text, row, bound, True) == (min(start for start in starts if start >= bound), True)


def test_blocks_end_where_a_row_does_though_nobody_looked_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrow reads some megabytes at once, and what it reads proves where they end."""
    data = b"a,b\n" + b'1,"x\ny"\n' * 900_000
    source = CountingSource(data)
    recipe = TableRecipe(columns="text")
    found = layout.Layout.from_json(table.plan(source, recipe).layout)
    start, window = bounds.find(source, found, 4, len(data), to_end=False)
    rejects = Rejects(io.BytesIO())
    blocks = csv_blocks.CsvBlocks(window, found, Cleaner(recipe.clean), rejects, start)
    monkeypatch.setattr(CsvGrammar, "advance", None)
    batches = list(blocks.batches(len(data)))
    assert sum(batch.rows for batch in batches) == 900_000
    assert {text for batch in batches for text in batch.columns[1].unique().to_pylist()} == {"x\ny"}
    assert len(batches) == 1 + len(data) // csv_blocks.BLOCK_UNITS
    assert blocks.bounds.next == len(data)
