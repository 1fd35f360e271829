"""Images: decoded once, and every output made from that decode.

`formats` tells what an object is and how large, `pixels` decodes it to sRGB, `pyramid` halves it, `tiles` and
`renditions` cut and shrink what the pyramid holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fanfold.kinds.image.formats import sniff
from fanfold.kinds.image.recipe import ImageRecipe
from fanfold.model import Again, Desk, Folded, Forecast, Json, Line, Plan, Record, Round, Source

__all__ = ["forecast", "merge", "name", "parts_version", "plan", "process", "records", "sniff"]

name = "image"
parts_version = 1

# The intake function sniffs and the splitter reads headers: neither has libvips in its package.


def plan(source: Source, recipe: ImageRecipe) -> Plan:
    """Split: see `planning.plan`."""
    from fanfold.kinds.image import planning

    return planning.plan(source, recipe)


def forecast(source: Source, recipe: ImageRecipe, plan: Plan) -> Forecast:
    """Tell what a plan will come to: see `planning.forecast`."""
    from fanfold.kinds.image import planning

    return planning.forecast(source, recipe, plan)


def process(source: Source, recipe: ImageRecipe, layout: Json, line: Line, desk: Desk) -> Mapping[str, Json]:
    """Work on one line: see `working.process`."""
    from fanfold.kinds.image import working

    return working.process(source, recipe, layout, line, desk)


def records(recipe: ImageRecipe, layout: Json, line: Line, desk: Desk) -> Iterator[Record]:
    """Yield the image's record, and those of the words in it: see `recording.records`."""
    from fanfold.kinds.image import recording

    return recording.records(line, desk)


def merge(round: Round) -> Again | Folded:
    """Fold the parts: see `merging.merge`."""
    from fanfold.kinds.image import merging

    return merging.merge(round)
