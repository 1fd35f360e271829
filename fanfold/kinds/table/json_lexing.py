"""The outer form of JSON text: where a value ends, whatever it holds.

A value is whole once its strings are closed and its brackets matched, each with its own kind. Whether it is JSON
is left to the parser. Nothing here recurses, so any depth is skipped (RFC 8259, section 9, leaves limits open).
"""

from __future__ import annotations

import re

Buffer = bytes | bytearray

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_FLAT = rb'[^"{}\[\]]*+(?:' + _STRING + rb'[^"{}\[\]]*+)*+'


def _container(depth: int) -> bytes:
    """Return the pattern of a container in which others are nested at most `depth` deep."""
    content = _FLAT + (rb"(?:" + _container(depth - 1) + _FLAT + rb")*+" if depth else b"")
    return rb"(?:\{" + content + rb"\}|\[" + content + rb"\])"


_SHALLOW = _container(4)
_VALUE = re.compile(_SHALLOW + rb"|" + _STRING + rb"|[^\s\"{}\[\],:]++", re.DOTALL)
_CONTENT = re.compile(_FLAT + rb"(?:" + _SHALLOW + _FLAT + rb")*+", re.DOTALL)
_REST_OF_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_SPACE = re.compile(rb"[ \t\r\n]*+")

_CLOSING = {ord("{"): ord("}"), ord("["): ord("]")}


class Break(Exception):
    """JSON text that cannot go on as it does at a position."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(position, reason)
        self.position = position
        self.reason = reason
        self.row = position
        """Where the row begins that breaks there, once it is known."""


def space(buffer: Buffer, at: int) -> int:
    """Return the first position from `at` on that is no white space."""
    return _SPACE.match(buffer, at).end()  # type: ignore[union-attr]


def rest_of_string(buffer: Buffer, at: int) -> int | None:
    """Return the position behind the quote that closes a string which `at` lies in, None where there is none."""
    found = _REST_OF_STRING.match(buffer, at)
    return found.end() if found else None


def skip(buffer: Buffer, at: int) -> int | None:
    """Return the position behind the value that begins at `at`; None where the buffer ends before the value.

    A number or a word that ends with the buffer may go on behind it. Raises Break where no value begins, and
    where a bracket is closed by one of the other kind.
    """
    if found := _VALUE.match(buffer, at):
        return found.end()
    if buffer[at : at + 1] in (b"", b'"'):
        return None
    if buffer[at] not in _CLOSING:
        raise Break(at, f"`{chr(buffer[at])}` where a value must stand")
    closings = bytearray()
    while True:
        at = _CONTENT.match(buffer, at).end()  # type: ignore[union-attr]
        if buffer[at : at + 1] in (b"", b'"'):
            return None
        sign = buffer[at]
        if sign in _CLOSING:
            closings.append(_CLOSING[sign])
        elif sign != closings.pop():
            raise Break(at, f"`{chr(sign)}` where `{chr(next(o for o in _CLOSING.values() if o != sign))}` must stand")
        at += 1
        if not closings:
            return at
