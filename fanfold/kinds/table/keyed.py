"""Rows that are lines of JSON, and the keys of their records."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fanfold.kinds.table import json_rows
from fanfold.kinds.table.json_numbers import survive
from fanfold.kinds.table.recipe import Index
from fanfold.model import Json

_LARGE_EXPONENT = re.compile(rb"[eE][+-]?[0-9]{3}")

Key = tuple[str, str | None]
"""The values of a row that make its record's key: of the partition column, and of the sort column if one is named."""


class IndexRow(NamedTuple):
    """A row that has a key."""

    key: Key
    ordinal: int
    row: dict[str, Json]
    is_plain: bool


def rows_of(lines: Sequence[bytes]) -> Iterator[tuple[dict[str, Json], bool]]:
    """Yield the rows of lines of JSON, and whether each is plain: its numbers are int and float, not `Number`."""
    import orjson

    loads = orjson.loads
    text = b"\n".join(lines)
    if _is_plain(text):
        for line in lines:
            yield loads(line), True
        return
    for line in lines:
        is_plain = _is_plain(line)
        yield loads(line) if is_plain else json_rows.parse(line.decode()), is_plain


def _is_plain(text: bytes) -> bool:
    """Tell whether a fast parser keeps the numbers of a text, and DynamoDB holds them."""
    return survive(text) and not _LARGE_EXPONENT.search(text)


def key_of(row: dict[str, Json], index: Index) -> Key | None:
    """Return the values of a row that make its record's key, None where one of them is null or empty."""
    partition = row.get(index.partition)
    if type(partition) is not str:
        partition = json_rows.as_text(partition)
    if not partition:
        return None
    if index.sort is None:
        return partition, None
    sort = row.get(index.sort)
    if type(sort) is not str:
        sort = json_rows.as_text(sort)
    return (partition, sort) if sort else None
