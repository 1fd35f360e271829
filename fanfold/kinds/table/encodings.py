"""Which encodings can be split at any byte, and which one an object has.

Row structure (delimiters, quotes, line ends) is ASCII. So it can be found without decoding, in any encoding
in which a byte below 0x80 always is that ASCII character, and in UTF-16 and UTF-32, unit by unit.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from functools import lru_cache

from fanfold.errors import WrongEncoding

# In these a character's second byte may be an ASCII letter or sign, never one below 0x30 nor in 0x3A to 0x3F.
TRAILING_ASCII = frozenset(
    [
        "big5",
        "big5hkscs",
        "cp932",
        "cp949",
        "cp950",
        "gb18030",
        "gbk",
        "johab",
        "shift_jis",
        "shift_jis_2004",
        "shift_jisx0213",
    ]
)
# In these every byte of a longer character is 0x80 or above.
HIGH_BYTES = frozenset(["utf-8", "euc_jis_2004", "euc_jisx0213", "euc_jp", "euc_kr", "gb2312"])
WIDE = {"utf-16-le": 2, "utf-16-be": 2, "utf-32-le": 4, "utf-32-be": 4}
"""Bytes of a code unit, where it has several."""

NO_TEXT = frozenset(["idna", "punycode", "undefined"])
"""What Python calls encodings of text, and no file is in."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """An encoding by Python's name for it, and where the text begins."""

    name: str
    bom_bytes: int = 0

    @property
    def unit(self) -> int:
        """Bytes of a code unit."""
        return WIDE.get(self.name, 1)


def detect(head: bytes, wanted: str) -> Encoding:
    """Return the encoding of an object that begins with `head`: what its byte order mark says, else what is wanted.

    Raises WrongEncoding for a name that nobody knows.
    """
    if wanted == "auto":
        return _by_mark(head) or Encoding("utf-8")
    name = canonical(wanted)
    if name in ("utf-16", "utf-32"):
        marked = _by_mark(head)
        if marked is None or not marked.name.startswith(name):
            raise WrongEncoding(
                f"`encoding: {name}` was given, and the object has no such byte order mark: name {name}-le or {name}-be"
            )
        return marked
    marked = _by_mark(head) if name in WIDE or name == "utf-8" else None
    return marked if marked and marked.name == name else Encoding(name)


def canonical(name: str) -> str:
    """Return Python's name of an encoding of text; raise WrongEncoding where it has none."""
    try:
        codec = codecs.lookup(name)
    except (LookupError, ValueError) as error:
        raise WrongEncoding(f"`encoding: {name}` is no encoding that Python knows") from error
    if not codec._is_text_encoding or codec.name in NO_TEXT:
        raise WrongEncoding(f"`encoding: {name}` is no encoding of a file's text")
    return "utf-8" if codec.name in ("utf-8-sig", "ascii") else codec.name


def _by_mark(head: bytes) -> Encoding | None:
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8"),
        # Before UTF-16: its mark is how this one begins.
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if head.startswith(mark):
            return Encoding(name, len(mark))
    return None


def is_splittable(name: str, structure: str) -> bool:
    """Tell whether text can be cut at any byte, given every character that delimits, quotes or escapes in it."""
    if name in HIGH_BYTES or name in WIDE:
        return True
    if name in TRAILING_ASCII:
        return all(sign < "0" or ":" <= sign <= "?" for sign in structure)
    return _is_single_byte(name)


@lru_cache
def _is_single_byte(name: str) -> bool:
    """Tell whether every byte is one character or none, and every ASCII byte is its own."""
    if name.startswith(("utf", "iso2022", "hz")) or "escape" in name:
        return False
    for byte in range(256):
        try:
            character = bytes([byte]).decode(name)
        except UnicodeDecodeError:
            if byte < 0x80:
                return False
            continue
        if len(character) != 1 or (byte < 0x80 and ord(character) != byte):
            return False
    return True


_NOT_ASCII = bytes([0] + [0x80] * 255)


def shadow(raw: bytes, encoding: str) -> bytes:
    """Return one byte per code unit: the ASCII characters as they are, everything else 0x80 or above."""
    unit = WIDE.get(encoding, 1)
    if unit == 1:
        return raw
    raw = raw[: len(raw) // unit * unit]
    places = range(unit) if encoding.endswith("le") else range(unit - 1, -1, -1)
    low, *higher = (raw[place::unit] for place in places)
    made = int.from_bytes(low, "little")
    for column in higher:
        made |= int.from_bytes(column.translate(_NOT_ASCII), "little")
    return made.to_bytes(len(low), "little")


def decode(raw: bytes, encoding: str) -> tuple[str, bool]:
    """Return the text, and whether all of `raw` decodes; where it does not, the row structure is still right."""
    try:
        return raw.decode(encoding), True
    except UnicodeDecodeError:
        return (raw.decode(encoding, "replace") if encoding in WIDE else raw.decode("latin-1")), False
