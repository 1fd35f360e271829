"""What a merge makes of opened parts: certain text, and the plan over it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count, takewhile

from fanfold.errors import EmptyObject
from fanfold.kinds.table.opening.working import REFUSALS, Opening, check_total, piece_name
from fanfold.model import Line, Part, PartObject, Round


def opened(round: Round) -> tuple[list[PartObject], list[Line]]:
    """Return the pieces of the text in their order, or the lines that must run first, each from a given byte.

    Raises BrokenCompression, DecompressionBomb, WrongEncoding, EmptyObject where the object is at fault.
    """
    pieces: list[PartObject] = []
    again: list[Line] = []
    carry: int | None = 0
    certain = True
    for line in round.plan:
        start, stop = line.span["start"], line.span["stop"]
        reruns = [found for lines in round.later for found in lines if found.span["start"] == start]
        parts = [part for found in (line, *reruns) if (part := round.part(found))]
        if carry is None:
            # Nobody knows yet where the part before ends: take this one's guess, to find other breaks early.
            certain = False
            carry = parts[0].facts["first"] if parts else None
            if carry is None:
                continue
        if carry >= stop:
            continue
        right = next((part for part in parts if part.facts["first"] == carry), None)
        if right is None:
            span = {"start": start, "stop": stop, "pin": carry}
            again.append(Line(f"{len(round.lines)}-{len(again):05}", line.role, span, line.layout))
            carry = None
            continue
        if certain:
            if refused := right.facts["refused"]:
                raise REFUSALS[refused[0]](refused[1])
            pieces += _pieces(right)
        carry = right.facts["next"]
    if not again:
        _check_text(round, pieces)
    return pieces, again


def _pieces(part: Part) -> Sequence[PartObject]:
    return [part.objects[name] for name in takewhile(part.objects.__contains__, map(piece_name, count()))]


def _check_text(round: Round, pieces: Sequence[PartObject]) -> None:
    size = sum(piece.size_bytes for piece in pieces)
    check_total(size)
    if not size:
        container = Opening.from_json(round.layouts[round.plan[0].layout]).container
        what = f"the {container.name} of {round.source.size_bytes:,} bytes inflates to" if container else "the text has"
        raise EmptyObject(f"{what} nothing")
