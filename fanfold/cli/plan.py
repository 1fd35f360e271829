"""`plan`: what would be split, and what it would cost, without running it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from fanfold import costs
from fanfold.cli import place, show
from fanfold.cli.given import Chunk, RecipeName, read_recipes
from fanfold.errors import UnknownFormat, UsageError

PathToPlan = Annotated[Path, typer.Argument(metavar="PATH", help="The file to plan.", show_default=False)]
RecipesFile = Annotated[Path | None, typer.Option("--recipes", help="The file of recipes that names the recipe.")]

AROUND_S = 3.0
"""What Split, Merge and the machine's own steps take of a run."""


@dataclass(slots=True)
class FileSource:
    """Ranged reads of a file, counted."""

    path: Path
    reads: int = 0
    read_bytes: int = 0

    @property
    def size_bytes(self) -> int:
        return self.path.stat().st_size

    def read(self, start: int, stop: int) -> bytes:
        with self.path.open("rb") as file:
            file.seek(start)
            data = file.read(max(0, stop - start))
        self.reads += 1
        self.read_bytes += len(data)
        return data


def register(app: typer.Typer) -> None:
    """Add the command of this module."""

    @app.command()
    def plan(
        path: PathToPlan,
        recipe: RecipeName = None,
        recipes: RecipesFile = None,
        chunk: Chunk = None,
        json: place.Json = False,
    ) -> None:
        """Show how a file would be split, and what that would cost; nothing is run."""
        told = planned(path, recipe, recipes, chunk)
        if json:
            show.print_json(told)
            return
        show.say(
            f"{path}: {told['kind']}, {show.size(told['bytes'])}, in {told['chunks']:,} of {show.size(told['chunk'])}"
        )
        if opening := told["opening"]:
            size = show.size(opening["text_bytes"])
            show.say(f"  opened first, in {opening['chunks']:,}, to about {size} of text as its beginning tells")
        show.say(f"  read to plan it: {show.size(told['plan_read_bytes'])} in {told['plan_reads']} reads")
        show.say(f"  work: about {show.duration(told['worker_seconds'])}, {told['concurrency']} chunks at once")
        show.say(f"  time: about {show.duration(told['expected_seconds'])} from upload to result")
        show.say(f"  cost: about ${told['cost_usd']:.4f} ({told['cost_basis']})")


def planned(path: Path, recipe_name: str | None, recipes_file: Path | None, chunk: str | None) -> dict[str, Any]:
    """Plan a file as its splitter would; raise what the splitter would raise."""
    from fanfold import kinds, recipes

    if not path.is_file():
        raise UsageError(f"{path} is not a file")
    if recipe_name and recipes_file is None:
        raise UsageError("--recipe needs --recipes, the file that says what it is")
    source = FileSource(path)
    if recipe_name and recipes_file:
        recipe = read_recipes(recipes_file).get(recipe_name)
    else:
        with path.open("rb") as file:
            name = kinds.sniff(file.read(4096), path.name)
        if name is None:
            raise UnknownFormat(f"{path} is no {' or '.join(kinds.NAMES)} by its first bytes")
        recipe = recipes.BUILT_IN[name]
    if chunk is not None:
        recipe = recipes.with_chunk(recipe, chunk)
    kind = kinds.get(recipe.kind)
    with kinds.installed(recipe.kind):
        plan = kind.plan(source, recipe.body)
    found = kind.forecast(FileSource(path), recipe.body, plan)
    return {
        "path": str(path),
        "kind": recipe.kind,
        "bytes": source.size_bytes,
        "chunks": found.chunks,
        "chunk": found.chunk_bytes,
        "opening": found.opening,
        "concurrency": recipe.body.concurrency,
        "plan_reads": source.reads,
        "plan_read_bytes": source.read_bytes,
        "worker_seconds": round(found.worker_s, 3),
        "expected_seconds": round(AROUND_S + found.longest_s, 3),
        "cost_usd": round(costs.usd(found.worker_s, found.lines), 6),
        "cost_basis": costs.BASIS,
    }
