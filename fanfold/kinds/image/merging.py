"""The merge: what the part wrote becomes the outputs, tiles by ranges of the one object that holds them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from fanfold.kinds.image import planning, staging
from fanfold.kinds.image.encoding import TYPES
from fanfold.kinds.image.places import SEEN, TALLY
from fanfold.kinds.image.tiles import TILES, TILES_INDEX, descriptor
from fanfold.model import Again, Copied, Folded, Line, Output, Part, Round

INDEX = "index"
"""The role of the line that writes the record."""

_TYPES = TYPES | {"json": "application/json", "dzi": "application/xml"}


def merge(round: Round) -> Again | Folded:
    """Ask for what is still to be made, then have the record written, then describe the outputs."""
    made = [round.part(line) for lines in round.lines for line in lines if line.role != INDEX]
    parts = [part for part in made if part is not None]
    assert len(parts) == len(made), "a recipe of images tolerates no failed chunk"
    if not any(line.role == INDEX for line in round.lines[-1]):
        if again := _next(round, parts[-len(round.lines[-1]) :]) or _fold(round, parts):
            return again
        if round.recipe.metadata or round.recipe.recognise:
            return Again([_index_line(round, parts)], publishes=True)
    outputs = [_whole(part, name) for part in parts for name in part.facts.get("outputs", ())]
    if round.recipe.tiles:
        width, height = _sides(round, parts)
        outputs.append(Output("tiles.dzi", [descriptor(width, height, round.recipe.tiles)], _TYPES["dzi"]))
        outputs += [output for part in parts if TILES in part.objects for output in _tiles(round, part)]
    width, height = _sides(round, parts)
    stats = {
        "width": width,
        "height": height,
        "frames": parts[0].facts.get("frames", 1),
        "tiles": sum(part.facts.get("tiles", 0) for part in parts),
    }
    for part in parts:
        stats |= part.facts.get("recognised", {})
    return Folded(outputs, stats)


def _next(round: Round, parts: Sequence[Part]) -> Again | None:
    """Return the round that makes what is not made yet, None if nothing is left."""
    first = parts[0].line
    layout = round.layouts[first.layout]
    if "prepare" in first.span:
        return planning.prepared(round.recipe, layout, parts[0])
    if "whole" in first.span and round.recipe.recognise:
        following = staging.whole(round.recipe, layout, parts[0])
        return Again(staging.recognised(round.recipe, following, len(round.lines)), following)
    if "cut" not in first.span:
        return None
    cut = [part for part in parts if "cut" in part.line.span]
    following = staging.after(round.recipe, layout, cut)
    prepared = round.part(round.lines[0][0])
    following["frames"] = prepared.facts.get("frames", 1) if prepared else 1
    tallies = [part.objects[TALLY] for part in cut if TALLY in part.objects]
    following["tallies"] = [[one.key, one.size_bytes] for one in tallies] or layout.get("tallies", [])
    lines = staging.lines(round.recipe, following, len(round.lines))
    return Again(lines, following) if lines else None


def _fold(round: Round, parts: Sequence[Part]) -> Again | None:
    """Return the round that makes one list of what was recognised in all pieces, None once there is one."""
    if not round.recipe.recognise or any("recognised" in part.facts for part in parts):
        return None
    seen = [part for part in parts if SEEN in part.objects]
    layout = round.layouts[seen[0].line.layout]
    objects = [part.objects[SEEN] for part in seen]
    following = {name: layout[name] for name in ("header", "whole", "top")}
    following["seen"] = [[one.key, one.size_bytes] for one in objects]
    line = Line(f"{len(round.lines)}-00000", staging.ROLE, {"finish": staging.RECOGNISED})
    return Again([line], following)


def _sides(round: Round, parts: Sequence[Part]) -> tuple[int, int]:
    """Return width and height of the image as it is looked at."""
    layout = round.layouts[-1] if "whole" in round.layouts[-1] else None
    return tuple(layout["whole"]) if layout else (parts[0].facts["width"], parts[0].facts["height"])


def _index_line(round: Round, parts: Sequence[Part]) -> Line:
    objects = {name: part.objects[name] for part in parts for name in part.facts.get("outputs", ())}
    outputs = [name for part in parts for name in part.facts.get("outputs", ())]
    outputs += ["tiles.dzi"] if round.recipe.tiles else []
    told = {
        name: [one.key, one.size_bytes]
        for name, output in (("metadata", "metadata.json"), ("recognised", "recognised.json"))
        if (one := objects.get(output))
    }
    span = {"outputs": outputs, **told}
    return Line(f"{len(round.lines)}-00000", INDEX, span, parts[-1].line.layout)


def _whole(part: Part, name: str) -> Output:
    made = part.objects[name]
    return Output(name, [Copied(made.key, 0, made.size_bytes)], _type(name))


def _tiles(round: Round, part: Part) -> Iterator[Output]:
    index = part.objects[TILES_INDEX]
    at, key = 0, part.objects[TILES].key
    for name, size_bytes in json.loads(round.read(index, 0, index.size_bytes)):
        yield Output(name, [Copied(key, at, at + size_bytes)], _type(name))
        at += size_bytes


def _type(name: str) -> str:
    return _TYPES[name.rpartition(".")[2]]
