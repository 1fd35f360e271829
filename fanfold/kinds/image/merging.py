"""The merge: what the part wrote becomes the outputs, tiles by ranges of the one object that holds them."""

from __future__ import annotations

import json
from collections.abc import Iterator

from fanfold.kinds.image.encoding import TYPES
from fanfold.kinds.image.recipe import Tiles
from fanfold.kinds.image.tiles import descriptor
from fanfold.kinds.image.working import TILES, TILES_INDEX
from fanfold.model import Again, Copied, Folded, Line, Output, Part, Round

INDEX = "index"
"""The role of the line that writes the record."""

_TYPES = TYPES | {"json": "application/json", "dzi": "application/xml"}


def merge(round: Round) -> Again | Folded:
    """Have the record written, then describe the outputs; without the one part there are none."""
    part = round.part(round.plan[0])
    if part is None:
        return Folded((), {}, missing=[dict(round.plan[0].span)])
    if round.recipe.metadata and not any(round.part(line) for lines in round.later for line in lines):
        return Again([_index_line(round, part)], publishes=True)
    facts = part.facts
    outputs = [_whole(part, name) for name in facts["outputs"]]
    if round.recipe.tiles:
        outputs += _tiles(round, part, round.recipe.tiles)
    stats = {name: facts[name] for name in ("width", "height", "frames", "tiles")}
    return Folded(outputs, stats)


def _index_line(round: Round, part: Part) -> Line:
    described = part.objects["metadata.json"]
    outputs = [*part.facts["outputs"], *(["tiles.dzi"] if round.recipe.tiles else [])]
    span = {"key": described.key, "bytes": described.size_bytes, "outputs": outputs}
    return Line(f"{len(round.lines)}-00000", INDEX, span, part.line.layout)


def _whole(part: Part, name: str) -> Output:
    made = part.objects[name]
    return Output(name, [Copied(made.key, 0, made.size_bytes)], _type(name))


def _tiles(round: Round, part: Part, tiles: Tiles) -> Iterator[Output]:
    index = part.objects[TILES_INDEX]
    yield Output("tiles.dzi", [descriptor(part.facts["width"], part.facts["height"], tiles)], _type("tiles.dzi"))
    at, key = 0, part.objects[TILES].key
    for name, size_bytes in json.loads(round.read(index, 0, index.size_bytes)):
        yield Output(name, [Copied(key, at, at + size_bytes)], _type(name))
        at += size_bytes


def _type(name: str) -> str:
    return _TYPES[name.rpartition(".")[2]]
