"""The types of a table's values: how they are told from text, joined, read and written.

Inferred types form a lattice, so that the type of a column is a function of its set of values, however they
were split. `join` goes up to the least type that holds all of them without loss:

    null < boolean < text         true, True, TRUE and their opposites
    null < small < integer < text no plus sign, no leading zeros; `small` is at most 2^53 either way
    null < small < float < text   at most 17 significant digits, finite
    null < date < text            2012-01-31, 2012/01/31
    null < timestamp < text       2012-01-31T10:00 or with a space; seconds and up to 6 digits of them
    null < instant < text         the same with Z or an offset; kept in UTC

Integers beyond 64 bits, `00501` and `+1` stay text. A declared type is wider in what it takes: see `parser`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal, localcontext
from functools import lru_cache
from typing import Any

from fanfold.model import Json

Value = Any
"""None, str, int, float, bool, Decimal, date or datetime."""

SMALL = 1 << 53
"""Integers up to this are exact as floats."""

_INTEGER = re.compile(r"-?[1-9][0-9]{0,18}|0")
_FLOAT = re.compile(r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_DATE = re.compile(r"([0-9]{4})([-/])([0-9]{2})\2([0-9]{2})")
_TIMESTAMP = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6}))?)?"
    r"(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)
BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
DECLARED_BOOLEANS = {
    **dict.fromkeys(("true", "t", "yes", "y", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0"), False),
}
_DECLARED_INTEGER = re.compile(r"[+-]?[0-9]{1,40}")
_DECLARED_FLOAT = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_SHORT_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_DECLARED_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_DIGITS_LIMIT = 200


def join(left: str, right: str) -> str:
    """Return the least inferred type that holds the values of both."""
    if left == right or right == "null":
        return left
    if left == "null":
        return right
    return {("integer", "small"): "integer", ("float", "small"): "float"}.get(
        (min(left, right), max(left, right)), "text"
    )


def public(kind: str) -> str:
    """Return the name that people are shown, and that tells whether two types are written alike."""
    return {"null": "text", "small": "integer"}.get(kind, kind)


def infer(texts: Iterable[str | None], known: str = "null") -> str:
    """Return the join of `known` and the types of all texts; None is null."""
    for text in texts:
        if known == "text":
            return known
        if text is not None and not _holds(known, text):
            known = join(known, infer_one(text))
    return known


def _holds(known: str, text: str) -> bool:
    """Tell quickly, for the common types, that a text's type is below `known`."""
    if known == "small":
        return len(text) < 16 and _INTEGER.fullmatch(text) is not None
    if known == "float":
        return len(text) < 16 and _SHORT_FLOAT.fullmatch(text) is not None
    return known in ("date", "timestamp", "instant") and infer_one(text) == known


def infer_one(text: str) -> str:
    """Return the least type that holds the text."""
    if _INTEGER.fullmatch(text):
        number = int(text)
        return "small" if abs(number) <= SMALL else "integer" if -(2**63) <= number < 2**63 else "text"
    if text in BOOLEANS:
        return "boolean"
    if _FLOAT.fullmatch(text):
        digits = re.split("[eE]", text)[0].replace(".", "").lstrip("-0")
        fits = len(digits) <= 17 and _is_finite(text)
        return "float" if fits else "text"
    if _date(text) is not None:
        return "date"
    found = _timestamp(text)
    return "text" if found is None else "timestamp" if found.tzinfo is None else "instant"


def _is_finite(text: str) -> bool:
    number = float(text)
    # A float that is zero where the text is not would lose the value.
    is_zero = not re.search("[1-9]", re.split("[eE]", text)[0])
    return math.isfinite(number) and (number != 0 or is_zero)


@lru_cache(maxsize=1 << 16)
def _date(text: str) -> date | None:
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    try:
        return date(int(match[1]), int(match[3]), int(match[4]))
    except ValueError:
        return None


@lru_cache(maxsize=1 << 16)
def _timestamp(text: str) -> datetime | None:
    """Return the moment, in UTC where the text says how far from it."""
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        return None
    day, hour, minute, second, fraction, zone = match.groups()
    try:
        found = datetime.fromisoformat(day).replace(
            hour=int(hour),
            minute=int(minute),
            second=int(second or 0),
            microsecond=int((fraction or "0").ljust(6, "0")),
        )
        if zone is None:
            return found
        return found.replace(tzinfo=_zone(zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _zone(text: str) -> timezone:
    if text == "Z":
        return UTC
    digits = text[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
    if int(digits[2:] or 0) > 59:
        raise ValueError(text)
    return timezone(-offset if text[0] == "-" else offset)


class Misfit(ValueError):
    """A text is no value of the type."""


def parser(kind: str) -> Callable[[str], Value]:
    """Return what reads a text as a value of a type; it raises Misfit with the reason.

    * text       as it is
    * integer    digits, a sign and leading zeros allowed, 64 bits
    * decimal    `decimal(p,s)`: at most s digits behind the point, trailing zeros apart, and p in all
    * float      finite; `1.5`, `.5`, `1e-3`
    * boolean    true false t f yes no y n 1 0, in capitals or not
    * date       2012-01-31, 2012/01/31
    * timestamp  ISO 8601, with an offset or without; a date is its midnight; with an offset it becomes UTC
    * instant    as inferred: a timestamp with an offset
    """
    if kind.startswith("decimal"):
        precision, scale = (int(number) for number in kind[8:-1].split(","))
        return lambda text: _decimal(text, precision, scale)
    parsers: dict[str, Callable[[str], Value]] = {
        "text": str,
        "null": str,
        "small": _integer,
        "integer": _integer,
        "float": _float,
        "boolean": _boolean,
        "date": _known_date,
        "timestamp": _known_timestamp,
        "instant": _known_timestamp,
    }
    return parsers[kind]


def _integer(text: str) -> int:
    if not _DECLARED_INTEGER.fullmatch(text):
        raise Misfit("no integer")
    number = int(text)
    if not -(2**63) <= number < 2**63:
        raise Misfit("an integer of more than 64 bits")
    return number


def _decimal(text: str, precision: int, scale: int) -> Decimal:
    if not _DECLARED_DECIMAL.fullmatch(text) or len(text) > _DIGITS_LIMIT:
        raise Misfit("no decimal number")
    with localcontext(prec=2 * _DIGITS_LIMIT):
        exact = Decimal(text)
        rounded = exact.quantize(Decimal(1).scaleb(-scale))
        if rounded != exact:
            raise Misfit(f"more than {scale} digits behind the point")
        if len(rounded.as_tuple().digits) > precision:
            raise Misfit(f"more than {precision} digits")
    return rounded if rounded else abs(rounded)  # no negative zero


def _float(text: str) -> float:
    if not _DECLARED_FLOAT.fullmatch(text):
        raise Misfit("no number")
    number = float(text)
    if not math.isfinite(number):
        raise Misfit("a number beyond what a float holds")
    return number


def _boolean(text: str) -> bool:
    found = DECLARED_BOOLEANS.get(text.lower())
    if found is None:
        raise Misfit("no boolean")
    return found


def _known_date(text: str) -> date:
    found = _date(text)
    if found is None:
        raise Misfit("no date such as 2012-01-31")
    return found


def _known_timestamp(text: str) -> datetime:
    found = _timestamp(text)
    if found is None:
        day = _date(text)
        if day is None:
            raise Misfit("no timestamp such as 2012-01-31T10:00:00")
        found = datetime(day.year, day.month, day.day)
    return found


def as_text(value: Value) -> str:
    """Return a value, not None, as CSV carries it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, date):
        return _iso(value, isinstance(value, datetime) and value.tzinfo is not None)
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


@lru_cache(maxsize=1 << 16)
def _iso(value: date, is_utc: bool) -> str:
    text = value.isoformat()
    return text.removesuffix("+00:00") + "Z" if is_utc else text


def json_form(kind: str) -> Callable[[Value], Json] | None:
    """Return what makes a value, not None, ready for orjson; None where it is ready as it stands."""
    if kind.startswith("decimal"):
        import orjson

        return lambda value: orjson.Fragment(f"{value:f}".encode())
    return as_text if kind in ("date", "timestamp", "instant") else None
