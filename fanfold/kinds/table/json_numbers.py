"""Whether a fast parser, which knows integers of 64 bits and floats, keeps the numbers of a JSON text as written.

Most numbers do survive it: 7, -12, 11.5. Others do not: 1.50, 1e5, 2^70, -0. What is looked for here are those,
and the few that must be tried, such as 0.30000000000000004, at a gigabyte a second instead of number by number.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_TRANSLATED = bytes.maketrans(b"123456789E+", b"000000000e-")
_LONG = 17 * b"0"
_LONG_RUN = re.compile(_LONG)
_EXPONENT = re.compile(rb"0e[0-]")
_NEGATIVE_ZERO = re.compile(rb"-0(?![0-9.])")
# Of floats with at most 8 digits before the point and 6 behind it all survive, but those that end in zeros.
_DOUBTFUL_POINT = re.compile(rb"\.(?:(?<=[0-9]{9}\.)|0000|[0-9]{7}|[0-9]*+(?<=0)(?<!\.0))")
_SIGNS = b"0123456789+-.eE"
_RUN = re.compile(rb"[0-9+.eE-]*")
_BEFORE, _BEHIND = b"[,: \t\r\n", b"],} \t\r\n"
_TOKEN_BYTES = 400
"""A longer number is not tried."""

PATIENCE = 32
"""How many doubtful numbers are looked up one by one, where all can be compared instead."""

_DIGITS = re.compile(rb"[-0-9][-+.0-9eE]*")


def survive(text: bytes, written: Callable[[], bytes] | None = None) -> bool:
    """Tell whether orjson would write every number of a JSON text in UTF-8 as it reads there.

    `written`: gives what orjson makes of the text's values, or of all but some of them, in their order. False may be
    wrong, where a string holds what looks like a number; True never is.
    """
    translated = text.translate(_TRANSLATED)
    tokens = []
    for pattern, searched in (
        *(((_LONG_RUN, translated),) if _LONG in translated else ()),
        (_EXPONENT, translated),
        (_NEGATIVE_ZERO, text),
        (_DOUBTFUL_POINT, text),
    ):
        search, at = pattern.search, 0
        while found := search(searched, at):
            at, last = found.span()
            before = text[max(0, at - _TOKEN_BYTES) : at]
            start = at - len(before) + len(before.rstrip(_SIGNS))
            run = _RUN.match(text, at, at + _TOKEN_BYTES)
            stop = run.end() if run else at
            if stop - start >= _TOKEN_BYTES:
                return False
            # A token that goes on, or stands in a string, is no number.
            if text[start - 1 : start] in _BEFORE and text[stop : stop + 1] in _BEHIND:
                tokens.append(text[start:stop])
                if len(tokens) > PATIENCE and written:
                    return _are_equal(text, written())
            at = max(stop, last)
    return _are_kept(tokens) or all(map(_is_kept, tokens))


def _are_equal(text: bytes, written: bytes) -> bool:
    """Tell whether two JSON texts of the same values hold the same digits in the same order.

    Strings are written as they were read, digit for digit, if none has a `\\u`; so the numbers are too.
    """
    return b"\\u" not in text and _DIGITS.findall(text) == _DIGITS.findall(written)


def _are_kept(tokens: list[bytes]) -> bool:
    """Tell whether all tokens are numbers that are written as they were read, in one go."""
    import orjson

    numbers = b"[%b]" % b",".join(tokens)
    try:
        return orjson.dumps(orjson.loads(numbers)) == numbers
    except orjson.JSONDecodeError:
        return False


def _is_kept(token: bytes) -> bool:
    """Tell whether a token is no number of JSON, or one that is written as it was read."""
    return not _NUMBER.fullmatch(token) or _are_kept([token])


_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
