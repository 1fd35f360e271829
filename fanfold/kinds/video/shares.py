"""What one worker lays out of an object that is no MP4: what begins in its bytes, and nothing besides.

It opens the object as one that laid out all of it would, at its beginning: what a demuxer learns there of the streams,
it learns alike. From there on it is led to the worker's own bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from fanfold.model import Json, Source


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
