"""Which rows DynamoDB cannot hold as records: they are rejects, so that none is missing there unsaid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fanfold.items import (
    DEPTH_LIMIT,
    ITEM_LIMIT_BYTES,
    NAME_LIMIT_BYTES,
    PARTITION_LIMIT_BYTES,
    PREFIX_BYTES,
    SORT_LIMIT_BYTES,
    record_bytes,
)
from fanfold.kinds.table.keyed import Key, key_of, rows_of
from fanfold.kinds.table.recipe import Index, TableRecipe
from fanfold.kinds.table.records import record_of
from fanfold.model import Json

Fault = tuple[str, str | None, str | None]
"""Why a row cannot be held, and for which column and value."""


def unheld(recipe: TableRecipe, index: Index, lines: Sequence[bytes]) -> dict[int, Fault]:
    """Return which rows of lines of JSON have a key and are no item of DynamoDB, by their numbers."""
    suspects = [at for at, line in enumerate(lines) if _is_suspect(line)]
    faults: dict[int, Fault] = {}
    for at, (row, is_plain) in zip(suspects, rows_of([lines[at] for at in suspects]), strict=True):
        key = key_of(row, index)
        if key is None:
            continue
        if fault := _key_fault(index, key) or _shape_fault(lines[at], row):
            faults[at] = fault
        elif _may_be_large(recipe, lines[at]):
            size = record_bytes(record_of(recipe, key, 0, row, is_plain))
            if size > ITEM_LIMIT_BYTES:
                faults[at] = f"{size:,} bytes as a record; DynamoDB holds {ITEM_LIMIT_BYTES:,}", None, None
    return faults


def _is_suspect(line: bytes) -> bool:
    """Tell whether a row may be more than DynamoDB holds: JSON writes no text with fewer bytes than it has."""
    return len(line) > SORT_LIMIT_BYTES or b'"":' in line or line.count(b"{") + line.count(b"[") > DEPTH_LIMIT


def _key_fault(index: Index, key: Key) -> Fault | None:
    limits = (PARTITION_LIMIT_BYTES - PREFIX_BYTES, SORT_LIMIT_BYTES)
    for name, value, limit in zip((index.partition, index.sort), key, limits, strict=True):
        if value is not None and len(value) * 4 > limit and (size := len(value.encode())) > limit:
            return f"{size:,} bytes in a key; DynamoDB holds {limit:,} there", name, value
    return None


def _shape_fault(line: bytes, row: dict[str, Json]) -> Fault | None:
    if line.count(b"{") + line.count(b"[") > DEPTH_LIMIT and _depth(row) > DEPTH_LIMIT:
        return f"nested deeper than {DEPTH_LIMIT}, which DynamoDB is not", None, None
    if b'"":' in line or len(line) > NAME_LIMIT_BYTES:
        for name in _names(row):
            if not 1 <= (size := len(name.encode())) <= NAME_LIMIT_BYTES:
                limits = f"from 1 to {NAME_LIMIT_BYTES:,}"
                return f"a name of {size:,} bytes; DynamoDB holds {limits}", None, None
    return None


def _depth(value: Json) -> int:
    if not isinstance(value, dict | list):
        return 0
    return 1 + max(map(_depth, value.values() if isinstance(value, dict) else value), default=0)


def _names(value: Json) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _names(inner)


def _may_be_large(recipe: TableRecipe, line: bytes) -> bool:
    """Tell whether a row may be over the limit: n bytes of JSON take 2 n at most, and some are in the totals again."""
    return len(line) * (3 + len(recipe.totals)) > ITEM_LIMIT_BYTES - 8192
