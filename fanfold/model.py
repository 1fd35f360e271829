"""The vocabulary that every other module shares. Standard library only.

All ranges are half-open: `start` is in, `stop` is out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import IO, Any, Protocol, TypeAlias

Json: TypeAlias = Any
"""What `json.loads` can return. Typed loosely on purpose: shapes are said where they are made."""


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """One immutable version of an object. Reads of it fail if the object has changed."""

    bucket: str
    key: str
    size_bytes: int
    etag: str
    """Without quotes."""
    version_id: str | None = None
    """None in a bucket that is not versioned: then the ETag alone pins the reads."""

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    @property
    def version(self) -> str:
        """What tells this version from every other one of the same key."""
        return self.version_id or self.etag


class Source(Protocol):
    """Ranged reads of one version of one object."""

    @property
    def size_bytes(self) -> int: ...

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes in [start, stop), cut at the end of the object; one request.

        Raises SourceChanged if the object is no longer the planned version.
        """
        ...


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a plan: one Map item, one invocation of a worker, one part."""

    id: str
    """Unique in the job, safe in a key, in the order of the object: `0-00012` is chunk 12 of round 0."""
    role: str
    """Which worker takes it: a name in the state machine's `Workers`."""
    span: Mapping[str, Json]
    """What to work on; its shape is its kind's own."""
    layout: int = 0
    """Which of the job's layouts holds for it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a kind wants done first."""

    layout: Json
    """What every worker must agree on, found once by the splitter (a dialect, a header, a schema)."""
    lines: Sequence[Line]
    prepares: bool = False
    """True where the lines only make the object ready to be split (inflate it, say): the plan proper is a merge's
    answer to their parts. None of them may fail, whatever the recipe tolerates."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a plan will come to, as far as it can be told before anything ran."""

    chunks: int
    chunk_bytes: int
    lines: int
    """The chunks, and what makes the object ready to be split."""
    worker_s: float
    """What all workers take together."""
    longest_s: float
    """What the workers take that must wait for each other, with as many at once as the recipe allows."""
    opening: Mapping[str, Json] | None = None
    """For a plan that prepares: what is known of that, in the kind's own terms."""


@dataclass(frozen=True, slots=True)
class Part:
    """What a worker wrote for one line."""

    line: Line
    facts: Mapping[str, Json]
    """What the kind's merge needs to know of it; small, JSON."""
    objects: Mapping[str, PartObject]
    """By the name that the worker gave it."""
    execution: str
    """The execution that wrote it; another one's part is reused as it is."""
    attempt: int
    """Which attempt at the line succeeded, from 1."""
    seconds: float
    """How long that attempt took."""


@dataclass(frozen=True, slots=True)
class PartObject:
    """One object of a part, in the work bucket."""

    key: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Copied:
    """A piece of an output: the bytes [start, stop) of a part's object."""

    key: str
    start: int
    stop: int


Piece: TypeAlias = Copied | bytes
"""Bytes stand for themselves: a header, a bracket, a footer."""


@dataclass(frozen=True, slots=True)
class Output:
    """One output object, described and not yet made."""

    name: str
    pieces: Sequence[Piece]
    content_type: str = "application/octet-stream"
    placed: bool = False
    """True where a line of the `index` role has put it in its place (see `placing`): the merge only lists it."""

    @property
    def size_bytes(self) -> int:
        return sum(len(piece) if isinstance(piece, bytes) else piece.stop - piece.start for piece in self.pieces)


def placing(pieces: Sequence[tuple[str, Copied]], content_type: str) -> dict[str, Json]:
    """Return the span of an `index` line that puts outputs in their place, each one piece, copied inside S3."""
    return {"place": [[name, piece.key, piece.start, piece.stop] for name, piece in pieces], "type": content_type}


@dataclass(frozen=True, slots=True)
class Again:
    """A merge's answer that another round is needed before the job can end."""

    lines: Sequence[Line]
    layout: Json = None
    """A new layout for these lines, or None to keep the one that each names."""
    plans: bool = False
    """True where these lines are the plan proper, and all before them only made the object ready to be split."""
    publishes: bool = False
    """True where the round writes outside the work bucket: it runs only while this job holds the right to publish."""


@dataclass(frozen=True, slots=True)
class Folded:
    """A merge's answer that the parts are certain and these are the outputs."""

    outputs: Sequence[Output]
    stats: Mapping[str, Json]
    missing: Sequence[Mapping[str, Json]] = ()
    """What is not in the outputs, because its chunk failed within `tolerate`: spans, in the kind's own terms."""
    repaired: int = 0
    """How many lines were run again because their first run rested on a wrong guess."""
    refused: Exception | None = None
    """Raised once the outputs are written: the job fails, and its owner can read why in them."""


@dataclass(frozen=True, slots=True)
class Round:
    """What a merge is given to decide on."""

    source: Source
    recipe: Any
    layouts: Sequence[Json]
    lines: Sequence[Sequence[Line]]
    """The lines of every round so far, first round first."""
    part: Callable[[Line], Part | None]
    """The part of a line, None if its chunk failed."""
    note: Callable[[Line], Json]
    """What the line's worker noted before it began, None if it did not get that far."""
    read: Callable[[PartObject, int, int], bytes]
    """Bytes [start, stop) of a part's object."""
    plan_round: int = 0
    """Which round is the plan proper; while an object is only made ready, the first."""

    @property
    def plan(self) -> Sequence[Line]:
        """The lines that the object was split into."""
        return self.lines[self.plan_round]

    @property
    def later(self) -> Sequence[Sequence[Line]]:
        """The lines of every round behind the plan's."""
        return self.lines[self.plan_round + 1 :]


@dataclass(frozen=True, slots=True)
class Record:
    """One item for the Records table."""

    partition: str
    """The value that people query by; empty: the key of the object itself."""
    sort: str | None
    """The value that records of one partition are ordered by; None: in the order of the object."""
    ordinal: int
    """The place of the record in the object, from 0: of two with equal keys the higher one wins."""
    attributes: Mapping[str, Json]
    """JSON values, and Decimal where a number must be exact."""
    totals: Sequence[tuple[str, str, Decimal]] = ()
    """What it adds to the recipe's totals: (name of the total, value that it is kept by, amount)."""
    word: str = ""
    """The word that people find it by, as `fanfold.words` spells it, instead of by its partition. Its attributes then
    have a `text`, which the word was read or heard in, and a `place`: the word's number in that text, from 0."""


class Desk(Protocol):
    """What a worker has besides its source: where it writes, and what others wrote before it."""

    def note(self, facts: Json) -> None:
        """Keep `facts` even if the worker dies after this call."""
        ...

    def write(self, name: str, data: bytes | IO[bytes]) -> None:
        """Write one object of the part. The same line always writes the same bytes under the same name."""
        ...

    def read(self, part_object: PartObject, start: int = 0, stop: int | None = None) -> bytes:
        """Return the bytes [start, stop) of an object of another part; all of them, if nothing else is asked."""
        ...


class Kind(Protocol):
    """A kind of file: how it is planned, processed and merged. Knows nothing of AWS."""

    name: str
    parts_version: int
    """Raised when the same line would give other bytes than the last release: parts of before are not reused."""

    def sniff(self, head: bytes, key: str) -> bool:
        """Tell whether an object of this key that begins with `head` (up to 4 KiB) is of this kind."""
        ...

    def plan(self, source: Source, recipe: Any) -> Plan:
        """Split: read metadata only, refuse what cannot be done."""
        ...

    def forecast(self, source: Source, recipe: Any, plan: Plan) -> Forecast:
        """Tell what a plan will come to; may read more of the source than planning does."""
        ...

    def process(self, source: Source, recipe: Any, layout: Json, line: Line, desk: Desk) -> Mapping[str, Json]:
        """Work on one line; return its facts. A pure function of its arguments."""
        ...

    def records(self, recipe: Any, layout: Json, line: Line, desk: Desk) -> Iterator[Record]:
        """Yield the records of one `index` line, which names certified parts; a pure function of its arguments."""
        ...

    def merge(self, round: Round) -> Again | Folded:
        """Certify the parts; ask for another round, or describe the outputs."""
        ...
