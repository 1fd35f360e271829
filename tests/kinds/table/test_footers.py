"""Parquet files are joined by their footers alone, and every footer survives being read and written."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.kinds.table import footers

columns = st.sampled_from([pa.int64(), pa.string(), pa.float64(), pa.bool_(), pa.date32(), pa.timestamp("us", "UTC")])


def footer_of(data: bytes) -> bytes:
    return data[-footers.TAIL_BYTES - footers.footer_bytes(data) : -footers.TAIL_BYTES]


def written(table: pa.Table, **options: object) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file.getvalue()


@given(st.lists(columns, min_size=1, max_size=40), st.integers(0, 50), st.integers(1, 20), st.booleans())
def test_a_footer_is_written_as_it_was_read(kinds: list[pa.DataType], rows: int, group: int, index: bool) -> None:
    """Byte for byte: more than 14 columns, no rows, many row groups, page indexes."""
    table = pa.table({f"c{at}": pa.nulls(rows, kind) for at, kind in enumerate(kinds)})
    footer = footer_of(written(table, row_group_size=group, write_page_index=index))
    assert footers.write_footer(footers.read_footer(footer)) == footer


@given(st.lists(st.lists(st.one_of(st.none(), st.integers(-(2**40), 2**40)), max_size=20), min_size=1, max_size=20))
def test_joined_files_hold_the_rows_of_all(parts: list[list[int | None]]) -> None:
    """In their order, with their statistics, and nothing of the bodies changed."""
    tables = [
        pa.table({"n": pa.array(part, pa.int64()), "t": pa.array([str(n) for n in part], pa.string())})
        for part in parts
    ]
    files = [written(table, compression="zstd") for table in tables]
    bodies = [data[len(footers.MAGIC) : -footers.TAIL_BYTES - len(footer_of(data))] for data in files]
    groups = [(footer_of(data), len(body)) for data, body in zip(files, bodies, strict=True)]
    tail = footers.joined(footer_of(written(tables[0].slice(0, 0))), groups)
    read = pq.ParquetFile(io.BytesIO(footers.MAGIC + b"".join(bodies) + tail))
    assert read.read().equals(pa.concat_tables(tables))
    assert read.metadata.created_by == footers.CREATED_BY.decode()
    for number in range(read.num_row_groups):
        assert read.metadata.row_group(number).column(0).file_offset >= 0
        assert read.read_row_group(number).num_rows == read.metadata.row_group(number).num_rows


def test_files_of_two_schemas_are_not_joined() -> None:
    """A reader would see rows under the wrong names."""
    one, other = (footer_of(written(pa.table({name: [1]}))) for name in "ab")
    with pytest.raises(ValueError, match="two schemas"):
        footers.joined(one, [(other, 100)])


def test_what_is_no_parquet_has_no_footer() -> None:
    """The magic tells."""
    with pytest.raises(ValueError, match="magic"):
        footers.footer_bytes(b"0123456789")
