"""The tracks of a rendition, as the parts left them: what describes each, and where its samples lie."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fanfold.errors import UnsupportedVideo
from fanfold.kinds.video import choosing, levels
from fanfold.kinds.video.media import Media, Stream
from fanfold.kinds.video.recipe import Rendition
from fanfold.kinds.video.samples import Samples
from fanfold.model import Copied, Part, PartObject


def told(samples: Samples) -> dict[str, Any]:
    """Return what a part says of samples: first what all merges need, and for those that need it each of them."""
    return {
        "start": samples.start,
        "last": max(samples.pts),
        "stop": samples.stop,
        "bytes": sum(samples.sizes),
        "samples": samples.to_json(),
    }


@dataclass(frozen=True)
class Stored:
    """A fragment of a track in the work bucket: its head, and its samples behind it."""

    made: PartObject
    at: int
    """Where the fragment begins in its object."""
    head: int
    """How many bytes its head has."""
    told: Mapping[str, Any]
    """See `told`."""

    @property
    def start(self) -> int:
        """The first instant that any of its samples is shown."""
        return int(self.told["start"])

    @property
    def last(self) -> int:
        """The instant at which the last of its pictures appears."""
        return int(self.told["last"])

    @property
    def stop(self) -> int:
        """The instant at which the last of them is over."""
        return int(self.told["stop"])

    @property
    def size_bytes(self) -> int:
        """The bytes of its samples."""
        return int(self.told["bytes"])

    @property
    def fragment_bytes(self) -> int:
        """The bytes of its head and its samples."""
        return self.head + self.size_bytes

    @cached_property
    def samples(self) -> Samples:
        return Samples.from_json(self.told["samples"])

    @property
    def fragment(self) -> Copied:
        return Copied(self.made.key, self.at, self._ends)

    @property
    def data(self) -> Copied:
        return Copied(self.made.key, self.at + self.head, self._ends)

    @property
    def _ends(self) -> int:
        return self.at + self.head + self.size_bytes


@dataclass(frozen=True, slots=True)
class Whole:
    """A track from its first sample to its last."""

    stream: Stream
    timescale: int
    entry: bytes
    origin: int
    """The time, in its ticks, at which the presentation begins."""
    begins: int
    ends: int
    first: int
    stored: Mapping[int, Stored]
    """By the number of the segment; a sound may have none in one."""
    copied: bool
    """Whether its samples are those of the source."""

    @property
    def lead(self) -> int:
        """How many ticks of it come before the presentation."""
        return max(0, self.origin - self.first)


def video_of(media: Media, rendition: Rendition, parts: Sequence[Part]) -> Whole | None:
    """Return the pictures of a rendition, None if it has none. Raises UnsupportedVideo."""
    stream = media.video
    if stream is None or not choosing.has_video(media, rendition):
        return None
    origin = media.origin_of(stream)
    if choosing.copies_video(media, rendition):
        stored = {at: _stored(part, part.facts["copied"]) for at, part in enumerate(parts)}
        return _copied(stream, origin, stored)
    facts = [part.facts["video"][rendition.name] for part in parts]
    entry = levels.shared({b64decode(one["entry"]) for one in facts})
    if entry is None:
        raise UnsupportedVideo(f"the segments of {rendition.name!r} are not encoded alike")
    stored = {at: _stored(part, one) for at, (part, one) in enumerate(zip(parts, facts, strict=True))}
    first = stored[0].start
    return Whole(stream, stream.timescale, entry, origin, first, stream.ends, first, stored, copied=False)


def copied_audio(media: Media, stream: Stream, parts: Sequence[Part]) -> Whole:
    """Return a sound as the source has it."""
    return _copied(stream, media.origin_of(stream), dict(_kept(stream, parts)))


def _copied(stream: Stream, origin: int, stored: Mapping[int, Stored]) -> Whole:
    return Whole(
        stream, stream.timescale, stream.entry, origin, stream.begins, stream.ends, stream.first, stored, copied=True
    )


def _kept(stream: Stream, parts: Sequence[Part]) -> Iterator[tuple[int, Stored]]:
    for at, part in enumerate(parts):
        if facts := part.facts["audio"].get(str(stream.index)):
            yield at, _stored(part, facts)


def encoded_audio(stream: Stream, part: Part) -> Whole:
    """Return a sound that was encoded in a lane of its own."""
    facts = part.facts
    made = part.objects["sound"]
    stored = {one["segment"]: Stored(made, one["at"], one["head"], one) for one in facts["fragments"]}
    return Whole(
        stream,
        facts["timescale"],
        b64decode(facts["entry"]),
        facts["origin"],
        facts["begins"],
        facts["ends"],
        facts["first"],
        stored,
        copied=False,
    )


def _stored(part: Part, facts: Mapping[str, Any]) -> Stored:
    made = part.objects[facts["object"]]
    return Stored(made, 0, facts["head"], facts)
