"""What `run`, `put` and `plan` are given, checked before anything starts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fanfold.cli import show
from fanfold.errors import NoSpace, UsageError

if TYPE_CHECKING:
    from fanfold.recipes import Recipes

ROOM = 5
"""A run keeps the upload, its parts, its outputs, and a copy of these; JSON Lines are larger than CSV."""

Paths = Annotated[list[Path], typer.Argument(metavar="PATH…", help="The files to process.", show_default=False)]
RecipeName = Annotated[str | None, typer.Option(help="The recipe to use; without it, the built-in one of the kind.")]
RecipesFile = Annotated[Path | None, typer.Option("--recipes", help="A file of recipes to push first.")]
Chunk = Annotated[
    str | None, typer.Option(help="A chunk size in the place of the recipe's, such as 64KiB; of a video, such as 2s.")
]
Out = Annotated[Path, typer.Option(help="The folder for the outputs.")]


def check_files(paths: Sequence[Path]) -> None:
    """Raise UsageError for a path that is no readable file, and for two that would be one object."""
    by_name: dict[str, Path] = {}
    for path in paths:
        if not path.is_file():
            found = "a folder" if path.is_dir() else "no regular file" if path.exists() else "not there"
            raise UsageError(f"{path} is {found}")
        if not os.access(path, os.R_OK):
            raise UsageError(f"{path} cannot be read")
        try:
            path.name.encode()
        except UnicodeEncodeError as error:
            raise UsageError(f"the name of {str(path)!r} is not UTF-8, which a key is: rename the file") from error
        if other := by_name.get(path.name):
            raise UsageError(f"{other} and {path} have one name, and so one key: run them one after the other")
        by_name[path.name] = path


def check_recipe(recipe: str | None, recipes_file: Path | None, chunk: str | None) -> None:
    """Raise UsageError, RecipeError or UnknownRecipe for options that cannot be meant."""
    from fanfold.fields import check_chunk

    if chunk is not None:
        try:
            check_chunk(chunk)
        except ValueError as error:
            raise UsageError(f"--chunk is {chunk!r}: {error}") from error
    if recipes_file is not None:
        known = read_recipes(recipes_file)
        if recipe is not None:
            known.get(recipe)


def check_room(paths: Sequence[Path], out: Path) -> None:
    """Refuse a run whose objects, parts and outputs would fill the disk of the engine or of the outputs.

    Raises NoSpace, and UsageError where the outputs cannot be written at all.
    """
    from fanfold.engine.home import Home

    standing = _standing(out.absolute())
    if not standing.is_dir() or not os.access(standing, os.W_OK):
        raise UsageError(f"--out is {str(out)!r}, and {standing} is no folder that can be written to")
    needed = ROOM * sum(path.stat().st_size for path in paths)
    for folder in (Home.at().path, out.absolute()):
        if (free := shutil.disk_usage(_standing(folder)).free) < needed:
            raise NoSpace(
                f"a run of {show.size(needed // ROOM)} needs about {show.size(needed)} of disk, "
                f"and where {folder} lies {show.size(free)} are free"
            )


def _standing(folder: Path) -> Path:
    """Return the folder, or what there is of the way to it."""
    return next(found for found in (folder, *folder.parents) if found.exists())


def read_recipes(path: Path) -> Recipes:
    """Read and check a file of recipes; raise UsageError where there is none, and RecipeError."""
    from fanfold import recipes

    if not path.is_file():
        raise UsageError(f"{path} is not a file of recipes")
    if not os.access(path, os.R_OK):
        raise UsageError(f"{path} cannot be read")
    return recipes.read(path.read_bytes(), origin=str(path))
