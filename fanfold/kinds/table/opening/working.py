"""A worker's part in opening: from a span of compressed bytes to pieces of text."""

from __future__ import annotations

import codecs
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO

from fanfold.errors import BrokenCompression, DecompressionBomb, InvalidInput, WrongEncoding
from fanfold.kinds.table.opening.containers import CONTAINERS, OUT_BYTES, Break, Container, holds
from fanfold.kinds.table.opening.feed import READ_BYTES, Feed
from fanfold.model import Desk, Json, Line, Source

PIECE_BYTES = 64 << 20
"""About how large the objects are that a worker leaves."""

SPOOLED_BYTES = 8 << 20
"""How much of one is in memory; what is beyond goes to disk."""

TRIED_BYTES = 64 << 10
"""How much is inflated to tell a unit from bytes that only look like one."""

HEADER_BYTES = 10
"""What the search needs to see of a unit."""

RATIO_LIMIT = 250
"""How many times its size a span may inflate to, behind the first RATIO_FREE_BYTES."""

RATIO_FREE_BYTES = 256 << 20

INFLATED_LIMIT_BYTES = 128 << 30
"""What an object may inflate to."""

REFUSALS: dict[str, type[InvalidInput]] = {
    error.__name__: error for error in (BrokenCompression, DecompressionBomb, WrongEncoding)
}
"""What can be wrong with the object; the merge raises it once it is certain that a worker began at a unit."""


@dataclass(frozen=True, slots=True)
class Opening:
    """How the workers open an object."""

    container: Container | None
    encoding: str | None
    """What the text is decoded from, if it cannot be cut as it is: then one worker streams the whole object."""

    def to_json(self) -> dict[str, Json]:
        return {"inflate": self.container and self.container.name, "transcode": self.encoding}

    @classmethod
    def from_json(cls, data: Json) -> Opening:
        return cls(data["inflate"] and CONTAINERS[data["inflate"]], data["transcode"])


def is_opening(layout: Json) -> bool:
    """Tell the layout of lines that open an object from that of lines over its text."""
    return "inflate" in layout


def work(source: Source, layout: Json, line: Line, desk: Desk) -> Mapping[str, Json]:
    """Inflate the units that begin in the line's span, and decode them if need be; return where they begin and end.

    What is wrong with the object is a fact for the merge to judge: this worker's guess at a unit may be wrong.
    """
    opening = Opening.from_json(layout)
    span = line.span
    first = span.get("pin", 0 if span["start"] == 0 else None)
    if first is None and opening.container:
        first = _guess(source, opening.container, span["start"], span["stop"])
    if first is None:
        return {"first": None, "next": None, "bytes": 0, "refused": None}
    feed = Feed(source, first)
    refused: InvalidInput | None = None
    following: int | None = None
    with _Pieces(desk) as pieces:
        made = _plain(feed) if opening.container is None else _inflated(feed, opening.container, span["stop"])
        text = made if opening.encoding is None else _utf8(made, opening.encoding)
        try:
            for data in text:
                pieces.write(data)
                _check_size(pieces.size_bytes, feed.position - first)
            following = feed.position
        except (BrokenCompression, DecompressionBomb, WrongEncoding) as found:
            refused = found
        pieces.flush()
        told = refused and [type(refused).__name__, str(refused)]
        return {"first": first, "next": following, "bytes": pieces.size_bytes, "refused": told}


def _guess(source: Source, container: Container, start: int, stop: int) -> int | None:
    """Return where the first unit seems to begin in [start, stop), None where none does."""
    for begins in range(start, stop, READ_BYTES):
        ends = min(begins + READ_BYTES, stop)
        data = source.read(begins, ends + HEADER_BYTES)
        for found in container.likely.finditer(data):
            if begins + found.start() < ends and holds(container, data, found.start(), TRIED_BYTES):
                return begins + found.start()
    return None


def _plain(feed: Feed) -> Iterator[bytes]:
    while data := feed.take(OUT_BYTES):
        yield data


def _inflated(feed: Feed, container: Container, stop: int) -> Iterator[bytes]:
    """Yield what the units inflate to that begin before `stop`; zeros behind the last one are padding."""
    while feed.position < stop:
        begins = feed.position
        if not container.begins.match(feed.peek(4)):
            if not _is_padding(feed):
                raise BrokenCompression(
                    f"byte {begins:,} of the object follows a whole {container.name} {container.unit} and begins "
                    f"neither another one nor zeros up to the end"
                )
            return
        try:
            yield from container.inflate(feed)
        except Break as found:
            raise BrokenCompression(
                f"the {container.name} {container.unit} at byte {begins:,} breaks at or behind byte "
                f"{found.position:,} of {feed.size_bytes:,}: {found.reason}"
            ) from found


def _is_padding(feed: Feed) -> bool:
    while data := feed.take(OUT_BYTES):
        if data.strip(b"\0"):
            return False
    return True


def _utf8(made: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)()
    taken = 0

    def decoded(data: bytes, *, final: bool = False) -> bytes:
        try:
            return decoder.decode(data, final).encode()
        except UnicodeError as error:
            raise WrongEncoding(
                f"the text does not decode as {encoding}, near byte {taken:,}: {error.reason}"  # type: ignore[attr-defined]
            ) from error

    for data in made:
        yield decoded(data)
        taken += len(data)
    yield decoded(b"", final=True)


def _check_size(made_bytes: int, read_bytes: int) -> None:
    if made_bytes > RATIO_FREE_BYTES and made_bytes > RATIO_LIMIT * read_bytes:
        raise DecompressionBomb(
            f"{read_bytes:,} bytes inflate to {made_bytes:,} and more; the limit is {RATIO_LIMIT} times as many"
        )
    check_total(made_bytes)


def check_total(made_bytes: int) -> None:
    """Raise DecompressionBomb where an object inflates to too much."""
    if made_bytes > INFLATED_LIMIT_BYTES:
        raise DecompressionBomb(
            f"the object inflates to {made_bytes:,} bytes and more; the limit is {INFLATED_LIMIT_BYTES:,}"
        )


def piece_name(number: int) -> str:
    """Return the name of a part's object."""
    return f"text-{number:05}"


class _Pieces:
    """Text on its way into objects of bounded size."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._count = 0
        self.size_bytes = 0
        self._file = self._new()

    def _new(self) -> IO[bytes]:
        return tempfile.SpooledTemporaryFile(SPOOLED_BYTES)

    def __enter__(self) -> _Pieces:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, data: bytes) -> None:
        """Take more text."""
        self._file.write(data)
        self.size_bytes += len(data)
        if self._file.tell() >= PIECE_BYTES:
            self.flush()

    def flush(self) -> None:
        """Leave what was taken since the last time as an object."""
        if self._file.tell():
            self._desk.write(piece_name(self._count), self._file)
            self._count += 1
        self._file.close()
        self._file = self._new()
