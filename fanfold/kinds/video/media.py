"""What a plan knows of a video: what every worker and the merge must agree on, as JSON."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from fanfold.kinds.video.formats import Container
from fanfold.kinds.video.mp4.entries import margins
from fanfold.model import Json, Round

ROLE = "encode"
"""The role of the lines that read and encode: a segment, or a sound."""


def planned(round: Round) -> Json:
    """Return the layout of the plan proper: of what was made ready first, that is not the first layout."""
    return next(layout for layout in round.layouts if "media" in layout)


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream that is kept: the pictures, or one of the sounds."""

    index: int
    kind: str
    """`video` or `audio`."""
    codec: str
    timescale: int
    """Ticks a second."""
    entry: bytes
    """The sample entry that describes it in an MP4."""
    begins: int
    """What is presented of it begins here, in its ticks."""
    ends: int
    """And ends here."""
    first: int
    """The time of its first sample: earlier than `begins` where samples are only decoded."""
    last: int
    """And of its last one: not earlier than `ends` where that is only decoded."""
    language: str = "und"
    """ISO 639-2/T."""
    default: bool = True
    title: str = ""
    width: int = 0
    """As coded; 0 for sound."""
    height: int = 0
    shape: str = "1"
    """The width of a pixel for its height."""
    pixel_format: str = ""
    late: int = 0
    """By how many ticks its display must lag behind its decoding, within every segment."""
    late_encoded: int = 0
    """And of pictures that are encoded anew at most."""
    turn: int = 0
    """By how many degrees it is turned clockwise to be shown."""
    matrix: str = ""
    """The same as the container says it, in base64."""
    sample_rate: int = 0
    channels: int = 0

    @property
    def shown_size(self) -> tuple[int, int]:
        """Width and height of what is shown of its pictures, before they are turned."""
        cut = margins(self.entry)
        return max(1, self.width - cut.across), max(1, self.height - cut.down)

    @property
    def tick(self) -> Fraction:
        return Fraction(1, self.timescale)

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"entry": b64encode(self.entry).decode()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Stream:
        return cls(**{**data, "entry": b64decode(data["entry"])})


@dataclass(frozen=True, slots=True)
class Media:
    """A video."""

    container: Container
    origin: str
    """Where the presentation begins, in seconds on the container's own timeline."""
    duration: str
    """How long the presentation is, in seconds."""
    video: Stream | None
    audio: Sequence[Stream]
    segments: Sequence[Sequence[int]]
    """Where each segment starts and stops, in ticks of the video; of the first sound where there is none."""
    chapters: Sequence[Mapping[str, Any]] = ()
    tags: Mapping[str, str] | None = None

    @property
    def clock(self) -> Stream:
        """The stream in whose ticks the segments are."""
        return self.video or self.audio[0]

    @property
    def heard(self) -> Stream | None:
        """The sound that is heard unless somebody chooses."""
        chosen = [stream for stream in self.audio if stream.default] or self.audio
        return chosen[0] if chosen else None

    def origin_of(self, stream: Stream) -> int:
        """Return the origin in a stream's ticks, which it lies on or next to."""
        return round(Fraction(self.origin) * stream.timescale)

    def zero_of(self, stream: Stream) -> int:
        """Return what is added to a stream's times in fragments, where no time may be below 0."""
        return -min(self.origin_of(stream), stream.first)

    def late_of(self, stream: Stream, *, copied: bool) -> int:
        """Return by how much the display of a stream's fragments lags: of encoded pictures as any encoder needs."""
        return stream.late if copied or stream.kind == "audio" else stream.late_encoded

    def bounds(self, number: int) -> tuple[Fraction | None, Fraction | None]:
        """Return start and stop of a segment in seconds; None at either end of the video."""
        start, stop = self.segments[number]
        tick, last = self.clock.tick, len(self.segments) - 1
        return start * tick if number else None, stop * tick if number < last else None

    def to_json(self) -> dict[str, Any]:
        return {
            "container": self.container,
            "origin": self.origin,
            "duration": self.duration,
            "video": self.video.to_json() if self.video else None,
            "audio": [stream.to_json() for stream in self.audio],
            "segments": [list(segment) for segment in self.segments],
            "chapters": list(self.chapters),
            "tags": dict(self.tags or {}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Media:
        video = data["video"]
        return cls(
            **{
                **data,
                "video": Stream.from_json(video) if video else None,
                "audio": [Stream.from_json(stream) for stream in data["audio"]],
            }
        )
