"""Parquet row groups that depend on their rows alone, and the Arrow batches that they are packed from."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from datetime import UTC
from typing import Any

from fanfold.kinds.table.footers import MAGIC, TAIL_BYTES, footer_bytes
from fanfold.kinds.table.layout import Column
from fanfold.kinds.table.values import Value, public

COMPRESSION, COMPRESSION_LEVEL = "zstd", 3


def schema(columns: Sequence[Column]) -> Any:
    """Return the Arrow schema of columns."""
    import pyarrow as pa

    return pa.schema([(column.name, _arrow_type(column.type)) for column in columns])


def _arrow_type(kind: str) -> Any:
    import pyarrow as pa

    if kind.startswith("decimal"):
        precision, scale = (int(number) for number in kind[8:-1].split(","))
        return pa.decimal128(precision, scale)
    return {
        "text": pa.string(),
        "integer": pa.int64(),
        "float": pa.float64(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("us"),
        "instant": pa.timestamp("us", "UTC"),
    }[public(kind)]


def record_batch(columns: Sequence[Column], values: Sequence[Sequence[Value]]) -> Any:
    """Return an Arrow batch of typed values, by column."""
    import pyarrow as pa

    kinds = schema(columns)
    arrays = []
    for column, cells, field in zip(columns, values, kinds, strict=True):
        if column.type == "timestamp":
            # A declared timestamp may have an offset in one row and none in the next; the column is UTC without a name.
            cells = [
                cell and cell.astimezone(UTC).replace(tzinfo=None) if cell and cell.tzinfo else cell for cell in cells
            ]
        arrays.append(pa.array(cells, field.type))
    return pa.record_batch(arrays, schema=kinds)


def row_group(batches: Sequence[Any], kinds: Any) -> bytes:
    """Return a Parquet file of one row group, the same bytes however its rows came in batches."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_batches(batches, kinds).combine_chunks()
    file = io.BytesIO()
    with pq.ParquetWriter(
        file, kinds, version="2.6", compression=COMPRESSION, compression_level=COMPRESSION_LEVEL, store_schema=False
    ) as writer:
        if table.num_rows:
            writer.write_table(table, row_group_size=table.num_rows)
    return file.getvalue()


def stream(batches: Iterable[Any], kinds: Any) -> bytes:
    """Return batches as an Arrow IPC stream."""
    import pyarrow as pa

    file = io.BytesIO()
    with pa.ipc.new_stream(file, kinds, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return file.getvalue()


def batches_of(data: bytes) -> list[Any]:
    """Return the batches of an Arrow IPC stream."""
    import pyarrow as pa

    return list(pa.ipc.open_stream(data))


def empty_footer(columns: Sequence[Column]) -> bytes:
    """Return the footer of a file of these columns without rows, without its tail."""
    data = row_group([], schema(columns))
    return data[-TAIL_BYTES - footer_bytes(data) : -TAIL_BYTES]


def body_span(size_bytes: int, footer_length: int) -> tuple[int, int]:
    """Return where the row groups of a file begin and end."""
    return len(MAGIC), size_bytes - TAIL_BYTES - footer_length
