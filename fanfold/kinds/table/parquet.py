"""Parquet row groups that depend on their rows alone, and the Arrow batches that they are packed from."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fanfold.kinds.table.casting import Typed, arrow_type
from fanfold.kinds.table.footers import MAGIC, TAIL_BYTES, footer_bytes
from fanfold.kinds.table.layout import Column

COMPRESSION, COMPRESSION_LEVEL = "zstd", 1

WRITTEN_VALUES = 1 << 13
"""How many values Arrow encodes at once; by its own default an eighth, which costs a twentieth more time."""

SAMPLED_VALUES, REPEATING_SHARE = 1 << 12, 0.8
"""A column has a dictionary where so many of its first values are at most this share of different ones."""


def schema(columns: Sequence[Column]) -> Any:
    """Return the Arrow schema of columns."""
    return pa.schema([(column.name, arrow_type(column.type)) for column in columns])


def record_batch(values: Sequence[Typed]) -> Any:
    """Return an Arrow batch of typed columns."""
    return pa.record_batch([typed.values for typed in values], schema=schema([typed.column for typed in values]))


def row_group(batches: Sequence[Any], kinds: Any) -> bytes:
    """Return a Parquet file of one row group, the same bytes however its rows came in batches."""
    table = pa.Table.from_batches(batches, kinds).combine_chunks()
    repeating = {name for name, column in zip(kinds.names, table.columns, strict=True) if _repeats(column)}
    file = io.BytesIO()
    with pq.ParquetWriter(
        file,
        kinds,
        version="2.6",
        compression=COMPRESSION,
        compression_level=COMPRESSION_LEVEL,
        write_batch_size=WRITTEN_VALUES,
        store_schema=False,
        use_dictionary=sorted(repeating),
        column_encoding={field.name: _encoding(field.type) for field in kinds if field.name not in repeating},
    ) as writer:
        if table.num_rows:
            writer.write_table(table, row_group_size=table.num_rows)
    return file.getvalue()


def _repeats(column: Any) -> bool:
    """Tell whether a column has few enough different values for a dictionary, by its first ones."""
    first = column.slice(0, SAMPLED_VALUES)
    return bool(len(pc.unique(first)) <= REPEATING_SHARE * len(first))


def _encoding(kind: Any) -> str:
    """Return how values without a dictionary are written."""
    return "DELTA_BINARY_PACKED" if pa.types.is_int64(kind) or pa.types.is_temporal(kind) else "PLAIN"


def stream(batches: Iterable[Any], kinds: Any) -> bytes:
    """Return batches as an Arrow IPC stream."""
    file = io.BytesIO()
    with pa.ipc.new_stream(file, kinds, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return file.getvalue()


def batches_of(data: bytes) -> list[Any]:
    """Return the batches of an Arrow IPC stream."""
    return list(pa.ipc.open_stream(data))


def empty_footer(columns: Sequence[Column]) -> bytes:
    """Return the footer of a file of these columns without rows, without its tail."""
    data = row_group([], schema(columns))
    return data[-TAIL_BYTES - footer_bytes(data) : -TAIL_BYTES]


def body_span(size_bytes: int, footer_length: int) -> tuple[int, int]:
    """Return where the row groups of a file begin and end."""
    return len(MAGIC), size_bytes - TAIL_BYTES - footer_length
