"""Videos: cut at keyframes by the container's index, encoded in segments, and joined without a seam.

`movie` reads an index, `cutting` cuts it, `reading` reads a segment's bytes, `encoding` encodes them with `ffmpeg`,
`muxing`, `files` and `playlists` make what comes back. `describing` looks, listens and reads, `speech` hears, and
`telling` says what was found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fanfold.kinds.video.formats import sniff
from fanfold.kinds.video.recipe import VideoRecipe
from fanfold.model import Again, Desk, Folded, Forecast, Json, Line, Plan, Record, Round, Source

__all__ = ["forecast", "merge", "name", "parts_version", "plan", "process", "records", "sniff"]

name = "video"
parts_version = 3

# The intake function sniffs: it has neither libavformat nor ffmpeg in its package.


def plan(source: Source, recipe: VideoRecipe) -> Plan:
    """Split: see `planning.plan`."""
    from fanfold.kinds.video import planning

    return planning.plan(source, recipe)


def forecast(source: Source, recipe: VideoRecipe, plan: Plan) -> Forecast:
    """Tell what a plan will come to: see `planning.forecast`."""
    from fanfold.kinds.video import planning

    return planning.forecast(source, recipe, plan)


def process(source: Source, recipe: VideoRecipe, layout: Json, line: Line, desk: Desk) -> Mapping[str, Json]:
    """Work on one line, by its role: see `working`, `describing` and `speech.hearing`."""
    match line.role:
        case "describe":
            from fanfold.kinds.video.told import describing

            return describing.process(source, recipe, layout, line.span, desk)
        case "speech":
            from fanfold.kinds.video.speech import hearing

            assert recipe.transcript is not None
            return hearing.process(recipe.transcript, layout, line.span, desk)
        case _:
            from fanfold.kinds.video import working

            return working.process(source, recipe, layout, line, desk)


def records(recipe: VideoRecipe, layout: Json, line: Line, desk: Desk) -> Iterator[Record]:
    """Yield the video's record, what `metadata.json` says and what was made of it; or those of its transcript."""
    if "records" in line.span:
        from fanfold.kinds.video.told import telling

        yield from telling.records(recipe, layout, desk)
        return
    yield Record("", None, 0, {**layout["described"], "outputs": line.span["outputs"]})


def merge(round: Round) -> Again | Folded:
    """Fold the parts: see `merging.merge`."""
    from fanfold.kinds.video import merging

    return merging.merge(round)
