"""Hypothesis strategies that several tests share: tables as people write them, and as nobody should."""

from __future__ import annotations

import csv
import io
import json

from hypothesis import strategies as st

from tests.kinds.oracle import CsvCase, Dialect

dialects = st.sampled_from(
    [
        Dialect(),
        Dialect(";"),
        Dialect("\t"),
        Dialect("|", "'"),
        Dialect(escape="\\"),
        Dialect(",", None),
        Dialect(",", None, "\\"),
        Dialect(doubled=False),
        Dialect(escape="\\", doubled=False),
        Dialect(spaces=True),
        Dialect(";", "'", "\\", spaces=True),
    ]
)

encodings = st.sampled_from(
    ["utf-8", "utf-8-sig", "latin-1", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "cp1252", "euc_kr"]
)

chunks = st.one_of(st.integers(1, 12), st.integers(1, 300))


@st.composite
def garbage(draw: st.DrawFn, dialect: Dialect) -> str:
    """Text of the characters that row structure depends on, in no order."""
    marks = [dialect.delimiter, '"', "'", "\n", "\r", "\r\n", "\\", '""', '",', ',"', '\n"', '"\n']
    return "".join(draw(st.lists(st.sampled_from(["a", "é", " ", *marks]), min_size=1, max_size=40)))


@st.composite
def written(draw: st.DrawFn, dialect: Dialect) -> str:
    """Text that `csv.writer` wrote, with line ends, delimiters, quotes and whole tables inside its cells."""
    plain = st.text(st.sampled_from("aé1 "), max_size=4)
    nasty = st.text(st.sampled_from(f"a\"'\n\r\\{dialect.delimiter}"), max_size=8)
    table = st.integers(1, 6).map(lambda count: "\n".join([dialect.delimiter.join("xyz")] * count))
    width = draw(st.integers(1, 4))
    rows = st.lists(st.one_of(plain, nasty, table), min_size=width, max_size=width)
    ragged = st.lists(plain, max_size=5)
    quoting = csv.QUOTE_NONE if dialect.quote is None else draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    file = io.StringIO(newline="")
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    writer = csv.writer(file, **(dialect.arguments | {"quoting": quoting}), lineterminator=end)
    for row in draw(st.lists(st.one_of(rows, rows, rows, ragged), min_size=1, max_size=8)):
        try:
            writer.writerow(row)
        except csv.Error:
            continue  # a cell that the dialect cannot write
    text = file.getvalue()
    return (text if draw(st.booleans()) else text.rstrip("\r\n")) or "a"


@st.composite
def csv_cases(draw: st.DrawFn) -> CsvCase:
    """An object of CSV, its dialect and encoding, a chunk, and an order of the workers."""
    dialect, encoding = draw(dialects), draw(encodings)
    text = draw(st.one_of(written(dialect), garbage(dialect)))
    text = text.encode(encoding, "ignore").decode(encoding) or "a"
    return CsvCase(text, dialect, encoding, draw(chunks), draw(st.booleans()), draw(st.sampled_from([None, 1, 2])))


numbers = st.one_of(
    st.integers().map(str),
    st.decimals(allow_nan=False, allow_infinity=False, places=4).map(str),
    st.sampled_from(["1.50", "-0", "1e5", "1E-7", "123456789012345678901234567890", "0.12345678901234567890"]),
)


@st.composite
def json_texts(draw: st.DrawFn, depth: int = 0) -> str:
    """The text of a JSON value; numbers are written as no Python number would be."""
    leaves = st.one_of(numbers, st.text(max_size=5).map(json.dumps), st.sampled_from(["null", "true", "false"]))
    if depth == 2 or draw(st.booleans()):
        return draw(leaves)
    inner = draw(st.lists(json_texts(depth + 1), max_size=3))
    if draw(st.booleans()):
        return "[" + ", ".join(inner) + "]"
    return "{" + ",".join(f'"{"abc"[at]}" : {text}' for at, text in enumerate(inner)) + "}"


@st.composite
def json_lines(draw: st.DrawFn) -> str:
    """Lines of JSON objects, and here and there what is none."""
    objects = st.lists(json_texts(1), max_size=3).map(
        lambda texts: "{" + ", ".join(f'"{"abc"[at]}": {text}' for at, text in enumerate(texts)) + "}"
    )
    other = st.sampled_from(["", "  ", "[1]", "7", "{", "nonsense", '{"a": NaN}', '{"a": 01}', '{"a": "\\ud800"}'])
    lines = draw(st.lists(st.one_of(objects, objects, other), max_size=8))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    return '{"first": 1}\n' + end.join(lines) + draw(st.sampled_from(["", "\n"]))


cells = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.integers(-99, 99).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.decimals(-(10**6), 10**6, places=2).map(str),
    st.dates().map(str),
    st.datetimes().map(str),
    st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
    st.sampled_from(["true", "False", "", " ", "00501", "+1", "-0", "1e999", "nan", "2012/02/30", "2012/02/29", "é"]),
)
"""Texts of every type, and of what nearly is one."""
