"""Lays a clip out in shares, and in one pass: what comes of both, to be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from fanfold import kinds
from fanfold.kinds.video.laying import folding, leading, preparing
from fanfold.kinds.video.ranges import Kept, container, opened
from fanfold.kinds.video.recipe import VideoRecipe
from fanfold.model import Json, Line, Part
from tests.kinds.driver import CountingSource, MemoryDesk, json_copy

VIDEO = kinds.get("video")
RECIPE = VideoRecipe.model_validate({"segment": "1s", "renditions": [{"name": "copy", "format": "mov"}]})


@dataclass
class LaidOut:
    """What workers made of a clip."""

    shares: list[Json]
    """What each said of its share."""
    follow: bool
    tracks: dict[int, dict[str, Any]]
    """Of each stream everything that is known of it, but for where its samples are: their bytes instead."""
    read_bytes: list[int]


def lead(source: CountingSource) -> Json:
    """Return what a splitter says of an object that it divides."""
    kept = Kept(source)
    form = container(kept)
    with opened(kept, form) as found:
        led = leading.lead(kept, form, kept.prefix, found)
    assert led
    return led.to_json()


def laid_out(data: bytes | CountingSource, shares: Sequence[Json]) -> LaidOut:
    """Lay a clip out as a plan's workers would, its shares given."""
    source = CountingSource(data) if isinstance(data, bytes) else data
    layout = json_copy(VIDEO.plan(source, RECIPE).layout | {"lead": lead(source)})
    store: dict[str, bytes] = {}
    parts, read_bytes = [], []
    for number, share in enumerate(shares):
        source.reads.clear()
        line = Line(f"0-{number:05}", "encode", {"prepare": share})
        desk = MemoryDesk(line, store)
        facts = json_copy(preparing.prepare(source, layout, share, desk))
        parts.append(Part(line, facts, desk.objects, "execution", 1, 0.0))
        read_bytes.append(source.read_bytes)
    told = [dict(part.facts) for part in parts]
    if not (follow := folding.follow_each_other(told)):
        return LaidOut(told, follow, {}, read_bytes)
    tracks, stored = folding.folded(parts, lambda made, start, stop: store[made.key][start:stop])
    whole = b"".join(store[one.key] for one in stored)
    found = {}
    for index, track in tracks.items():
        found[index] = {name: getattr(track, name) for name in track.__slots__ if name != "offsets"}
        places = zip(track.offsets, track.sizes, strict=True)
        found[index]["samples"] = [whole[offset : offset + size] for offset, size in places]
    return LaidOut(told, follow, found, read_bytes)


def shares_at(cuts: Sequence[int], size: int) -> list[Json]:
    """Return the shares that begin at these offsets, and at 0."""
    return [[start, stop] for start, stop in pairwise([0, *sorted(set(cuts)), size])]
