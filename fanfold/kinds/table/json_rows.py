"""JSON objects as rows, with every number kept as it is written."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn

from fanfold.kinds.table.values import Misfit, infer_one, join
from fanfold.model import Json

DEPTH_LIMIT = 200
"""How deep the values of one object may be nested."""

_DEEP = b"\n" + 2 * DEPTH_LIMIT * b" "

TOO_DEEP = f"nested deeper than {DEPTH_LIMIT}"

_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class Number(str):
    """A JSON number as it is written."""

    __slots__ = ()


def _no_json(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


_decoder = json.JSONDecoder(parse_int=Number, parse_float=Number, parse_constant=_no_json)


def parse(text: str) -> dict[str, Json]:
    """Return a text's object, its numbers as `Number`; raise Misfit with the reason where it holds none."""
    try:
        found = _decoder.decode(text)
    except ValueError as error:
        raise Misfit(f"no JSON: {error}") from error
    except RecursionError as error:
        raise Misfit(TOO_DEEP) from error
    if not isinstance(found, dict):
        raise Misfit("no JSON object")
    if text.count("{") + text.count("[") > DEPTH_LIMIT and is_too_deep(found):
        raise Misfit(TOO_DEEP)
    if _ESCAPED_SURROGATE.search(text) and _SURROGATE.search(json.dumps(found, ensure_ascii=False)):
        raise Misfit("half of a surrogate pair")
    return found


def parse_all(data: bytes) -> list[Json]:
    """Return the elements of an array that stand between its brackets, numbers as `Number`.

    Raises ValueError or RecursionError where one of them needs to be looked at by itself.
    """
    text = data.decode()
    if _ESCAPED_SURROGATE.search(text):
        raise ValueError("half of a surrogate pair, perhaps")
    found: list[Json] = _decoder.decode(f"[{text}]")
    return found


def is_too_deep(row: dict[str, Json]) -> bool:
    """Tell whether a row's values are nested deeper than the limit."""
    import orjson

    level = [value for value in row.values() if isinstance(value, dict | list)]
    # What is too deep, if it is not beyond the writer itself, stands behind as many indents as levels are allowed.
    with suppress(orjson.JSONEncodeError):
        if not level or _DEEP not in orjson.dumps(row, option=orjson.OPT_INDENT_2):
            return False
    depth = 1
    while level and depth <= DEPTH_LIMIT:
        depth += 1
        level = [inner for value in level for inner in _inner(value) if isinstance(inner, dict | list)]
    return depth > DEPTH_LIMIT


def _inner(value: Json) -> Iterable[Json]:
    return value.values() if isinstance(value, dict) else value


def dumps(value: Json) -> bytes:
    """Return compact JSON in UTF-8, a `Number` as it was written."""
    import orjson

    return orjson.dumps(value, _written, orjson.OPT_PASSTHROUGH_SUBCLASS)


def line_dumps() -> Callable[[Json], bytes]:
    """Return what does the same for many rows, and ends each with a LF."""
    import orjson

    return partial(orjson.dumps, default=_written, option=orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_APPEND_NEWLINE)


def _written(value: Any) -> Any:
    import orjson

    if isinstance(value, Number):
        return orjson.Fragment(value.encode())
    raise TypeError(f"{type(value).__name__} is no JSON")


def as_text(value: Json) -> str | None:
    """Return a JSON value as a cell of text: strings as they are, objects and arrays as JSON text."""
    if value is None or isinstance(value, str):
        return value if value is None else str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return dumps(value).decode()


def infer(value: Json, known: str) -> str:
    """Return the join of `known` and a value's type: JSON says what is a number, so a string never is."""
    if value is None or known == "text":
        return known
    if isinstance(value, bool):
        return join(known, "boolean")
    if isinstance(value, int | float):
        return join(known, infer_one(dumps(value).decode()))
    if not isinstance(value, str):
        return "text"
    found = infer_one(value)
    is_number = found in ("small", "integer", "float")
    if isinstance(value, Number):
        return join(known, found if is_number else "text")
    return join(known, "text" if is_number or found == "boolean" else found)
