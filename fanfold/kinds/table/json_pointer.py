"""The array that a JSON Pointer names (RFC 6901), found in an object's head, and proven once its end is known.

The rows are read by workers, so nobody parses the whole. What stands around the rows is parsed as one text in
their absence: it must be JSON, and the pointer must lead to where they were.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import NoReturn

from fanfold.errors import BrokenJson, NoRecords
from fanfold.kinds.table.encodings import decode
from fanfold.kinds.table.json_lexing import Break, skip, space
from fanfold.kinds.table.layout import Layout
from fanfold.kinds.table.window import Window
from fanfold.model import Json, Source

HEAD_LIMIT_BYTES = 768 << 10
"""How far into an object its array may begin."""

TAIL_LIMIT_BYTES = 8 << 20
"""How much may stand behind an array."""

_KINDS = {"{": "an object", "[": "an array", '"': "a string", "t": "true", "f": "false", "n": "null"}


def tokens(pointer: str) -> list[str]:
    """Return the steps of a pointer, unescaped."""
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def locate(source: Source, layout: Layout, pointer: str) -> int:
    """Return where the first element of the array stands, or the bracket that closes it if there is none.

    Reads the head alone. Raises NoRecords where the pointer leads elsewhere or too far, BrokenJson.
    """
    return _Head(source, layout, pointer).first_element()


class _Head:
    """The beginning of an object, read on as it is needed."""

    def __init__(self, source: Source, layout: Layout, pointer: str) -> None:
        self._layout = layout
        self._pointer = pointer
        self._window = Window(source, layout.start, layout.start + (64 << 10), layout.encoding, layout.unit)

    def first_element(self) -> int:
        at, walked = self._space(0), ""
        for step in tokens(self._pointer):
            sign = self._sign(at)
            if sign == "{":
                at = self._member(at, step, walked)
            elif sign == "[":
                at = self._element(at, step, walked)
            else:
                self._refuse(f"{_shown(walked)} is {_kind(sign)}, and has no {step!r}")
            walked += "/" + step
        if self._sign(at) != "[":
            self._refuse(f"that is {_kind(self._sign(at))}, and no array")
        return self._window.offset(self._space(at + 1))

    def _member(self, at: int, name: str, walked: str) -> int:
        """Return where the value of a member begins; of several with one name the first."""
        names: list[str] = []
        at = self._space(at + 1)
        while self._sign(at) != "}":
            stop = self._skip(at)
            try:
                found = json.loads(decode(self._window.bytes(at, stop), self._layout.encoding)[0])
            except ValueError:
                found = None
            colon = self._space(stop)
            if not isinstance(found, str) or self._sign(colon) != ":":
                self._break(at if not isinstance(found, str) else colon, "no member of an object")
            value = self._space(colon + 1)
            if found == name:
                return value
            names.append(found)
            at = self._next(value, "}")
        shown = ", ".join(map(repr, names[:10])) + (", …" if len(names) > 10 else "")
        return self._refuse(f"{_shown(walked)} has no {name!r}; it has: {shown or 'nothing'}")

    def _element(self, at: int, index: str, walked: str) -> int:
        """Return where an element of an array begins."""
        if not (index.isascii() and index.isdigit()) or (index != "0" and index.startswith("0")):
            self._refuse(f"{_shown(walked)} is an array, and {index!r} is no index")
        at, count = self._space(at + 1), 0
        while self._sign(at) != "]":
            if count == int(index):
                return at
            at, count = self._next(at, "]"), count + 1
        return self._refuse(f"{_shown(walked)} is an array of {count:,} elements, and has no {index}")

    def _next(self, at: int, closing: str) -> int:
        """Go over a value and a comma, to what stands behind."""
        at = self._space(self._skip(at))
        if self._sign(at) == closing:
            return at
        if self._sign(at) != ",":
            self._break(at, f"`{self._sign(at)}` where `,` or `{closing}` must stand")
        at = self._space(at + 1)
        if self._sign(at) == closing:
            self._break(at, f"`{closing}` where a value must stand")
        return at

    def _sign(self, at: int) -> str:
        return chr(self._window.shadow[at])

    def _space(self, at: int) -> int:
        """Return the first position from `at` on that is no white space; there is one."""
        return self._far(lambda: (found := space(self._window.shadow, at)) < len(self._window.shadow) and found)

    def _skip(self, at: int) -> int:
        try:
            return self._far(lambda: (stop := skip(self._window.shadow, at)) is not None and self._ends(stop) and stop)
        except Break as found:
            self._break(found.position, found.reason)

    def _ends(self, stop: int) -> bool:
        return stop < len(self._window.shadow)

    def _far(self, find: Callable[[], int | bool]) -> int:
        """Return a position, reading on until it is found."""
        window = self._window
        while (found := find()) is False:
            if window.at_end:
                raise BrokenJson(f"the JSON ends at byte {window.stop:,}, before the array that `records` points to")
            if window.stop - window.start >= HEAD_LIMIT_BYTES:
                self._refuse(
                    f"it does not begin within {HEAD_LIMIT_BYTES:,} bytes, which is the limit: put the array first"
                )
            window.grow(min(window.start + HEAD_LIMIT_BYTES, 2 * window.stop - window.start))
        return int(found)

    def _refuse(self, why: str) -> NoReturn:
        raise NoRecords(f"`records: {json.dumps(self._pointer, ensure_ascii=False)}`: {why}")

    def _break(self, at: int, why: str) -> NoReturn:
        raise BrokenJson(f"the JSON breaks at byte {self._window.offset(at):,}: {why}")


def check_frame(source: Source, layout: Layout, pointer: str, end: int) -> None:
    """Check what stands around the rows of an array that ends at byte `end`.

    Raises BrokenJson where it is no JSON, and NoRecords where by `json.loads` the pointer leads elsewhere: of
    several members with one name the last counts.
    """
    if source.size_bytes - end > TAIL_LIMIT_BYTES:
        raise NoRecords(
            f"{source.size_bytes - end:,} bytes stand behind the array, which ends at byte {end:,}; "
            f"{TAIL_LIMIT_BYTES:,} is the limit: put the array last"
        )
    marked = _text(source.read(0, layout.start), layout, 0)
    before, rows = marked.removeprefix("\ufeff"), "NaN]"
    behind = _text(source.read(end, source.size_bytes), layout, end)
    constants: list[str] = []
    mark = object()

    def constant(name: str) -> object:
        constants.append(name)
        return mark

    try:
        found = json.loads(before + rows + behind, parse_constant=constant)
    except json.JSONDecodeError as error:
        at = error.pos - len(before) - len(rows)
        inner = len(marked) - len(before) + error.pos
        place = _size(marked[:inner], layout) if at < 0 else end + _size(behind[:at], layout)
        why = "nothing may stand behind the array" if error.msg == "Extra data" else error.msg
        raise BrokenJson(f"the JSON around the rows breaks at byte {place:,}: {why}") from error
    except RecursionError as error:
        raise BrokenJson("the JSON around the rows is nested too deep to be read") from error
    if constants != ["NaN"]:
        raise BrokenJson(f"the JSON around the rows holds {' and '.join(sorted(set(constants)))}, which is no JSON")
    if _led(found, pointer) != [mark]:
        raise NoRecords(f"`records: {json.dumps(pointer)}`: a member on the way there is given twice; the last counts")


def _led(found: Json, pointer: str) -> Json:
    """Return what a pointer leads to, None where it leads nowhere."""
    for step in tokens(pointer):
        if isinstance(found, dict):
            found = found.get(step)
        elif isinstance(found, list) and step.isdigit() and int(step) < len(found):
            found = found[int(step)]
        else:
            return None
    return found


def _text(data: bytes, layout: Layout, start: int) -> str:
    text, decodes = decode(data, layout.encoding)
    if not decodes:
        raise BrokenJson(f"around the rows, from byte {start:,} on, stand bytes that are no {layout.encoding}")
    return text


def _size(text: str, layout: Layout) -> int:
    return len(text.encode(layout.encoding))


def _shown(walked: Sequence[str]) -> str:
    return f"`{walked}`" if walked else "the whole"


def _kind(sign: str) -> str:
    return _KINDS.get(sign, "a number" if sign in "-0123456789" else f"no JSON but `{sign}`")
