"""Joining Parquet files by their footers alone: the bytes of row groups stay as they are.

A footer is a Thrift struct in the compact protocol. It is read into plain fields without knowing its schema, so
that what is not touched is written back as it was.
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

MAGIC = b"PAR1"
TAIL_BYTES = 8
"""Behind the footer: its length in 4 bytes, and the magic."""

CREATED_BY = b"fanfold version 1"

_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_VARINTS = (_I16, _I32, _I64)

# Fields of FileMetaData, RowGroup, ColumnChunk and ColumnMetaData.
_SCHEMA, _NUM_ROWS, _ROW_GROUPS, _CREATED_BY = 2, 3, 4, 6
_COLUMNS, _GROUP_ROWS, _GROUP_OFFSET, _ORDINAL = 1, 3, 5, 7
_CHUNK_OFFSET, _META_DATA = 2, 3
_PAGE_OFFSETS = (9, 10, 11, 14)


@dataclass(slots=True)
class Field:
    """One field of a struct: its number, its Thrift type and its value."""

    id: int
    type: int
    value: Any


Struct = list[Field]


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def struct(self) -> Struct:
        fields: Struct = []
        last = 0
        while header := self._byte():
            step, kind = header >> 4, header & 15
            last = last + step if step else self._zigzag()
            fields.append(Field(last, kind, None if kind in (_TRUE, _FALSE) else self._value(kind)))
        return fields

    def _value(self, kind: int) -> Any:
        if kind in _VARINTS:
            return self._zigzag()
        if kind == _BINARY:
            return self._take(self._varint())
        if kind == _STRUCT:
            return self.struct()
        if kind in (_LIST, _SET):
            header = self._byte()
            count, inner = header >> 4, header & 15
            if count == 15:
                count = self._varint()
            return inner, [self._value(inner) for _ in range(count)]
        if kind in (_TRUE, _FALSE, _BYTE):
            return self._byte()
        if kind == _DOUBLE:
            return self._take(8)
        raise ValueError(f"a Parquet footer has a field of Thrift type {kind}")

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _take(self, count: int) -> bytes:
        self._at += count
        return self._data[self._at - count : self._at]

    def _varint(self) -> int:
        number = shift = 0
        while (byte := self._byte()) > 127:
            number |= (byte & 127) << shift
            shift += 7
        return number | byte << shift

    def _zigzag(self) -> int:
        number = self._varint()
        return number >> 1 ^ -(number & 1)


def read_footer(data: bytes) -> Struct:
    """Return the FileMetaData in `data`, a footer without its tail."""
    return _Reader(data).struct()


def write_footer(struct: Struct) -> bytes:
    """Return a footer's bytes without its tail."""
    return _write(_STRUCT, struct)


def _write(kind: int, value: Any) -> bytes:
    if kind in _VARINTS:
        return _varint(value << 1 ^ value >> 63)
    if kind == _BINARY:
        return _varint(len(value)) + bytes(value)
    if kind == _STRUCT:
        return _struct(value)
    if kind in (_LIST, _SET):
        inner, values = value
        count = len(values)
        header = bytes([count << 4 | inner]) if count < 15 else bytes([0xF0 | inner]) + _varint(count)
        return header + b"".join(_write(inner, item) for item in values)
    return bytes(value) if kind == _DOUBLE else bytes([value])


def _struct(fields: Struct) -> bytes:
    pieces = []
    last = 0
    for field in fields:
        step = field.id - last
        if 0 < step < 16:
            pieces.append(bytes([step << 4 | field.type]))
        else:
            pieces.append(bytes([field.type]) + _varint(field.id << 1 ^ field.id >> 63))
        last = field.id
        if field.type not in (_TRUE, _FALSE):
            pieces.append(_write(field.type, field.value))
    return b"".join(pieces) + b"\0"


def _varint(number: int) -> bytes:
    data = bytearray()
    while number > 127:
        data.append(number & 127 | 128)
        number >>= 7
    data.append(number)
    return bytes(data)


def _get(struct: Struct, number: int) -> Field:
    return next(field for field in struct if field.id == number)


def _shift(struct: Struct, numbers: Iterable[int], by: int) -> None:
    """Move the file offsets in some fields; 0 stands for none."""
    for field in struct:
        if field.id in numbers and field.value:
            field.value += by


def footer_bytes(tail: bytes) -> int:
    """Return the length of the footer before a file's last 8 bytes."""
    if tail[-4:] != MAGIC:
        raise ValueError("no Parquet file: the magic is missing at its end")
    return int.from_bytes(tail[-8:-4], "little")


def joined(empty: bytes, groups: Iterable[tuple[bytes, int]]) -> bytes:
    """Return what stands behind the row groups of one Parquet file made of others: its footer and tail.

    `empty` is the footer of a file of the same schema without rows. Each group is the footer of a file, without its
    tail, and the bytes of its body: all between the magic at its start and its footer.
    """
    whole = read_footer(empty)
    schema = _get(whole, _SCHEMA).value
    row_groups: list[Struct] = []
    rows = body_bytes = 0
    for footer, length in groups:
        part = read_footer(footer)
        if _get(part, _SCHEMA).value != schema:
            raise ValueError("the row groups of one Parquet file would have two schemas")
        for group in _get(part, _ROW_GROUPS).value[1]:
            _shift(group, (_GROUP_OFFSET,), body_bytes)
            for chunk in _get(group, _COLUMNS).value[1]:
                _shift(chunk, (_CHUNK_OFFSET,), body_bytes)
                _shift(_get(chunk, _META_DATA).value, _PAGE_OFFSETS, body_bytes)
            for field in group:
                if field.id == _ORDINAL:
                    field.value = len(row_groups)
            rows += _get(group, _GROUP_ROWS).value
            row_groups.append(group)
        body_bytes += length
    _get(whole, _NUM_ROWS).value = rows
    _get(whole, _ROW_GROUPS).value = (_STRUCT, row_groups)
    _get(whole, _CREATED_BY).value = CREATED_BY
    footer = write_footer(whole)
    return footer + len(footer).to_bytes(4, "little") + MAGIC
