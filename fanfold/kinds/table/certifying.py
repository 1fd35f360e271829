"""Walking the chain of parts: which of them are the sequential parse, which must run again, which are lost.

From a true row start the parse is deterministic. So when the end of one part is the start of the next, from the
first row on, each of them is right, by induction; no guess enters the proof.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from fanfold.errors import BrokenJson, RowTooLarge
from fanfold.kinds.table.bounds import Bounds, scan
from fanfold.kinds.table.layout import ROW_LIMIT_BYTES, Layout
from fanfold.model import Line, Part, Round

SCAN_LIMIT_BYTES = 8 << 20
"""How much a merge scans by itself to save a round. What failed without a note is scanned whatever its size."""


@dataclass(slots=True)
class Chunk:
    """One span of the plan, and every line that was ever run for it."""

    line: Line
    reruns: list[Line] = field(default_factory=list)

    @property
    def start(self) -> int:
        return int(self.line.span["start"])

    @property
    def stop(self) -> int:
        return int(self.line.span["stop"])


@dataclass(frozen=True, slots=True)
class Certified:
    """A chunk whose first row's place is certain."""

    chunk: Chunk
    first: int
    parts: Sequence[Part]
    """Its parts that begin there, in the order in which they were asked for; none where the chunk failed."""


@dataclass(slots=True)
class Chain:
    """What a walk found."""

    certified: list[Certified] = field(default_factory=list)
    broken: list[tuple[Chunk, int]] = field(default_factory=list)
    """Chunks that must run again, and where their first row begins; beyond the first that may be a guess too."""
    end: int | None = None
    """Behind the bracket of the array that holds the rows, once it is certain."""

    def judge(self, bounds: Bounds) -> None:
        """Take what is certain of some rows: raise RowTooLarge or BrokenJson for them, or keep where the array ends."""
        if bounds.too_large is not None:
            raise _too_large(bounds.too_large)
        if bounds.broken is not None:
            raise _broken(*bounds.broken)
        self.end = bounds.end if self.end is None else self.end


def chunks_of(round: Round) -> list[Chunk]:
    """Return the plan's chunks in the order of the object, each with the lines of later rounds for it."""
    chunks = {line.span["start"]: Chunk(line) for line in round.plan}
    for lines in round.later:
        for line in lines:
            if "pin" in line.span:
                chunks[line.span["start"]].reruns.append(line)
    return list(chunks.values())


def walk(round: Round, layout: Layout) -> Chain:
    """Walk the chain as far as it is known.

    Raises RowTooLarge for a row that certainly begins where it seems to, and BrokenJson.
    """
    chain = Chain()
    carry: int | None = layout.start
    certain = True
    scannable = SCAN_LIMIT_BYTES
    for chunk in chunks_of(round):
        parts = [part for line in (chunk.line, *chunk.reruns) if (part := round.part(line))]
        if carry is None:
            # Nobody knows yet where the broken chunk before ends: take this one's guess, to find other breaks early.
            certain = False
            carry = parts[0].facts["first"] if parts else None
            if carry is None:
                continue
        if carry >= chunk.stop > chunk.start:
            continue
        right = [part for part in parts if part.facts["first"] == carry]
        if right:
            bounds = Bounds.from_json(right[0].facts)
            if certain:
                chain.judge(bounds)
                chain.certified.append(Certified(chunk, carry, right))
            carry = bounds.next
            continue
        failed = _has_failed(round, chunk, carry)
        if failed and certain:
            chain.certified.append(Certified(chunk, carry, ()))
        elif not failed:
            chain.broken.append((chunk, carry))
        known = _known_end(round, chunk, parts, carry)
        if known is None and certain and (failed or chunk.stop - carry <= scannable):
            scannable -= 0 if failed else chunk.stop - carry
            scanned = scan(round.source, layout, carry, chunk.stop)
            chain.judge(scanned)
            known = scanned.next
        carry = known
    return chain


def _has_failed(round: Round, chunk: Chunk, first: int) -> bool:
    """Tell whether a chunk failed within what is tolerated: then nobody runs it again."""
    if round.part(chunk.line) is None:
        return True
    return any(line.span["pin"] == first and round.part(line) is None for line in chunk.reruns)


def _known_end(round: Round, chunk: Chunk, parts: Sequence[Part], first: int) -> int | None:
    """Return where the rows of a chunk end if they begin at `first`, where a worker found that out."""
    known = [Bounds.from_json(part.facts) for part in parts]
    if not parts and (noted := round.note(chunk.line)):
        known.append(Bounds.from_json(noted))
    for bounds in known:
        if bounds.first == first:
            return bounds.next
        if first in bounds.alts:
            return bounds.alts[first]
    return None


def _too_large(offset: int) -> RowTooLarge:
    return RowTooLarge(f"the row at byte {offset:,} has more than {ROW_LIMIT_BYTES:,} bytes, which is the limit")


def _broken(offset: int, row: int, reason: str) -> BrokenJson:
    behind = "" if row == offset else f", in or behind the row at byte {row:,}"
    return BrokenJson(f"the JSON breaks at byte {offset:,}{behind}: {reason}")
