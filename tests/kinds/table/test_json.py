"""JSON arrays, and values that follow each other: at any chunk size what `json.loads` reads, or one line why not."""

from __future__ import annotations

import json
import random

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.errors import BrokenJson, FanfoldError, NoRecords, RecipeError, RowTooLarge, TooManyRejects
from fanfold.kinds import table
from fanfold.kinds.table import bounds, certifying, json_grammar, json_pointer, json_reading
from fanfold.kinds.table.json_lexing import Break, skip
from fanfold.kinds.table.json_numbers import survive
from fanfold.kinds.table.recipe import TableRecipe
from fanfold.recipes import read
from tests import strategies
from tests.kinds.driver import CountingSource, Result, run
from tests.kinds.json_cases import json_case
from tests.kinds.oracle import Digits, JsonCase, check_json

cases = st.integers(0, 1 << 60).map(lambda seed: json_case(random.Random(seed)))


@given(cases)
def test_rows_are_those_of_the_standard_parser(case: JsonCase) -> None:
    """Whatever the white space, nesting, pointer, encoding, chunk and order of the workers."""
    check_json(case)


@given(cases, st.sampled_from([0, 40]), st.sampled_from([(2,), (4, 16)]), st.sampled_from([1, 50]))
def test_thresholds_are_for_speed_alone(case: JsonCase, scanned: int, look: tuple[int, ...], batch: int) -> None:
    """Small cases go the ways of large ones: short guesses, batches of a few rows, repairs in several rounds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certifying, "SCAN_LIMIT_BYTES", scanned)
        patch.setattr(bounds, "LOOK_STEPS_BYTES", look)
        patch.setattr(json_grammar, "LOOK_BYTES", 40)
        patch.setattr(json_reading, "BATCH_BYTES", batch)
        check_json(case)


NESTED = json.dumps([{"id": n, "items": [{"id": m, "name": "x" * 9} for m in range(9)]} for n in range(20)], indent=1)
INNER = json.dumps([{"text": json.dumps([{"a": [1, {"b": "}"}]}] * 5)} for _ in range(20)])


@pytest.mark.parametrize(
    "case",
    [
        JsonCase(NESTED, ""),
        JsonCase(INNER, ""),
        JsonCase("[]", ""),
        JsonCase(" [ \n ] \n", ""),
        JsonCase('{"a": [], "b": 1}', "/a"),
        JsonCase('{"a": {"~/": [1, [{"x": 1}, {"x": 2}]]}}', "/a/~0~1/1"),
        JsonCase('{"": [{"x": 1}]}', "/"),
        JsonCase('{"a": 1}{"a": 2} {"a": 3}\n\n{"a":\n4}', None),
        JsonCase('{\n "a": 1\n}', None),
        JsonCase('[{"a": 1.50, "a": 2}, {"b": 1e5, "c": -0}, {"d": 12345678901234567890}]', ""),
        JsonCase('[{"a": "\\\\"}, {"a": "\\""}, {"b\\"": "\\\\\\""}]', ""),
        JsonCase('[7, {"a": 1}, "x", null, [{"a": 2}], {"a": 3}]', ""),
        JsonCase('\ufeff[{"é": "\U0001f600"}]', "", encoding="utf-16-le"),
        JsonCase('[{"a":' + "[" * 150 + "]" * 150 + '},{"a":1}]', ""),
    ],
)
@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 50, 10**6])
def test_known_cases(case: JsonCase, chunk: int) -> None:
    """Rows inside rows, in strings too, and every form."""
    if chunk < 7 and len(case.text) > 1000:
        chunk = 31 + chunk
    assert check_json(JsonCase(case.text, case.pointer, chunk, case.encoding, 1)) is not None


def folded(data: bytes, **fields: object) -> Result:
    return run(table, data, TableRecipe(**fields), seed=1)


def rejects(result: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.outputs["rejects.jsonl"].splitlines()]


DEEP = b"[" * 100_000 + b"]" * 100_000
ROWS = b'{"a": 1, "b": [1, {"c": "]"}]}'


@pytest.mark.parametrize("chunk", [5, 40, 10**6])
@pytest.mark.parametrize(
    ("data", "fields", "says"),
    [
        (
            b"[" + ROWS + b", " + ROWS + b" " + ROWS + b"]",
            {},
            "breaks at byte 64, in or behind the row at byte 33",
        ),
        (
            b"[" + ROWS + b", {]}, " + ROWS + b"]",
            {},
            "breaks at byte 34, in or behind the row at byte 33: `]` where `}`",
        ),
        (b"[" + ROWS + b"," + ROWS, {}, "breaks at byte 62, in or behind the row at byte 32"),
        (b"[" + ROWS + b',{"a": "x', {}, "breaks at byte 40, in or behind the row at byte 32"),
        (b"[" + ROWS + b",]", {}, "breaks at byte 32, in or behind the row at byte 1: `]` where a value"),
        (b"[" + ROWS + b"] x", {}, "breaks at byte 33: nothing may stand behind"),
        (b"[" + ROWS + b"]]", {}, "breaks at byte 32: nothing may stand behind"),
        (
            b"[{}," + b" " * 70_000 + b"{}\0]",
            {},
            "breaks at byte 70,006, in or behind the row at byte 70,004: ",
        ),
        (b'{"x": [' + ROWS + b'], "y": 01}', {"records": "/x"}, "breaks at byte 46: "),
        (b'{"x": [' + ROWS + b'], "y": NaN}', {"records": "/x"}, "holds NaN, which is no JSON"),
        (b'{"x": [' + ROWS + b"]", {"records": "/x"}, "breaks at byte 38: "),
        (
            b'{"x": [' + ROWS + b'], "y": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
            {"records": "/x"},
            "nested too deep",
        ),
        (ROWS + b", " + ROWS, {"format": "json"}, "breaks at byte 30: `,` where a value must stand"),
        (ROWS + b"\n" + ROWS[:-1], {"format": "json"}, "breaks at byte 60, in or behind the row at byte 31"),
    ],
)
def test_broken_json_is_named_by_its_byte(data: bytes, fields: dict[str, object], says: str, chunk: int) -> None:
    """However it is split: the job fails, and drops nothing without a word."""
    chunk = max(chunk, len(data) // 100)
    with pytest.raises(BrokenJson) as caught:
        folded(data, chunk=chunk, **fields)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_stands_behind_the_array_leads_to_it_or_is_refused() -> None:
    """By `json.loads` the last of several members counts, and nobody can see it before the rows are read."""
    data = b'{"x": [{"a": 1}], "y": {"x": [2]}, "z": "]"}'
    assert folded(data, records="/x", chunk=3).stats["rows"] == 1
    for last in (b"[2]", b"[]", b"null", b'[{"a": 1}]'):
        with pytest.raises(NoRecords, match="is given twice"):
            folded(b'{"x": [{"a": 1}], "x": ' + last + b"}", records="/x", chunk=3)


def test_too_much_behind_the_array_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the limit and the remedy."""
    monkeypatch.setattr(json_pointer, "TAIL_LIMIT_BYTES", 1000)
    data = b'{"x": [{"a": 1}], "y": "' + b"y" * 1000 + b'"}'
    with pytest.raises(
        NoRecords, match="1,010 bytes stand behind the array, which ends at byte 16; 1,000 is the limit"
    ):
        folded(data, records="/x")


def test_stray_values_and_deep_ones_are_rejects_with_their_offset() -> None:
    """A hundred thousand brackets are skipped and named; neighbours are kept."""
    data = b'[{"a": 1}, 7, {"a": NaN},\n  {"a": ' + DEEP + b'}, {"a": ' + b"[" * 200 + b"]" * 200 + b'}, {"a": 2}]'
    for chunk in (10_000, 10**6):
        for output in ("jsonl", "csv"):
            found = folded(data, rejects="100%", chunk=chunk, output=output)
            assert [(reject["offset"], str(reject["reason"])[:22]) for reject in rejects(found)] == [
                (11, "no JSON object"),
                (14, "no JSON: NaN is no JSO"),
                (28, "nested deeper than 200"),
                (200_037, "nested deeper than 200"),
            ]
            assert found.stats["rows"] == 2
    refused = folded(data).folded.refused
    assert isinstance(refused, TooManyRejects)
    assert "the first: byte 11" in str(refused)


def test_an_element_beyond_the_limit_is_refused_by_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it ends or not."""
    monkeypatch.setattr(bounds, "ROW_LIMIT_BYTES", 200_000)
    monkeypatch.setattr(certifying, "ROW_LIMIT_BYTES", 200_000)
    for end in (b'"}, {"a": 2}]', b""):
        for chunk in (50_000, 10**6):
            with pytest.raises(RowTooLarge, match="the row at byte 11 has more than 200,000 bytes"):
                folded(b'[{"a": 1}, {"a": "' + b"x" * 900_000 + end, chunk=chunk)


@pytest.mark.parametrize("pointer", ["a", "/a~", "/a~2", "a/b"])
def test_what_is_no_pointer_is_refused(pointer: str) -> None:
    """By the recipe, with its field; and `records` is for JSON alone."""
    for fields in (f"records: {pointer!r}", "records: /a, format: csv"):
        with pytest.raises(RecipeError, match="records"):
            read(f"version: 1\nrecipes: {{x: {{table: {{{fields}}}}}}}")


@pytest.mark.parametrize("output", ["csv", "parquet", "jsonl"])
def test_columns_are_the_union_of_all_names(output: str) -> None:
    """In the order of their first appearance; JSON keeps each row as it is."""
    data = b'[{"a": 1}, {"b": [1.50]}, {"c": {"d": 1.0}, "a": 2.5}]'
    whole = folded(data, output=output)
    for chunk in (4, 15):
        assert folded(data, output=output, chunk=chunk).outputs == whole.outputs
    if output == "csv":
        assert whole.outputs["rows.csv"] == b'a,b,c\n1.0,,\n,[1.50],\n2.5,,"{""d"":1.0}"\n'
    if output == "jsonl":
        assert whole.outputs["rows.jsonl"] == b'{"a":1}\n{"b":[1.50]}\n{"c":{"d":1.0},"a":2.5}\n'


def test_a_gigabyte_costs_a_megabyte() -> None:
    """The splitter reads the head and samples; a worker its span and at most 64 KiB."""
    row = b'{"id": 1234567, "name": "some [name]", "tags": ["a", "b"]},\n  '
    data = b'{"meta": {"n": 1}, "data": [\n  ' + row * 60_000 + b"{}]}"
    for output in ("jsonl", "csv"):
        source = CountingSource(data)
        table.plan(source, TableRecipe(records="/data", chunk=1 << 20, output=output))
        assert source.read_bytes <= 1 << 20
        result = folded(data, records="/data", chunk=200_000, output=output)
        assert max(result.reads[line.id] for line in result.rounds[0]) <= 200_000 + 65_536
        assert result.folded.repaired == 0
        assert result.stats["rows"] == 60_001


def test_nested_rows_are_told_from_rows() -> None:
    """A guess leads outwards: rows inside rows cost no repair where a few rows are seen."""
    generator = random.Random(1)
    rows = [
        {"id": n, "items": [{"id": m, "name": "x" * generator.randint(1, 9)} for m in range(generator.randint(0, 30))]}
        for n in range(500)
    ]
    for indent in (None, 2):
        data = json.dumps(rows, indent=indent).encode()
        result = folded(data, chunk=20_000)
        assert result.folded.repaired == 0
        assert [json.loads(line) for line in result.outputs["rows.jsonl"].splitlines()] == rows


@given(strategies.numbers, st.sampled_from(["[%s]", '{"a":%s}', "[1, %s ]", '{"a": [%s,\n2]}']))
def test_numbers_survive_or_are_found_out(number: str, around: str) -> None:
    """What is said to survive a fast parser is written as it was read."""
    text = around % number
    if survive(text.encode()):
        kept = json.loads(orjson.dumps(orjson.loads(text)), parse_int=Digits, parse_float=Digits)
        assert repr(kept) == repr(json.loads(text, parse_int=Digits, parse_float=Digits))


@given(
    st.lists(strategies.numbers, min_size=33, max_size=40), st.sampled_from(['"1.50"', '"\\u0031"', '"a\\/5"', "{}"])
)
def test_many_numbers_survive_or_are_found_out_together(numbers: list[str], other: str) -> None:
    """What is compared at once, because many numbers are doubtful, is proven as what is tried one by one."""
    long = ["0.12345678901234566"] * 33
    text = f"[{','.join([*long, other, *numbers])}]"
    rows = orjson.loads(text)
    if survive(text.encode(), lambda: orjson.dumps(rows)):
        kept = json.loads(orjson.dumps(rows), parse_int=Digits, parse_float=Digits)
        assert repr(kept) == repr(json.loads(text, parse_int=Digits, parse_float=Digits))


def test_many_long_numbers_need_no_second_look() -> None:
    """They are compared with what is written of them, whatever else stands between them."""
    text = b"[%b]" % b", ".join([b'0.12345678901234566, "1.50", -12'] * 99)
    assert survive(text, lambda: orjson.dumps(orjson.loads(text)))
    assert not survive(text.replace(b"-12", b"1.20"), lambda: orjson.dumps(orjson.loads(text)))


@pytest.mark.parametrize(
    ("text", "survives"),
    [
        (b"[0,-1,11.5,0.25,1.0,100.0]", True),
        (b"[9223372036854775807,18446744073709551615,0.30000000000000004,123456789.25]", True),
        (b'["1.50", "1e5", "-0", "12345678901234567890123", "10.0.0.10", "2012-01-01"]', True),
        (b"[1.50]", False),
        (b"[1e5]", False),
        (b"[1E5]", False),
        (b"[1.5e+3]", False),
        (b"[-0]", False),
        (b"[18446744073709551616]", False),
        (b"[0.12345678901234567890]", False),
        (b"[123456789012345678.5]", False),
        (b"[0.0000001]", False),
        (b"[" + b"1" * 500 + b"]", False),
    ],
)
def test_common_numbers_need_no_second_look(text: bytes, survives: bool) -> None:
    """Those that a float or 64 bits hold as they are written; strings are none."""
    assert survive(text) is survives


@given(strategies.json_texts(), st.text('{}[],:" \n1a', max_size=9))
def test_a_value_is_skipped_as_a_whole(text: str, behind: str) -> None:
    """Its end is where the standard parser stops, but for numbers and words, which end at the next sign."""
    found = json.JSONDecoder().raw_decode(text + " " + behind)[1]
    assert skip((text + " " + behind).encode(), 0) == len((text + " " + behind)[:found].encode())
    data = text.encode()
    for cut in range(1, len(data)):
        try:
            assert skip(data[:cut], 0) in (None, cut)
        except Break as error:
            raise AssertionError(f"{data[:cut]!r} breaks at {error.position}") from error


def test_every_error_has_a_remedy() -> None:
    """For whoever reads it in a terminal."""
    for data, fields in [(b"[{]", {}), (b'{"a": 1}', {"records": "/a"}), (b"[1]", {})]:
        with pytest.raises(FanfoldError) as caught:
            folded(data, **fields)
        assert caught.value.remedy
