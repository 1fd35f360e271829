"""What is in outputs, as far as a page shows it: the head of a table, rejects in their bytes, cues, metadata.

Each reads a bounded piece of its object. Whatever is read is data: pages show it as text.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fanfold.aws.objects import Bucket, S3Source
from fanfold.errors import FanfoldError
from fanfold.model import ObjectRef

HEAD_BYTES = 256 << 10
"""What is read of an output in text."""

ROWS_SHOWN, REJECTS_SHOWN, COLUMNS_SHOWN = 50, 25, 60

CONTEXT_BYTES, ROW_BYTES = 32, 160
"""What is shown around a rejected row, and of it."""

CUES_SHOWN = 5_000


@dataclass(frozen=True, slots=True)
class Table:
    """The beginning of a table."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    more_columns: int = 0


class RangedFile(io.RawIOBase):
    """An object as a file that is read by ranges, for libraries that want one."""

    def __init__(self, bucket: Bucket, key: str, size_bytes: int) -> None:
        self._bucket, self._key, self._size, self._at = bucket, key, size_bytes, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        data = self._bucket.read(self._key, self._at, min(self._size, self._at + len(buffer)))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def head(bucket: Bucket, key: str, size_bytes: int) -> tuple[str, bool]:
    """Return the beginning of an output as text, and whether that is all of it."""
    data = bucket.read(key, 0, min(size_bytes, HEAD_BYTES))
    return data.decode("utf-8", "replace"), size_bytes <= HEAD_BYTES


def table(bucket: Bucket, key: str, size_bytes: int) -> Table:
    """Return the first rows of an output in CSV, JSON Lines or Parquet."""
    if key.endswith(".parquet"):
        return _parquet(bucket, key, size_bytes)
    text, whole = head(bucket, key, size_bytes)
    if key.endswith(".csv"):
        found = list(csv.reader(io.StringIO(text, newline="")))
        found = found if whole else found[:-1]  # the last one was cut
        return _narrowed(found[0] if found else [], found[1 : ROWS_SHOWN + 1])
    objects = list(json_lines(text, whole))[:ROWS_SHOWN]
    names = list(dict.fromkeys(name for one in objects for name in one))
    return _narrowed(names, [[one.get(name) for name in names] for one in objects])


def _parquet(bucket: Bucket, key: str, size_bytes: int) -> Table:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(io.BufferedReader(RangedFile(bucket, key, size_bytes), HEAD_BYTES), buffer_size=64 << 10)
    names = file.schema_arrow.names
    batch = next(file.iter_batches(batch_size=ROWS_SHOWN, columns=names[:COLUMNS_SHOWN]), None)
    rows = [list(row.values()) for row in batch.to_pylist()] if batch is not None else []
    return Table(names[:COLUMNS_SHOWN], rows, max(0, len(names) - COLUMNS_SHOWN))


def _narrowed(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    shown = [row[:COLUMNS_SHOWN] for row in rows]
    return Table(names[:COLUMNS_SHOWN], shown, max(0, len(names) - COLUMNS_SHOWN))


def json_lines(text: str, whole: bool) -> Iterator[dict[str, Any]]:
    """Yield the objects of JSON Lines; of a text that was cut, all but the last."""
    lines = text.split("\n")
    for line in lines if whole else lines[:-1]:
        if line:
            found = json.loads(line)
            yield found if isinstance(found, dict) else {"value": found}


@dataclass(frozen=True, slots=True)
class Dumped:
    """Sixteen bytes of an object: what lies before the row, in it, and behind it."""

    offset: int
    hex: tuple[str, str, str]
    text: tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Reject:
    """A rejected row, and the bytes that it is, where they are those of the object itself."""

    line: Mapping[str, Any]
    bytes: Sequence[Dumped]


def rejects(bucket: Bucket, key: str, size_bytes: int, source: S3Source) -> list[Reject]:
    """Return the first rejects with their bytes in context.

    Offsets are those of the text: what was opened first (compressed, say) has no such bytes in the object.
    """
    text, whole = head(bucket, key, size_bytes)
    return [Reject(line, context(source, line)) for line in list(json_lines(text, whole))[:REJECTS_SHOWN]]


def context(source: S3Source, line: Mapping[str, Any]) -> list[Dumped]:
    """Return the bytes around a rejected row, none where the row does not lie there."""
    offset, raw = int(line["offset"]), str(line["raw"])
    begin = max(0, offset - CONTEXT_BYTES) // 16 * 16
    try:
        data = source.read(begin, offset + ROW_BYTES + CONTEXT_BYTES)
    except FanfoldError:
        return []  # the version has gone since
    at = offset - begin
    row = next((found for coding in ("utf-8", "latin-1") if (found := _at(data, at, raw, coding))), b"")
    if not row:
        return []
    end = at + min(len(row), ROW_BYTES)
    stop = min(len(data), -(-(end + CONTEXT_BYTES) // 16) * 16)
    return [
        _dumped(data[start : min(start + 16, stop)], begin + start, at - start, end - start)
        for start in range(0, stop, 16)
    ]


def _at(data: bytes, at: int, raw: str, coding: str) -> bytes:
    try:
        row = raw.encode(coding)
    except UnicodeEncodeError:
        return b""
    seen = data[at : at + len(row)]
    return row if seen and row.startswith(seen) else b""


def _dumped(data: bytes, offset: int, start: int, stop: int) -> Dumped:
    start, stop = max(0, min(start, len(data))), max(0, min(stop, len(data)))
    cuts = (data[:start], data[start:stop], data[stop:])
    first, second, third = (" ".join(f"{one:02x}" for one in cut) for cut in cuts)
    shown = ["".join(chr(one) if 32 <= one < 127 else "·" for one in cut) for cut in cuts]
    return Dumped(offset, (first, second, third), (shown[0], shown[1], shown[2]))


@dataclass(frozen=True, slots=True)
class Cue:
    """One cue of a WebVTT file: seconds, text, and the rectangle of a picture where it names one."""

    start: float
    stop: float
    text: str
    picture: str
    x: int
    y: int
    width: int
    height: int


_TIMES = re.compile(r"(?:(\d+):)?(\d\d):(\d\d\.\d{3})\s+-->\s+(?:(\d+):)?(\d\d):(\d\d\.\d{3})")
_RECTANGLE = re.compile(r"^([^\s#]+)#xywh=(\d+),(\d+),(\d+),(\d+)$")


def cues(text: str) -> list[Cue]:
    """Return the cues of a WebVTT file; tags in their text are left out. https://www.w3.org/TR/webvtt1/"""
    found = []
    for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n").replace("\r", "\n")):
        lines = block.split("\n")
        at = next((number for number, line in enumerate(lines) if _TIMES.search(line)), None)
        if at is None:
            continue
        times = _TIMES.search(lines[at])
        assert times
        h1, m1, s1, h2, m2, s2 = times.groups()
        said = re.sub(r"<[^>]*>", "", "\n".join(lines[at + 1 :])).strip()
        start, stop = (int(h or 0) * 3600 + int(m) * 60 + float(s) for h, m, s in ((h1, m1, s1), (h2, m2, s2)))
        place = _RECTANGLE.match(said)
        rectangle = [int(side) for side in place.groups()[1:]] if place else [0, 0, 0, 0]
        found.append(Cue(start, stop, said, place[1] if place else "", *rectangle))
        if len(found) == CUES_SHOWN:
            break
    return found


def source_of(item: Mapping[str, Any]) -> ObjectRef:
    """Return the version of the object that a job processed."""
    source = item["source"]
    return ObjectRef(source["bucket"], source["key"], source["bytes"], source["etag"], source["version"])
