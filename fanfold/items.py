"""What an item of DynamoDB can hold.

Limits: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
Sizes: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from fanfold.model import Json, Record

PARTITION_LIMIT_BYTES, SORT_LIMIT_BYTES = 2048, 1024
"""What the two halves of a key hold, in UTF-8."""

ITEM_LIMIT_BYTES = 400 << 10
"""What an item holds, its names and its values."""

NAME_LIMIT_BYTES = 65_535
"""What the name of an attribute has at most, at any depth; it has one byte at least."""

DEPTH_LIMIT = 32
"""How deep lists and maps may be nested, the outermost counted."""

DIGITS_LIMIT, EXPONENT_LIMIT = 38, 125
"""What a number holds."""

FLOAT_LIMITS = 1e-125, 1e125
"""What is no larger than a float of 64 bits may be, and no smaller, zero aside."""

PREFIX_BYTES = len("record##") + 40
"""What stands before the value in a partition key: the name of a recipe has 40 characters at most."""

COMMON_BYTES = 1536
"""What an item holds besides its key's values, its row and its totals: names, the job, the object's bucket and key."""


def is_number(value: float) -> bool:
    """Tell whether a float can be a number of an item."""
    least, most = FLOAT_LIMITS
    return value == 0 or least < abs(value) < most


def size_bytes(value: Json) -> int:
    """Return what a value takes in an item."""
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogatepass"))
    if value is None or isinstance(value, bool):
        return 1
    if isinstance(value, int | float | Decimal):
        number = Decimal(repr(value) if isinstance(value, float) else value).as_tuple()
        digits = "".join(map(str, number.digits)).strip("0")
        is_text = len(digits) > DIGITS_LIMIT or (isinstance(value, float) and not is_number(value))
        return len(str(value)) if is_text else (len(digits) + 1) // 2 + 1 + number.sign
    if isinstance(value, Mapping):
        return 3 + sum(1 + size_bytes(name) + size_bytes(inner) for name, inner in value.items())
    return 3 + sum(1 + size_bytes(inner) for inner in value)


def record_bytes(record: Record) -> int:
    """Return what a record's item takes, at most some 1,500 bytes less."""
    key = record.partition + (record.sort or "")
    return COMMON_BYTES + sum(map(size_bytes, (key, record.attributes, list(map(list, record.totals)))))
