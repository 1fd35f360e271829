"""The splitter: what it refuses, what it pins, and how little it reads."""

from __future__ import annotations

import bz2
import gzip
import json
from pathlib import Path

import pytest

from fanfold.errors import (
    BrokenJson,
    FanfoldError,
    NoRecords,
    NotATable,
    RecipeError,
    TooManyChunks,
    UnclosedQuote,
    UnknownColumn,
    WrongEncoding,
)
from fanfold.kinds import table
from fanfold.kinds.table import planning
from fanfold.kinds.table.recipe import TableRecipe
from tests.kinds.driver import CountingSource, MemoryDesk, run

MIB = 1 << 20


def plan(data: bytes, **fields: object) -> table.planning.Plan:
    return table.plan(CountingSource(data), TableRecipe(**fields))


def columns(data: bytes, **fields: object) -> dict[str, str]:
    return dict(plan(data, **fields).layout["columns"])


class VirtualSource:
    """A gigabyte of CSV that is made up where it is read."""

    header = b"id,name,amount\n"
    row = b'%09d,"name, or\n two",12.50\n'
    size_bytes = 10**9 // 32 * 32 + len(header)

    def __init__(self) -> None:
        self.read_bytes = 0

    def read(self, start: int, stop: int) -> bytes:
        stop = min(stop, self.size_bytes)
        self.read_bytes += max(0, stop - start)
        if start < len(self.header):
            return self.header[start:stop] + (self.read(len(self.header), stop) if stop > len(self.header) else b"")
        width = len(self.row % 0)
        first = (start - len(self.header)) // width
        last = -(-(stop - len(self.header)) // width)
        data = b"".join(self.row % number for number in range(first, last))
        skip = start - len(self.header) - first * width
        return data[skip : skip + stop - start]


@pytest.mark.parametrize("recipe", [{}, {"columns": "text"}, {"output": "parquet"}])
def test_a_gigabyte_costs_a_megabyte(recipe: dict[str, object]) -> None:
    """Whatever the size; and a worker reads its span and at most 64 KiB."""
    assert len(VirtualSource.row % 0) == 32
    source = VirtualSource()
    made = table.plan(source, TableRecipe(chunk="64MiB", **recipe))
    assert source.read_bytes <= MIB
    assert len(made.lines) == (30 if "output" in recipe else 15)
    assert made.layout["start"] == 15


@pytest.mark.parametrize("begins", [b"a,b\n", b"[", b'{"a": 1}\n'])
def test_a_small_object_is_read_once(begins: bytes) -> None:
    """And of a larger one nothing twice."""
    row = b"1,2\n" if begins.startswith(b"a") else b'{"a": 1},\n' if begins == b"[" else b'{"a": 1}\n'
    for count in (1_000, 100_000):
        source = CountingSource(begins + row * count + (b'{"a":2}]' if begins == b"[" else b""))
        table.plan(source, TableRecipe())
        if count == 1_000:
            assert source.reads == [(0, source.size_bytes)]
        assert sum(stop - start for start, stop in source.reads) <= planning.SMALL_BYTES


@pytest.mark.parametrize(
    ("size_bytes", "output", "concurrency", "chunk"),
    [
        (1, "jsonl", 40, 8 * MIB),
        (320 * MIB, "jsonl", 40, 8 * MIB),
        (10**9, "jsonl", 40, 32 * MIB),
        (10**11, "jsonl", 40, 64 * MIB),
        (10**9, "jsonl", 4, 64 * MIB),
        (1, "parquet", 40, 32 * MIB),
        (10**12, "parquet", 40, 128 * MIB),
        (10**13, "csv", 40, 256 * MIB),
    ],
)
def test_an_automatic_chunk_gives_every_worker_its_share(
    size_bytes: int, output: str, concurrency: int, chunk: int
) -> None:
    """From 8 to 64 MiB, and what makes a Parquet row group; more only where there would be too many."""
    recipe = TableRecipe(output=output, concurrency=concurrency)
    assert planning.chunk_bytes(size_bytes, recipe) == chunk


def test_a_worker_of_a_gigabyte_reads_its_chunk() -> None:
    """Its span and at most 64 KiB; and its guess is a row start, though every row holds a line end."""
    source = VirtualSource()
    made = table.plan(source, TableRecipe(chunk="8MiB"))
    width = len(VirtualSource.row % 0)
    line = made.lines[7]
    source.read_bytes = 0
    found, _ = table.bounds.find(
        source, table.layout.Layout.from_json(made.layout), line.span["start"], line.span["stop"]
    )
    assert source.read_bytes <= line.span["stop"] - line.span["start"] + (64 << 10)
    assert found.first is not None
    assert (found.first - 15) % width == 0
    assert 0 <= found.first - line.span["start"] < width


def test_a_long_header_is_read_to_its_end() -> None:
    """And one beyond the limit is refused, within the megabyte."""
    header = ",".join(f"column{number}" for number in range(20_000)).encode()
    assert len(plan(header + b"\n" + b"1," * 19_999 + b"1\n").layout["columns"]) == 20_000
    source = CountingSource(b'"' + b"x" * 2 * MIB + b'"\n')
    with pytest.raises(NotATable, match="the first row does not end within 786,432 bytes"):
        table.plan(source, TableRecipe(format="csv"))
    assert source.read_bytes <= MIB


@pytest.mark.parametrize("size", [1, 10, 100])
def test_a_worker_reads_its_span_and_little_more(size: int) -> None:
    """Counted over a whole job; the rows are small."""
    data = b"a,b\n" + b'12345,"x\ny"\n' * 2000 * size
    result = run(table, data, TableRecipe(chunk=9000 * size))
    for line in result.rounds[0]:
        assert result.reads[line.id] <= line.span["stop"] - line.span["start"] + (64 << 10)
    typical = sorted(result.reads[line.id] - (line.span["stop"] - line.span["start"]) for line in result.rounds[0])
    assert typical[len(typical) // 2] <= 4097


@pytest.mark.parametrize(
    ("data", "fields", "error", "says"),
    [
        (b"a,b\n1,\x002\n", {}, NotATable, "byte 6 is zero"),
        (b"\x89PNG\r\n\x1a\n123", {}, NotATable, "a PNG image"),
        (b"PK\x03\x04abc", {}, NotATable, "a zip archive"),
        (gzip.compress(b"\x89PNG\r\n\x1a\n123"), {}, NotATable, "inside its gzip it begins like a PNG image"),
        (gzip.compress(bz2.compress(b"a,b\n")), {}, NotATable, "inside its gzip it begins like bzip2 data"),
        (bytes(257) + b"ustar", {}, NotATable, "a tar archive"),
        (b"\0\0\0\x18ftypmp42", {}, NotATable, "MP4"),
        (b"[1, 2, 3]", {}, NotATable, "no JSON objects: the first, at byte 1, is '1'"),
        (b'[["a"], ["b"]]', {}, NotATable, "no JSON objects"),
        (b"[[" * 100_000, {}, NotATable, "no JSON objects"),
        (b'{"a": 1}', {"format": "json", "records": "/b"}, NoRecords, "the whole has no 'b'; it has: 'a'"),
        (b'{"a": 1}', {"records": "/a"}, NoRecords, "that is a number, and no array"),
        (b'{"a": {"b": "x"}}', {"records": "/a/b/c"}, NoRecords, "`/a/b` is a string, and has no 'c'"),
        (b'{"a": [[{}], {}]}', {"records": "/a/1"}, NoRecords, "that is an object, and no array"),
        (b'{"a": [[{}], {}]}', {"records": "/a/2"}, NoRecords, "`/a` is an array of 2 elements, and has no 2"),
        (b'{"a": [[{}], {}]}', {"records": "/a/01"}, NoRecords, "'01' is no index"),
        (b'{"a": "' + b"x" * 10**6 + b'", "b": []}', {"records": "/b"}, NoRecords, "within 786,432 bytes, which is"),
        (b'{"a": {"b": [', {"records": "/c"}, BrokenJson, "ends at byte 13, before the array"),
        (b'{"a": 1, "b" []}', {"records": "/b"}, BrokenJson, "breaks at byte 13: no member"),
        (b'{"a": 1 "b": []}', {"records": "/b"}, BrokenJson, 'breaks at byte 8: `"` where `,` or `}`'),
        (b'{"a": [1}, "b": []}', {"records": "/b"}, BrokenJson, "breaks at byte 8: `}` where `]` must stand"),
        (b"a,b\n", {"format": "json"}, NotATable, "begins with 'a'"),
        (b"a,b\n\xff\n", {}, WrongEncoding, r"byte 4 of the object \(0xff\) is no utf-8"),
        (b"a,b\n", {"encoding": "klingon"}, WrongEncoding, "no encoding that Python knows"),
        (b"a,b\n", {"encoding": "rot13"}, WrongEncoding, "no encoding of a file's text"),
        (b"a,b\n", {"encoding": "idna"}, WrongEncoding, "no encoding of a file's text"),
        (b"a,b\n", {"encoding": "utf-16"}, WrongEncoding, "no such byte order mark"),
        (b"\xff\xfea\0\n\0", {"encoding": "utf-32"}, WrongEncoding, "no such byte order mark"),
        (b"\xff\xfe\0\0a\0\0\0b\0", {}, WrongEncoding, "is no utf-32-le|a multiple of 4"),
        (b"\xff\xfea\0\n\0x", {}, WrongEncoding, "is no utf-16-le|a multiple of 2"),
        (b"a, b\n", {"delimiter": " ", "skip_initial_space": True}, RecipeError, "a space is `delimiter`"),
        (b"\n" * 800_000, {}, NotATable, "only blank lines within 786,432 bytes"),
        (b'a,"b\n', {}, UnclosedQuote, "the quote at byte 2"),
        (b"a,b\n", {"index": {"partition": "c"}}, UnknownColumn, "`index.partition` names 'c'; the columns are: a, b"),
        (b"a,b\n", {"index": {"partition": "a", "sort": "d"}}, UnknownColumn, "`index.sort` names 'd'"),
        (b"a,b\n", {"columns": {"e": "text"}}, UnknownColumn, "`columns` names 'e'"),
        (b"a,b\n", {"index": {"partition": "a"}, "totals": [{"by": "a", "sum": "x"}]}, UnknownColumn, "`totals.sum`"),
        (b"a,b\n", {"delimiter": '"'}, RecipeError, "they must differ"),
        (b"1,2\n", {"header": False, "columns": {"a": "text", "b": "text", "c": "text"}}, UnknownColumn, "names 3"),
        (b"a\n" * 30_000, {"chunk": 1}, TooManyChunks, "would be 60,000, and a job may have 40,000: `chunk: 1KiB`"),
    ],
)
def test_what_cannot_be_done_is_refused(
    data: bytes, fields: dict[str, object], error: type[FanfoldError], says: str
) -> None:
    """Before any worker starts, in one line."""
    with pytest.raises(error, match=says) as caught:
        plan(data, **fields)
    assert "\n" not in str(caught.value)


def test_too_many_chunks_names_one_that_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """And it does fit, with the grid of Parquet too."""
    monkeypatch.setattr(planning, "CHUNKS_LIMIT", 10)
    data = b"a,b\n" * 10_000
    for output in ("csv", "parquet"):
        with pytest.raises(TooManyChunks) as caught:
            plan(data, chunk=100, output=output)
        chunk = str(caught.value).split("`chunk: ")[1].split("`")[0]
        assert len(plan(data, chunk=chunk, output=output).lines) <= 10


@pytest.mark.parametrize(
    ("header", "names"),
    [
        (b"a,b", ["a", "b"]),
        (b" a , b", ["a", "b"]),
        (b"a,,a", ["a", "c2", "a_2"]),
        (b"a,a,a_2", ["a", "a_3", "a_2"]),
        (b"a,a,a", ["a", "a_2", "a_3"]),
        (b",c1", ["c1_2", "c1"]),
        ('"a\nb",é'.encode(), ["a\nb", "é"]),
    ],
)
def test_names_are_unique(header: bytes, names: list[str]) -> None:
    """An empty name gets its number, a second one a suffix, and no name is taken from the column that has it."""
    assert list(columns(header + b"\n")) == names


def test_columns_without_a_header_are_numbered_or_named() -> None:
    """`columns` names them in order, or by number."""
    assert columns(b"1,x\n", header=False) == {"c1": "small", "c2": "text"}
    assert columns(b"1,x\n", header=False, columns={"id": "integer"}) == {"id": "integer", "c2": "text"}
    assert columns(b"1,x\n", header=False, columns={"c2": "text", "c1": "float"}) == {"c1": "float", "c2": "text"}


@pytest.mark.parametrize(
    ("data", "delimiter"),
    [
        (b"a,b,c\n1,2,3\n", ","),
        (b"a;b;c\n1,5;2;3\n2,5;3;4\n", ";"),
        (b"a\tb\n1,2\t3\n", "\t"),
        (b"a|b\n1|2\n", "|"),
        (b'a,b\n"x;y;z",1\n"p;q;r",2\n', ","),
        (b"a\n1\n2\n", ","),
        (b"name,comment\nx,hello; world\ny,bye\n", ","),
    ],
)
def test_the_delimiter_is_the_one_that_makes_even_rows(data: bytes, delimiter: str) -> None:
    """A comma where nothing does."""
    assert plan(data).layout["dialect"][0] == delimiter


@pytest.mark.parametrize(
    ("data", "format"),
    [
        (b'{"a":1}\n{"a":2}\n', "jsonl"),
        (b'  {"a":1}', "jsonl"),
        (b"a,b\n", "csv"),
        (b'{"a":1}{"a":2}', "values"),
        (b'{\n "a": 1\n}\n{\n "a": 2\n}\n', "values"),
        (b'{\n "a": 1\n}', "values"),
        (b'[{"a":1}]', "array"),
        (b'\n [\n\n {"a":1}]', "array"),
        (b"[]", "array"),
        (b"[id],[n]\n1,2\n", "csv"),
        (b"{x},y\n", "csv"),
    ],
)
def test_the_format_is_told_by_the_bytes(data: bytes, format: str) -> None:
    """What begins with a JSON object or array is JSON of one of three forms; everything else is CSV."""
    assert plan(data).layout["format"] == format


SAMPLES = Path(__file__).parents[3] / "samples"


@pytest.mark.parametrize(
    ("head", "key", "is_table"),
    [
        (b"a,b\n1,2\n", "x", True),
        (b"just a line\n", "notes.txt", True),
        (b"just a line\n", "notes", False),
        (b"one, two\nthree, four, five\nsix\n", "poem", False),
        (b'{"a":1}\n', "x", True),
        (b'{"a": "' + b"x" * 4000, "x", True),
        (b'[{"a":1}]', "x.json", True),
        (b'[{"a":1}]', "x", True),
        (b'{\n "a": 1\n}\n', "x", True),
        (b'{"type": "FeatureCollection", "features": [', "x", True),
        (b"\x89PNG\r\n\x1a\n", "x.csv", False),
        (b"\xff\xd8\xff\xe0", "x.csv", False),
        (b"\x1f\x8b\x08", "x.csv.gz", False),
        (b"%PDF-1.7\n", "x.txt", False),
        (b"\0\0\0\x18ftypmp42", "x.mp4", False),
        (b"RIFF\0\0\0\0WEBP", "x.csv", False),
        (b"PAR1", "x", False),
        (b"BMW,Audi\n1,2\n", "cars", True),
        ("a;b\n1;2\n".encode("utf-16"), "x", True),
        (b"a,b\n\0", "x.csv", False),
        (b"", "x.csv", True),
    ],
)
def test_sniff_tells_tables_by_their_first_bytes(head: bytes, key: str, is_table: bool) -> None:
    """The key's ending helps where the bytes could be anything, and never overrides them."""
    assert table.sniff(head, key) is is_table


def test_samples_are_tables_and_other_formats_are_not() -> None:
    """By their first 4 KiB."""
    for name in ("airports.csv", "seattle-weather.csv"):
        assert table.sniff((SAMPLES / name).read_bytes()[:4096], "no-ending")


def test_the_layout_and_the_lines_are_json() -> None:
    """Nothing is lost on the way through the work bucket; a line works from what came back."""
    made = plan(b"a,b\n1,2\n3,4\n", chunk=5)
    back = json.loads(json.dumps(made.layout))
    assert back == made.layout
    assert [line.id for line in made.lines] == ["0-00000", "0-00001", "0-00002"]
    desk = MemoryDesk(made.lines[1], {})
    facts = table.process(CountingSource(b"a,b\n1,2\n3,4\n"), TableRecipe(), back, made.lines[1], desk)
    assert desk.noted["first"] == facts["first"] == 8
    assert facts["rows"] == 1


def test_stats_of_a_wide_table_are_short() -> None:
    """They travel through the state machine, whose payload is limited."""
    header = ",".join(f"column{number}" for number in range(5000))
    result = run(table, f"{header}\n".encode(), TableRecipe())
    assert len(result.stats["columns"]) == 200
    assert result.stats["more_columns"] == 4800
    with pytest.raises(UnknownColumn) as caught:
        plan(b'"a\nb",' + b"x" * 10_000 + b"\n", index={"partition": "c"})
    assert len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)
