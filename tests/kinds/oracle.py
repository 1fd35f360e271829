"""What a table comes to when it is read whole, by `csv` and `json` alone: nothing of fanfold's own parsing."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from typing import Any

from fanfold.errors import BrokenJson, NoRecords, NotATable, UnclosedQuote, WrongEncoding
from fanfold.kinds import table
from fanfold.kinds.table.recipe import TableRecipe
from tests.kinds.driver import Failing, Result, run

NO_CLEAN = {"trim": False, "empty_as_null": False, "null_values": []}


@dataclass(frozen=True)
class Dialect:
    """A dialect as a recipe gives it."""

    delimiter: str = ","
    quote: str | None = '"'
    escape: str | None = None
    doubled: bool = True
    spaces: bool = False

    @property
    def arguments(self) -> dict[str, Any]:
        given = {"delimiter": self.delimiter, "escapechar": self.escape}
        given |= {"doublequote": self.doubled, "skipinitialspace": self.spaces}
        return given | ({"quoting": csv.QUOTE_NONE} if self.quote is None else {"quotechar": self.quote})

    def rows(self, text: str) -> list[list[str]]:
        return list(csv.reader(io.StringIO(text, newline=""), **self.arguments))

    def ends_in_quotes(self, text: str) -> bool:
        """Tell whether two line ends and another row behind the text would be swallowed by its last field."""
        return self.rows(text + "\n\nlast")[-1] != ["last"]


@dataclass(frozen=True)
class CsvCase:
    """One object, how it is to be read, and in which chunks."""

    text: str
    dialect: Dialect = Dialect()
    encoding: str = "utf-8"
    chunk: int = 1
    header: bool = True
    seed: int | None = None

    def recipe(self, **fields: Any) -> TableRecipe:
        given: dict[str, Any] = {
            "format": "csv",
            "delimiter": self.dialect.delimiter,
            "quote": self.dialect.quote,
            "escape": self.dialect.escape,
            "doubled_quote": self.dialect.doubled,
            "skip_initial_space": self.dialect.spaces,
            "encoding": "auto" if self.encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32") else self.encoding,
            "header": self.header,
            "columns": "text",
            "clean": NO_CLEAN,
            "rejects": "100%",
            "chunk": self.chunk,
        }
        return TableRecipe(**(given | fields))

    @property
    def data(self) -> bytes:
        return self.text.encode(self.encoding)


def check_csv(case: CsvCase, failing: Failing = lambda line: None) -> Result | None:
    """Assert that fanfold reads a case as `csv.reader` does; None where both refuse it."""
    expected = [row for row in case.dialect.rows(case.text) if row]
    if case.dialect.ends_in_quotes(case.text):
        try:
            run(table, case.data, case.recipe(), seed=case.seed)
        except UnclosedQuote:
            return None
        raise AssertionError(f"the unclosed quote was not seen: {case}")
    width = len(expected[0]) if expected else 0
    body = expected[1:] if case.header else expected
    result = run(table, case.data, case.recipe(), seed=case.seed)
    rows = [list(json.loads(line).values()) for line in result.outputs["rows.jsonl"].splitlines()]
    assert rows == [row for row in body if len(row) == width], case
    rejects = [json.loads(line) for line in result.outputs["rejects.jsonl"].splitlines()]
    assert len(rejects) == sum(len(row) != width for row in body), case
    for reject, row in zip(rejects, (row for row in body if len(row) != width), strict=True):
        # An escaped line end at the end of a row cannot be told from the row's own without reading it.
        assert case.dialect.escape or case.dialect.rows(reject["raw"]) == [row], case
        start = reject["offset"]
        plain = case.encoding.removesuffix("-sig")
        raw = reject["raw"].encode(plain + "-le" if plain in ("utf-16", "utf-32") else plain)
        assert case.data[start : start + len(raw)] == raw, case
    assert result.stats["rows"] == len(rows)
    assert result.stats["rejected"] == len(rejects)
    return result


def check_jsonl(text: str, chunk: int, encoding: str = "utf-8", seed: int | None = None) -> Result:
    """Assert that fanfold reads JSON Lines as `json.loads` does, line by line."""
    recipe = TableRecipe(format="jsonl", encoding=encoding, clean=NO_CLEAN, rejects="100%", chunk=chunk)
    result = run(table, text.encode(encoding), recipe, seed=seed)
    expected, bad = [], 0
    for line in text.split("\n"):
        if not line.strip(" \t\r\n"):
            continue
        try:
            found = json.loads(line, parse_float=str, parse_int=str, parse_constant=_refuse)
            json.dumps(found, ensure_ascii=False).encode()
        except ValueError:
            bad += 1
            continue
        if isinstance(found, dict):
            expected.append(found)
        else:
            bad += 1
    lines = result.outputs["rows.jsonl"].decode().split("\n")[:-1]
    assert [json.loads(line, parse_float=str, parse_int=str) for line in lines] == expected, (text, chunk)
    assert result.outputs["rejects.jsonl"].count(b"\n") == bad, (text, chunk)
    return result


@dataclass(frozen=True)
class JsonCase:
    """One object of JSON that is no JSON Lines, and in which chunks it is read."""

    text: str
    pointer: str | None = None
    """Of the array that holds the rows; None: values follow each other."""
    chunk: int = 1
    encoding: str = "utf-8"
    seed: int | None = None

    @property
    def data(self) -> bytes:
        return self.text.encode(self.encoding)

    def recipe(self, **fields: Any) -> TableRecipe:
        encoding = "auto" if self.encoding in ("utf-8", "utf-8-sig", "utf-16") else self.encoding
        given: dict[str, Any] = {"format": "json", "records": self.pointer or "", "encoding": encoding}
        given |= {"clean": NO_CLEAN, "rejects": "100%", "chunk": self.chunk}
        return TableRecipe(**(given | fields))

    def elements(self) -> list[Any] | None:
        """Return what `json.loads` reads there, numbers as they are written; None where it refuses the whole."""
        read = json.JSONDecoder(parse_float=Digits, parse_int=Digits, parse_constant=_refuse)
        rest = self.text.removeprefix("\ufeff").strip(" \t\r\n")
        if self.pointer or (self.pointer == "" and rest.startswith("[")):
            try:
                found = read.decode(rest)
            except ValueError:
                return None
            for step in self.pointer.split("/")[1:]:
                key = step.replace("~1", "/").replace("~0", "~")
                if not isinstance(found, dict | list) or (isinstance(found, list) and not key.isdigit()):
                    return None
                try:
                    found = found[int(key)] if isinstance(found, list) else found[key]
                except (KeyError, IndexError):
                    return None
            return found if isinstance(found, list) else None
        values = []
        while rest:
            try:
                value, end = read.raw_decode(rest)
            except ValueError:
                return None
            values.append(value)
            rest = rest[end:].lstrip(" \t\r\n")
        return values

    def is_ambiguous(self) -> bool:
        """Tell whether a member on the pointer's way is given twice, which fanfold refuses."""
        found = json.loads(self.text.removeprefix("\ufeff"), object_pairs_hook=Pairs)
        for step in (self.pointer or "").split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, Pairs):
                values = [value for name, value in found if name == key]
                if len(values) != 1:
                    return len(values) > 1
                found = values[0]
            else:
                found = found[int(key)]
        return False


class Pairs(list[Any]):
    """The members of an object, with every name that is given twice."""


class Digits(str):
    """A number as it is written."""

    __slots__ = ()


def check_json(case: JsonCase) -> Result | None:
    """Assert that fanfold reads a case as `json.loads` does; None where both refuse it."""
    elements = case.elements()
    refused: Exception | None
    result = None
    try:
        result = run(table, case.data, case.recipe(), seed=case.seed)
    except (BrokenJson, NoRecords, NotATable, WrongEncoding) as error:
        refused = error
    else:
        refused = None
    if refused or result is None:
        assert "\n" not in str(refused)
        has_rows = elements is not None and any(isinstance(element, dict) for element in elements)
        assert not has_rows or (isinstance(refused, NoRecords | NotATable) and case.is_ambiguous()), (case, refused)
        return None
    lines = result.outputs["rows.jsonl"].decode().split("\n")[:-1]
    rows = [json.loads(line, parse_float=Digits, parse_int=Digits) for line in lines]
    rejected = result.outputs["rejects.jsonl"].count(b"\n")
    assert (len(rows), rejected) == (result.stats["rows"], result.stats["rejected"]), case
    if elements is None:
        assert rejected, f"what `json.loads` refuses is read without a word: {case}"
        return result
    expected = [element for element in elements if isinstance(element, dict) and _encodes(element)]
    assert [repr(row) for row in rows] == [repr(row) for row in expected], case
    assert len(rows) + rejected == len(elements), case
    return result


def _encodes(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except ValueError:
        return False
    return True


def _refuse(name: str) -> None:
    raise ValueError(name)
