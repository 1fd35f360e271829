"""`recipes`: check a file of recipes, and give it to a stack."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fanfold.cli import place, show
from fanfold.cli.given import read_recipes

File = Annotated[Path, typer.Argument(metavar="FILE", help="A file of recipes.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(help="Check recipes, and give them to a stack.", no_args_is_help=True)
    app.add_typer(group, name="recipes")

    @group.command()
    def check(file: File, json: place.Json = False) -> None:
        """Check a file of recipes."""
        names = sorted(read_recipes(file).recipes)
        show.print_json({"valid": True, "recipes": names}) if json else show.say(f"{file} is right: {', '.join(names)}")

    @group.command()
    @place.chosen
    def push(
        at: place.Opener,
        file: File,
        json: place.Json = False,
    ) -> None:
        """Check a file of recipes and make it the stack's."""
        from fanfold import intake

        names = sorted(read_recipes(file).recipes)
        with at() as stack:
            stack.stores.work.put(intake.RECIPES_KEY, file.read_bytes(), "application/yaml")
        show.print_json({"pushed": names}) if json else show.say(
            f"The stack has {len(names)} recipes: {', '.join(names)}"
        )
