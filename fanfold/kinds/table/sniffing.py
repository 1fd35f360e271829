"""Telling what an object is from its first bytes: a table or not, CSV or which JSON, and which delimiter.

Standard library only: the intake function, which has no codec, asks here too.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from dataclasses import replace
from typing import Literal

from fanfold.errors import NotATable
from fanfold.kinds.table.encodings import WIDE, Encoding, decode, detect
from fanfold.kinds.table.layout import Dialect
from fanfold.kinds.table.opening import containers

DELIMITERS = ",;\t|"
"""In the order in which they are preferred where two fit as well."""

ENDINGS = (".csv", ".tsv", ".tab", ".psv", ".txt", ".json", ".jsonl", ".ndjson")

SNIFFED_ROWS = 100

HEAD_BYTES = 4 << 10
"""How much of what a compressed object holds is looked at."""

_ARRAY = re.compile(r'\[\s*(?:[\[{"\]\d-]|(?:true|false|null)\b)')
_OBJECT = re.compile(r'\{\s*(?:\}|"(?:[^"\\]|\\.)*(?:"\s*:|\Z))')

MAGICS = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"BM": "a BMP image",
    b"II*\0": "a TIFF image",
    b"MM\0*": "a TIFF image",
    b"RIFF": "a RIFF file (WebP, AVI or WAV)",
    b"PK\x03\x04": "a zip archive (or an Excel or Word file)",
    b"\xfd7zXZ": "xz data",
    b"7z\xbc\xaf": "a 7z archive",
    b"%PDF": "a PDF",
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow file",
    b"Obj\x01": "an Avro file",
    b"SQLite format 3": "an SQLite database",
    b"\xd0\xcf\x11\xe0": "an old Office file",
    b"\x1aE\xdf\xa3": "a Matroska or WebM video",
    b"OggS": "an Ogg file",
    b"ID3": "an MP3 file",
    b"fLaC": "a FLAC file",
}


def sniff(head: bytes, key: str) -> bool:
    """Tell whether an object of this key, which begins with `head`, is a table that can be read."""
    if container := containers.of(head):
        inner = _inner_key(key)
        # For zstd there may be no codec here, and a head may be too short for any text: then the key tells.
        held = b"" if container.name == "zstd" else containers.beginning(container, head, HEAD_BYTES)
        return sniff(held, inner) if held else inner.lower().endswith(ENDINGS)
    encoding = detect(head, "auto")
    if why_binary(head, encoding):
        return False
    text = decode(head[encoding.bom_bytes :], encoding.name)[0]
    if key.lower().endswith(ENDINGS) or json_format(text):
        return True
    return len(text.splitlines()) > 1 and max(_fit(text, Dialect(sign)) for sign in DELIMITERS) > (0.9, 0)


def _inner_key(key: str) -> str:
    """Return the key without the ending of its compression: `a.csv` of `a.csv.gz`."""
    stem, dot, ending = key.rpartition(".")
    return stem if dot + ending.lower() in containers.ENDINGS else key


def why_binary(head: bytes, encoding: Encoding) -> str | None:
    """Return why `head` is no text, None where it may be."""
    if head[4:8] == b"ftyp":
        return "it begins like an MP4 or HEIF file"
    if head[257:262] == b"ustar":
        return "it begins like a tar archive"
    if container := containers.of(head):
        return f"it begins like {container.name} data"
    for magic, what in MAGICS.items():
        # Two letters alone may begin a header; a BMP has zeros among its next bytes.
        if head.startswith(magic) and (magic != b"BM" or b"\0" in head[:16]):
            return f"it begins like {what}"
    if encoding.name not in WIDE and (at := head.find(b"\0")) >= 0:
        return f"byte {at} is zero, which no text has"
    return None


def json_format(text: str) -> Literal["jsonl", "array", "values"] | None:
    """Return which JSON a text begins, None where it begins none.

    An array; or objects, each on a line of its own; or objects that spread over lines or share them.
    """
    start = text.lstrip()
    if _ARRAY.match(start):
        return "array"
    lines = [line for line in start.split("\n")[:SNIFFED_ROWS] if line.strip()]
    if _begins_with_object(text) and 2 * sum(map(_is_object, lines)) >= len(lines) - 1:
        return "jsonl"
    return "values" if _OBJECT.match(start) else None


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _begins_with_value(text: str) -> bool:
    try:
        json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return False
    return True


def _begins_with_object(text: str) -> bool:
    """Tell whether the first line that is not blank is a JSON object, or the beginning of one that is cut off."""
    line, end, _ = text.lstrip().partition("\n")
    if not line.startswith("{"):
        return False
    # A line that is cut off cannot be parsed yet; one that goes on behind its object never can.
    return _is_object(line) or (not end and line[1:].lstrip()[:1] in ('"', "") and not _begins_with_value(line))


def delimiter(text: str, dialect: Dialect) -> str:
    """Return the delimiter that gives the most even rows of two columns or more; a comma where none does."""
    taken = (dialect.quote, dialect.escape)
    fits = {sign: _fit(text, replace(dialect, delimiter=sign)) for sign in DELIMITERS if sign not in taken}
    best = max(fits, key=lambda sign: fits[sign])
    return best if fits[best] > (0, 0) else ","


def _fit(text: str, dialect: Dialect) -> tuple[float, int]:
    """Return the share of rows that have the commonest number of cells, two or more, and that number."""
    counts: Counter[int] = Counter()
    reader = csv.reader(io.StringIO(text, newline=""), **dialect.for_reader())
    for row in reader:
        if row:
            counts[len(row)] += 1
        if counts.total() > SNIFFED_ROWS:
            break
    else:
        # The last row may be cut off.
        if counts.total() > 1 and row:
            counts[len(row)] -= 1
    total = counts.total()
    if not total:
        return 0, 0
    width, rows = max(counts.items(), key=lambda item: (item[1], item[0]))
    return (rows / total, width) if width > 1 else (0, 0)


def refuse(head: bytes, encoding: Encoding, inside: str | None = None) -> None:
    """Raise NotATable where `head`, found inside a container if one is named, is no text."""
    if why := why_binary(head, encoding):
        raise NotATable(f"the object is no table: {f'inside its {inside} ' if inside else ''}{why}")
