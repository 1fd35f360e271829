"""What one worker lays out of an object that is no MP4: what begins in its bytes, and nothing besides.

It learns of the streams what one that laid out all of it would, and is led to its own bytes from there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from fanfold.model import Json, Source

READ_BYTES = 1 << 20
"""How much is read at once of what is read as a whole."""

BESIDES_BYTES = 2_000_000
"""How much a worker reads at most besides its share: of what tells of the streams, and of what lies around it."""

BESIDES_READ_BYTES = 64 << 10
"""How much is read at once of that."""

HEADER_READ_BYTES = 4 << 10
"""And where no more than a few bytes are asked for."""

KEPT_BYTES = 32 << 20
"""How much is kept of what was read last."""

SEEN_ALIKE = 2
"""How many frames of each stream two neighbours must see alike, as far as both go."""


class Share(Protocol):
    """A worker's share."""

    @property
    def view(self) -> Source:
        """What a demuxer is given."""
        ...

    @property
    def is_first(self) -> bool: ...

    def packets(self, found: InputContainer, streams: Sequence[Stream]) -> Iterator[Packet[Any]]:
        """Yield the packets of some streams that are the worker's."""
        ...

    def told(self) -> dict[str, Json]:
        """Return what tells whether the share follows the one before it, once it was read.

        Its bytes [`start`, `stop`); where it `begin`s, None if nothing begins there, and `end`s; what was seen `first`,
        and `behind` the end. Or why it is `unproven`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Whole:
    """All of an object."""

    view: Source
    is_first: bool = True

    def packets(self, found: InputContainer, streams: Sequence[Stream]) -> Iterator[Packet[Any]]:
        """Yield the packets of some streams."""
        yield from found.demux(streams)

    def told(self) -> dict[str, Json]:
        return {}


class Rationed:
    """A source of which [start, stop) is read in large pieces, and little besides: then it ends for whoever reads it.

    What was read is kept a while, so that it is read once.
    """

    def __init__(self, source: Source, start: int, stop: int) -> None:
        self._source = source
        self._start, self._stop = start, stop
        self._kept: deque[tuple[int, bytes]] = deque()
        self._kept_bytes = 0
        self._left_bytes = BESIDES_BYTES
        self.is_spent = False
        """Whether more was asked for than there is."""

    @property
    def size_bytes(self) -> int:
        return self._source.size_bytes

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes in [start, stop), cut at the end, or where no more may be read."""
        stop, found, at = min(stop, self.size_bytes), [], start
        while at < stop:
            begin, data = self._piece(at, stop)
            if not data:
                self.is_spent = True
                break
            found.append(data[at - begin : stop - begin])
            at += len(found[-1])
        return b"".join(found)

    def _piece(self, at: int, stop: int) -> tuple[int, bytes]:
        """Return what is read around a byte, and where it begins."""
        for one in self._kept:
            if one[0] <= at < one[0] + len(one[1]):
                return one
        if self._start <= at < self._stop:
            begin = at - (at - self._start) % READ_BYTES
            end = min(begin + READ_BYTES, self._stop)
        else:
            ahead = BESIDES_READ_BYTES if stop - at > HEADER_READ_BYTES else HEADER_READ_BYTES
            begin, ends = at, [one[0] for one in self._kept if one[0] > at]
            ends += [self._start] if at < self._start else []
            end = min(max(stop, at + ahead), at + self._left_bytes, self.size_bytes, *ends)
            self._left_bytes -= end - begin
        if end <= begin:
            return begin, b""
        data = self._source.read(begin, end)
        self._kept.appendleft((begin, data))
        self._kept_bytes += len(data)
        while self._kept_bytes > KEPT_BYTES:
            self._kept_bytes -= len(self._kept.pop()[1])
        return begin, data
