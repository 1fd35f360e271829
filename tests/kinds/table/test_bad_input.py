"""What people upload by mistake: it is read, or refused in one line with what was received, the limit and a remedy."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from fanfold import kinds
from fanfold.errors import InvalidInput, NotATable, RowTooLarge, UnclosedQuote, WrongEncoding
from fanfold.kinds import table
from fanfold.kinds.table.layout import ROW_LIMIT_BYTES
from fanfold.kinds.table.recipe import TableRecipe
from tests.kinds.driver import Result, run

GIB = 1 << 30
MESSAGE_LIMIT = 300
"""Characters that a person reads as one line."""


class Repeated:
    """Bytes that are made where they are read: a head, and one byte over and over."""

    def __init__(self, byte: bytes, head: bytes = b"", size_bytes: int = GIB) -> None:
        self._head, self._byte, self._size_bytes = head, byte, size_bytes

    def __len__(self) -> int:
        return self._size_bytes

    def __getitem__(self, span: slice) -> bytes:
        start, stop = (min(place, self._size_bytes) for place in (span.start, span.stop))
        return self._head[start:stop] + self._byte * max(0, stop - max(start, len(self._head)))


def refused(data: Any, error: type[InvalidInput], says: str, **fields: Any) -> str:
    """Assert that a job is refused in one readable line, with a remedy; return the line."""
    with pytest.raises(error, match=says) as caught:
        finished(data, TableRecipe(**fields))
    line = str(caught.value)
    assert line.isprintable()
    assert len(line) <= MESSAGE_LIMIT
    assert caught.value.remedy.endswith(".")
    assert caught.value.remedy != InvalidInput.remedy
    return line


def finished(data: Any, recipe: TableRecipe) -> Result:
    """Run a job to its end, which is an error too where there are too many rejects."""
    result = run(table, data, recipe)
    if result.folded.refused:
        raise result.folded.refused
    return result


def peak_bytes(work: Callable[[], object]) -> int:
    """Return the most memory that work takes of Python's own: windows, rows and cells."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def rows(result: Result) -> list[list[Any]]:
    return [list(json.loads(line).values()) for line in result.outputs["rows.jsonl"].splitlines()]


@pytest.mark.parametrize("byte", [b"x", b",", b'"', b" ", b";", b"{", b"\\"])
def test_a_gigabyte_of_one_byte_is_refused_by_its_head(byte: bytes) -> None:
    """In the memory of a head, whatever the object's size."""
    data = Repeated(byte)
    peak = peak_bytes(lambda: refused(data, NotATable, "does not end within 786,432 bytes"))
    assert peak < 32 << 20


def test_a_gigabyte_of_zeros_is_no_text() -> None:
    """The first of them is enough."""
    refused(Repeated(b"\0"), NotATable, "byte 0 is zero, which no text has")


@pytest.mark.parametrize("quoted", [True, False])
def test_a_row_of_100_megabytes_is_refused_in_bounded_memory(quoted: bool) -> None:
    """By its place and the limit, after about the limit has been read."""
    data = Repeated(b"x", b'a,b\n1,"' if quoted else b"a,b\n1,", 100_000_000)
    peak = peak_bytes(
        lambda: refused(data, RowTooLarge, "the row at byte 4 has more than 67,108,864 bytes", columns="text")
    )
    assert peak < 4 * ROW_LIMIT_BYTES


def test_a_row_of_20_megabytes_is_read() -> None:
    """Across chunks that lie inside it."""
    cell = "word, " * 3_333_333
    data = f'a,b\n1,"{cell}"\n2,y\n'.encode()
    result = run(table, data, TableRecipe(columns="text", chunk="4MiB"))
    assert rows(result) == [["1", cell.strip()], ["2", "y"]]


def test_10_000_columns_are_read_and_few_of_them_are_told() -> None:
    """Each cell is right, in chunks smaller than a row; the stats stay small."""
    names = [f"column {number}" for number in range(10_000)]
    body = [[str(row * number) for number in range(10_000)] for row in range(3)]
    data = "".join(",".join(cells) + "\n" for cells in [names, *body]).encode()
    result = run(table, data, TableRecipe(columns="text", chunk=30_000))
    assert rows(result) == body
    assert list(json.loads(result.outputs["rows.jsonl"].splitlines()[0])) == names
    assert len(json.dumps(result.stats)) < 20_000
    assert result.stats["more_columns"] == 9_800


def test_a_header_of_a_million_columns_is_refused() -> None:
    """It is longer than a header may be."""
    refused(b"c," * 1_000_000 + b"c\n1\n", NotATable, "the first row does not end within 786,432 bytes")


def test_zeros_are_refused_in_the_head_and_read_behind_it() -> None:
    """As `csv.reader` reads them."""
    refused(b"a,b\n1,\0\n", NotATable, "byte 6 is zero, which no text has")
    body = b"1,2\n" * 20_000
    result = run(table, b"a,b\n" + body + b"3,x\0y\n" + body, TableRecipe(columns="text", chunk=9_999))
    assert rows(result)[20_000] == ["3", "x\0y"]
    assert len(rows(result)) == 40_001


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (b"", []),
        (b"\xef\xbb\xbf", []),
        (b"\n", []),
        (b"\n\r\n\n\r", []),
        (b"a,b", ["a", "b"]),
        (b"a,b\r\n\r\n", ["a", "b"]),
        (b"one\n", ["one"]),
    ],
)
@pytest.mark.parametrize("output", ["jsonl", "csv", "parquet"])
def test_a_table_without_rows_is_a_table(data: bytes, names: list[str], output: str) -> None:
    """Empty, blank lines, a header alone: no rows, and the columns that there are."""
    result = run(table, data, TableRecipe(output=output, chunk=2))
    assert (result.stats["rows"], result.stats["rejected"]) == (0, 0)
    assert [column["name"] for column in result.stats["columns"]] == names
    made = result.outputs[f"rows.{output}"]
    if output == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        assert pq.read_table(pa.BufferReader(made)).column_names == names
    else:
        assert made == (",".join(names) + "\n" if names and output == "csv" else "").encode()


def test_one_column_is_a_table() -> None:
    """No delimiter stands anywhere; blank lines are no rows."""
    data = b"n\n" + b"".join(b"%d\n\n" % number for number in range(500))
    result = run(table, data, TableRecipe(chunk=7))
    assert rows(result) == [[number] for number in range(500)]


def test_a_quote_that_is_never_closed_is_named_by_its_place() -> None:
    """Not by a row that swallowed the rest."""
    data = b"a,b\n" + b"1,2\n" * 5000 + b'3,"x\n' + b"1,2\n" * 5000
    refused(data, UnclosedQuote, "the quote that opens at byte 20,006 is not closed", chunk=4099)


def test_bytes_of_another_encoding_are_named_by_their_place() -> None:
    """In the head by the splitter; behind it by the first row that does not decode."""
    refused("a,b\n1,café\n".encode("latin-1"), WrongEncoding, r"byte 9 of the object \(0xe9\) is no utf-8")
    late = b"a,b\n" + b"1,2\n" * 30_000 + "1,café\n".encode("latin-1")
    refused(late, WrongEncoding, "the first: byte 120,004: bytes that are no utf-8", chunk="50KB")


def test_an_odd_number_of_bytes_is_no_utf_16() -> None:
    """It is cut off, or something else."""
    data = "a,b\n1,2\n".encode("utf-16")[:-1]
    refused(data, WrongEncoding, "is no utf-16|an odd number")


@pytest.mark.parametrize(
    "head",
    [
        b"%PDF-1.7\n",
        b"PK\x03\x04\x14",
        b"\x89PNG\r\n\x1a\n",
        b"PAR1\x15",
        b"SQLite format 3\0",
        b"\x7fELF\x02\x01\x01\0",
    ],
)
def test_what_is_no_text_is_refused_and_not_taken_for_a_table(head: bytes) -> None:
    """By what its first bytes say it is; and intake does not route it here, whatever its name."""
    data = head + bytes(range(256)) * 20
    refused(data, NotATable, "it begins like|is zero")
    assert not kinds.get("table").sniff(data[:4096], "really.csv")
