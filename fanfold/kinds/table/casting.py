"""From columns of cleaned text to typed Arrow columns, and the rows whose text does not fit.

`values` says what a text means. Here a regular expression proves of most texts that Arrow reads them alike, a column
at a time; the others go through `values` one by one. So only the speed depends on what is proven.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from fanfold.kinds.table.cleaning import span_of
from fanfold.kinds.table.layout import Column
from fanfold.kinds.table.values import (
    BOOLEANS,
    DECLARED_BOOLEANS,
    SMALL,
    Misfit,
    infer,
    infer_one,
    join,
    parser,
    public,
)

LONGEST_NUMBER_BYTES = 18
"""A number this long has no more digits than an int64, or a float of 17, holds without loss."""

_DAY = r"[12][0-9]{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6})?)?"
_ZONE = r"(?:Z|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)"
_INTEGER = r"^(?:0|-?[1-9][0-9]*)$"
_PATTERNS = {
    "small": _INTEGER,
    "integer": _INTEGER,
    "float": r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,2})?$",
    "date": f"^{_DAY}$",
    "timestamp": f"^{_DAY}[T ]{_TIME}$",
    "instant": f"^{_DAY}[T ]{_TIME}{_ZONE}$",
}
"""What proves that a text is of an inferred type or below it, were it a day of the calendar."""

_DECLARED_PATTERNS = _PATTERNS | {
    "integer": r"^-?[0-9]+$",
    "float": r"^-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,2})?$",
}
"""What proves that a text is a value of a type that is known to hold."""

_FIRST_DAY = -719_162
"""0001-01-01, in days from 1970: Python counts no years before."""

_NUMBERS = ("small", "integer", "float")


def arrow_type(kind: str) -> Any:
    """Return the Arrow type of a kind of values."""
    if kind.startswith("decimal"):
        return pa.decimal128(*_precision_and_scale(kind))
    return {
        "text": pa.string(),
        "integer": pa.int64(),
        "float": pa.float64(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("us"),
        "instant": pa.timestamp("us", "UTC"),
    }[public(kind)]


def _precision_and_scale(kind: str) -> tuple[int, int]:
    precision, scale = (int(number) for number in kind[8:-1].split(","))
    return precision, scale


def _matching(texts: Any, pattern: str, kind: str) -> Any:
    found = pc.match_substring_regex(texts, pattern)
    if kind not in _NUMBERS:
        return found
    lengths = pc.binary_length(texts)
    if (pc.max(lengths).as_py() or 0) <= LONGEST_NUMBER_BYTES:
        return found
    return pc.and_(found, pc.less_equal(lengths, LONGEST_NUMBER_BYTES))


def _all(mask: Any) -> bool:
    """Tell whether a mask is true wherever it is not null."""
    return bool(mask.true_count + mask.null_count == len(mask))


def _arrow_cast(texts: Any, kind: str) -> Any:
    """Return what Arrow makes of proven texts, None where one of them is no day of the calendar."""
    try:
        return pc.cast(texts, arrow_type(kind))
    except pa.ArrowInvalid:
        return None


def proven(texts: Any, kind: str) -> Any:
    """Return a column as values of an inferred kind, where every text proves to be one; else None."""
    if kind == "boolean":
        plain = _plain_booleans(texts)
        return _all_booleans(texts) if plain is None else plain
    if kind in ("date", "timestamp"):
        return _days(texts, kind)
    if kind not in _PATTERNS:
        return None
    if not (_are_digits(texts, kind) or _are_decimals(texts, kind) or _all(_matching(texts, _PATTERNS[kind], kind))):
        return None
    found = _arrow_cast(texts, kind)
    # Arrow rounds an integer that a float does not hold; to the lattice such a column is text.
    return None if kind == "float" and found is not None and _magnitude(found) >= SMALL else found


def _days(texts: Any, kind: str) -> Any:
    """Return dates or timestamps; of texts this long Arrow takes what `values` does, and the year 0."""
    lengths = pc.min_max(pc.binary_length(texts)).as_py()
    if lengths["min"] is None or lengths["min"] < (16 if kind == "timestamp" else 10):
        return None
    found = _arrow_cast(texts, kind)
    if found is None:
        return None
    first, unit = (_FIRST_DAY * 86_400_000_000, pa.int64()) if kind == "timestamp" else (_FIRST_DAY, pa.int32())
    return found if pc.min(found.view(unit)).as_py() >= first else None


def _are_digits(texts: Any, kind: str) -> bool:
    """Tell quickly that all texts are integers without a sign."""
    if kind not in ("small", "integer") or not _all(pc.ascii_is_decimal(texts)):
        return False
    lengths = pc.binary_length(texts)
    begin_with_zero = pc.starts_with(texts, "0")
    if begin_with_zero.true_count and pc.and_(begin_with_zero, pc.greater(lengths, 1)).true_count:
        return False
    return (pc.max(lengths).as_py() or 0) <= LONGEST_NUMBER_BYTES


def _are_decimals(texts: Any, kind: str) -> bool:
    """Tell quickly that all texts are floats without sign or exponent, if Arrow takes them: it refuses two points."""
    if kind != "float" or _bytes_of(texts).translate(None, b"0123456789."):
        return False
    if pc.starts_with(texts, ".").true_count or pc.ends_with(texts, ".").true_count:
        return False
    zeros = pc.starts_with(texts, "0").true_count
    if zeros and zeros != pc.starts_with(texts, "0.").true_count + pc.equal(texts, "0").true_count:
        return False
    return (pc.max(pc.binary_length(texts)).as_py() or 0) <= LONGEST_NUMBER_BYTES


def _bytes_of(texts: Any) -> bytes:
    """Return all texts of an array behind one another."""
    start, stop = span_of(texts)
    return bytes(texts.buffers()[2].slice(start, stop - start)) if stop > start else b""


def declared(texts: Any, kind: str) -> Any:
    """Return a column as values of a type that is known to hold, where every text proves to be one; else None."""
    if arrow_type(kind) == pa.string() or not _all(_fits(texts, kind)):
        return None
    return _booleans(_lower(texts), DECLARED_BOOLEANS) if kind == "boolean" else _arrow_cast(texts, kind)


def _plain_booleans(texts: Any) -> Any:
    """Return booleans quickly where all are `true` or `false`, else None."""
    yes = pc.equal(texts, "true")
    return yes if yes.true_count + pc.equal(texts, "false").true_count + texts.null_count == len(texts) else None


def _all_booleans(texts: Any) -> Any:
    known = pc.is_in(texts, value_set=pa.array(list(BOOLEANS)))
    return _booleans(texts, BOOLEANS) if known.true_count + texts.null_count == len(texts) else None


def _booleans(texts: Any, known: dict[str, bool]) -> Any:
    yes = pc.is_in(texts, value_set=pa.array([text for text, value in known.items() if value]))
    return pc.if_else(pc.is_valid(texts), yes, pa.scalar(None, pa.bool_()))


def _magnitude(numbers: Any) -> float:
    ends = pc.min_max(numbers).as_py()
    return 0 if ends["min"] is None else max(abs(ends["min"]), abs(ends["max"]))


def observe(texts: Any, known: str) -> tuple[str, Any]:
    """Return the join of `known` and the types of all texts; and the column as values of a type, or None."""
    if known == "text" or texts.null_count == len(texts):
        return known, None
    kind = join(known, infer_one(_first(texts)))
    if kind == "text":
        return kind, None
    values = proven(texts, kind)
    if values is None:
        return infer(pc.unique(texts).to_pylist(), known), None
    return join(known, least(texts, values, kind)), values


def least(texts: Any, values: Any, kind: str) -> str:
    """Return the join of the types of a column's texts, which are proven to be `values` of a kind."""
    if texts.null_count == len(texts):
        return "null"
    if kind == "float":
        is_mixed = infer_one(_first(texts)) == "float" or not _all(_matching(texts, _INTEGER, "small"))
        return "float" if is_mixed else "small"
    if kind in _NUMBERS:
        return "small" if _magnitude(values) <= SMALL else "integer"
    return kind


def _first(texts: Any) -> str:
    """Return the first text that is not null."""
    return str(texts[pc.index(texts.is_valid(), True).as_py()].as_py())


@dataclass(frozen=True, slots=True)
class Typed:
    """A column of typed values."""

    column: Column
    values: Any
    """An Arrow array."""
    zoned: Any = None
    """Where a declared timestamp was given with its offset from UTC; None where nowhere."""

    def filter(self, mask: Any) -> Typed:
        """Return the column without the rows for which `mask` is false."""
        zoned = None if self.zoned is None else self.zoned.filter(mask)
        return Typed(self.column, self.values.filter(mask), zoned)


def cast(column: Column, texts: Any, values: Any = None) -> tuple[Typed, dict[int, str]]:
    """Return a column's values, and by the row's index the reason of each text that is none of its type.

    `values` is the column as `observe` returned it, if it did.
    """
    kind = arrow_type(column.type)
    if kind == pa.string():
        return Typed(column, texts), {}
    if values is not None and values.type == kind:
        return Typed(column, values), {}
    mask = pc.fill_null(_fits(texts, column.type), True)
    known = texts if _all(mask) else pc.if_else(mask, texts, pa.scalar(None, pa.string()))
    found = _arrow_cast(known, column.type) if column.type != "boolean" else _booleans(_lower(known), DECLARED_BOOLEANS)
    if found is None:
        mask = pc.is_null(texts)
        found = pa.nulls(len(texts), kind)
    if _all(mask):
        return Typed(column, found), {}
    return _one_by_one(column, texts, found, pc.invert(mask))


def _fits(texts: Any, kind: str) -> Any:
    """Return where a text is proven to be a value of a type that is known to hold."""
    if kind == "boolean":
        return pc.is_in(_lower(texts), value_set=pa.array([*DECLARED_BOOLEANS, None], pa.string()))
    if kind.startswith("decimal"):
        precision, scale = _precision_and_scale(kind)
        whole = "0" if precision == scale else f"[0-9]{{1,{precision - scale}}}"
        fraction = rf"(?:\.[0-9]{{1,{scale}}})?" if scale else ""
        return _matching(texts, f"^-?{whole}{fraction}$", kind)
    return _matching(texts, _DECLARED_PATTERNS[kind], kind)


def _lower(texts: Any) -> Any:
    return pc.ascii_lower(texts)


def _one_by_one(column: Column, texts: Any, found: Any, rest: Any) -> tuple[Typed, dict[int, str]]:
    """Read the texts of `rest` by `values`, and put them among those that are found."""
    parse = parser(column.type)
    values: list[Any] = []
    misfits: dict[int, str] = {}
    zoned = []
    for index in pc.indices_nonzero(rest).to_pylist():
        try:
            value = parse(texts[index].as_py())
        except Misfit as misfit:
            misfits[index] = f"{misfit}: the type is {column.type}"
            value = None
        if column.type == "timestamp" and isinstance(value, datetime) and value.tzinfo:
            # A declared timestamp may have an offset in one row and none in the next; the column is UTC without a name.
            value = value.astimezone(UTC).replace(tzinfo=None)
            zoned.append(index)
        values.append(value)
    found = pc.replace_with_mask(found, rest, pa.array(values, found.type))
    return Typed(column, found, _mask(zoned, len(texts)) if zoned else None), misfits


def _mask(indices: Sequence[int], size: int) -> Any:
    chosen = set(indices)
    return pa.array([index in chosen for index in range(size)])


def json_values(typed: Typed) -> list[Any]:
    """Return a column's values ready for orjson."""
    kind = typed.column.type
    if kind.startswith("decimal"):
        import orjson

        return [None if text is None else orjson.Fragment(text.encode()) for text in texts_of(typed)]
    if kind in ("date", "timestamp", "instant"):
        return texts_of(typed)
    values: list[Any] = typed.values.to_pylist()
    return values


def texts_of(typed: Typed) -> list[str | None]:
    """Return a column's values as CSV carries them."""
    kind, values = typed.column.type, typed.values
    texts: list[str | None]
    if kind.startswith("decimal"):
        return [None if value is None else f"{value:f}" for value in values.to_pylist()]
    if kind == "float":
        return [None if value is None else repr(value) for value in values.to_pylist()]
    if kind in ("timestamp", "instant"):
        plain = pc.utf8_replace_slice(pc.cast(pc.cast(values, pa.timestamp("us")), pa.string()), 10, 11, "T")
        plain = pc.replace_substring(plain, ".000000", "")
        if kind == "instant" or typed.zoned is not None:
            named = pc.binary_join_element_wise(plain, "Z", "")
            plain = named if kind == "instant" else pc.if_else(typed.zoned, named, plain)
        texts = plain.to_pylist()
    else:
        texts = pc.cast(values, pa.string()).to_pylist()
    return texts
