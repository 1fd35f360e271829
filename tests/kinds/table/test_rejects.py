"""Nothing is lost and nothing is silent: what does not fit is written down, with its place and the reason."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.errors import FanfoldError, TooManyRejects, UnclosedQuote, UnknownColumn, WrongEncoding
from fanfold.kinds import table
from fanfold.kinds.table import planning
from fanfold.kinds.table.recipe import TableRecipe
from tests.kinds.driver import Result, run


def folded(data: bytes, **fields: object) -> Result:
    return run(table, data, TableRecipe(**fields), seed=1)


def rejects(result: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.outputs["rejects.jsonl"].splitlines()]


@given(
    st.lists(st.sampled_from(["1,2", "x,2", "1", "1,2,3", "", '"1\n",2', "1,\xe9"]), max_size=20), st.integers(1, 60)
)
def test_rows_and_rejects_are_all_rows(lines: list[str], chunk: int) -> None:
    """Every row that is not blank is in one of the two, whatever the chunk; rejects are in the object's order."""
    data = ("a,b\n" + "\n".join(lines)).encode("latin-1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "HEAD_BYTES", 4)
        result = folded(data, columns={"a": "integer", "b": "text"}, rejects="100%", chunk=chunk)
    assert result.stats["rows"] + result.stats["rejected"] == sum(line != "" for line in lines)
    assert result.outputs["rows.jsonl"].count(b"\n") == result.stats["rows"]
    places = [reject["offset"] for reject in rejects(result)]
    assert places == sorted(set(places))
    for reject in rejects(result):
        raw = str(reject["raw"])
        shown = data[reject["offset"] :].decode("utf-8", "replace")  # type: ignore[misc]
        assert shown.startswith(raw)


def test_a_reject_says_where_and_why() -> None:
    """In the words of the recipe."""
    data = "a,b\n1,é\n1,2,3\n\nx,5\n1\n".encode()
    result = folded(data, columns={"a": "integer"}, rejects="100%", chunk=6)
    assert rejects(result) == [
        {"offset": 9, "reason": "3 fields where the table has 2", "column": None, "value": None, "raw": "1,2,3"},
        {"offset": 16, "reason": "no integer: the type is integer", "column": "a", "value": "x", "raw": "x,5"},
        {"offset": 20, "reason": "1 field where the table has 2", "column": None, "value": None, "raw": "1"},
    ]
    assert result.outputs["rows.jsonl"] == '{"a":1,"b":"é"}\n'.encode()


def test_long_rows_are_cut() -> None:
    """A rejects file is to be read by people."""
    result = folded(b"a,b\n" + b"x" * 10_000 + b"\n", rejects="100%")
    assert len(str(rejects(result)[0]["raw"])) == 4096


@pytest.mark.parametrize(("share", "passes"), [("0%", False), ("1.9%", False), ("2%", True), ("100%", True)])
def test_the_tolerated_share_is_exact(share: str, passes: bool) -> None:
    """2 of 100 rows are 2%: then the job passes, else it fails with the first of them, and writes the rejects alone."""
    data = b"a,b\n" + b"1,2\n" * 98 + b"1\n1,2,3\n"
    result = folded(data, rejects=share, chunk=50)
    assert len(rejects(result)) == 2
    if passes:
        assert result.folded.refused is None
        assert result.stats["rows"] == 98
    else:
        assert isinstance(result.folded.refused, TooManyRejects)
        assert "\n" not in str(result.folded.refused)
        assert f"2 of 100 rows were rejected (2%); `rejects` allows {share}" in str(result.folded.refused)
        assert "byte 396: 1 field where the table has 2" in str(result.folded.refused)
        assert list(result.outputs) == ["rejects.jsonl"]


def test_bytes_of_another_encoding_reject_their_rows() -> None:
    """And too many of them say that the encoding is wrong. What the head shows is refused at once."""
    rows = b"name,n\n" + b"plain,1\n" * 20_000 + b"caf\xe9,2\n"
    result = folded(rows, rejects="1%", chunk=50_000)
    assert [reject["raw"] for reject in rejects(result)] == ["caf�,2"]
    assert isinstance(folded(rows).folded.refused, WrongEncoding)
    with pytest.raises(WrongEncoding, match=r"byte 10 of the object \(0xe9\) is no utf-8"):
        folded(b"name,n\ncaf\xe9,2\n")
    assert (
        folded(b"name,n\ncaf\xe9,2\n", encoding="latin-1").outputs["rows.jsonl"] == '{"name":"café","n":2}\n'.encode()
    )


@pytest.mark.parametrize("chunk", [3, 40, 10**6])
def test_an_unclosed_quote_is_named_by_its_place(chunk: int) -> None:
    """However many chunks it swallows."""
    data = b'a,b\n1,2\n3,"four\n' + b"5,6\n" * 30
    with pytest.raises(UnclosedQuote, match="the quote that opens at byte 10 is not closed"):
        folded(data, chunk=chunk)
    assert folded(data, chunk=chunk, quote=None).stats["rows"] == 32


def test_lines_that_are_no_objects_are_rejects() -> None:
    """Of JSON Lines too, with the parser's reason."""
    data = b'{"a":1}\n[1]\n{"a":\n\n{"a":NaN}\n{"a":"\\ud800"}\n7\n{"a":2}\n'
    found = rejects(folded(data, rejects="100%", chunk=5))
    assert [reject["offset"] for reject in found] == [8, 12, 19, 29, 44]
    assert str(found[1]["reason"]).startswith("no JSON: ")
    deep = b'{"a":1}\n{"a":' + b"[" * 150_000 + b"]" * 150_000 + b"}\n" + b'{"a":' + b"[" * 201 + b"]" * 201 + b"}\n"
    assert [reject["reason"] for reject in rejects(folded(deep, rejects="100%"))] == ["nested deeper than 200"] * 2


@pytest.mark.parametrize("output", ["jsonl", "csv"])
def test_declared_types_hold_for_json_lines(output: str) -> None:
    """A value that does not fit rejects its row; what is not named stays as it is."""
    data = b'{"a":"7","b":[1,{"c":1.0}]}\n{"a":"x"}\n{"a":8.5}\n{"b":null}\n'
    result = folded(data, columns={"a": "integer"}, rejects="100%", output=output, chunk=9)
    expected = b'{"a":7,"b":[1,{"c":1.0}]}\n{"b":null}\n'
    if output == "csv":
        expected = b'a,b\n7,"[1,{""c"":1.0}]"\n,\n'
    assert result.outputs[f"rows.{output}"] == expected
    assert [reject["value"] for reject in rejects(result)] == ["x", "8.5"]


def test_a_column_that_no_object_has_is_unknown() -> None:
    """JSON Lines has no header to tell before."""
    with pytest.raises(UnknownColumn, match=r"`index.partition` names 'id', and none of 1 objects has it"):
        folded(b'{"a":1}\n', index={"partition": "id"})


def test_every_error_is_one_line_with_a_remedy() -> None:
    """For whoever reads it in a terminal."""
    for data, fields in [
        (b"a\n\xff\n", {}),
        (b'a\n"x', {}),
        (b"a,b\n1\n", {}),
        (b"a\n1\n", {"index": {"partition": "b"}}),
    ]:
        try:
            error = folded(data, **fields).folded.refused
        except FanfoldError as raised:
            error = raised
        assert isinstance(error, FanfoldError)
        assert str(error)
        assert "\n" not in str(error)
        assert error.remedy
