"""From bytes to the objects of JSON Lines, with every number kept as it is written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from fanfold.kinds.table.csv_rows import raw
from fanfold.kinds.table.encodings import decode
from fanfold.kinds.table.layout import Layout
from fanfold.kinds.table.rejects import Rejects
from fanfold.kinds.table.values import Misfit, infer_one, join
from fanfold.kinds.table.window import Window
from fanfold.model import Json

DEPTH_LIMIT = 200
"""How deep the values of one object may be nested."""

_LINE = re.compile(rb"[^\n]*+(?:\n|\Z)")
_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class Number(str):
    """A JSON number as it is written."""

    __slots__ = ()


def _no_json(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


_decoder = json.JSONDecoder(parse_int=Number, parse_float=Number, parse_constant=_no_json)


def parse(text: str) -> dict[str, Json]:
    """Return a line's object, its numbers as `Number`; raise Misfit with the reason where it holds none."""
    try:
        found = _decoder.decode(text)
    except ValueError as error:
        raise Misfit(f"no JSON: {error}") from error
    except RecursionError as error:
        raise Misfit(f"nested deeper than {DEPTH_LIMIT}") from error
    if not isinstance(found, dict):
        raise Misfit("no JSON object")
    if text.count("{") + text.count("[") > DEPTH_LIMIT and _depth(found) > DEPTH_LIMIT:
        raise Misfit(f"nested deeper than {DEPTH_LIMIT}")
    if _ESCAPED_SURROGATE.search(text) and _SURROGATE.search(json.dumps(found, ensure_ascii=False)):
        raise Misfit("half of a surrogate pair")
    return found


def _depth(found: Json) -> int:
    level, depth = [found], 0
    while level := [inner for value in level for inner in _inner(value)]:
        depth += 1
    return depth


def _inner(value: Json) -> list[Json]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


def dumps(value: Json) -> bytes:
    """Return compact JSON in UTF-8, a `Number` as it was written."""
    import orjson

    return orjson.dumps(value, default=_written, option=orjson.OPT_PASSTHROUGH_SUBCLASS)


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
    if not isinstance(value, str):
        return "text"
    found = infer_one(value)
    is_number = found in ("small", "integer", "float")
    if isinstance(value, Number):
        return join(known, found if is_number else "text")
    return join(known, "text" if is_number or found == "boolean" else found)


class JsonRows:
    """The objects of one span; lines that hold none are rejected."""

    def __init__(self, window: Window, layout: Layout, rejects: Rejects) -> None:
        self._window = window
        self._layout = layout
        self._rejects = rejects

    def objects(self, first: int, last: int) -> Iterator[tuple[int, int, dict[str, Json]]]:
        """Yield each object from position `first` to `last`, with the positions where its line begins and ends."""
        for line in _LINE.finditer(self._window.shadow, first, last):
            start, stop = line.span()
            text, decodes = decode(self._window.bytes(start, stop), self._layout.encoding)
            if not text.strip(" \t\r\n"):
                continue
            offset = self._window.offset(start)
            if not decodes:
                self._rejects.undecodable += 1
                shown = raw(self._window, start, stop, self._layout)
                self._rejects.add(offset, f"bytes that are no {self._layout.encoding}", shown)
                continue
            try:
                found = parse(text)
            except Misfit as misfit:
                self._rejects.add(offset, str(misfit), text)
                continue
            yield start, stop, found
