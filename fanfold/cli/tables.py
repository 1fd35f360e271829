"""`query` and `totals`: what the jobs left in DynamoDB."""

from __future__ import annotations

from typing import Annotated

import typer

from fanfold.cli import place, show
from fanfold.errors import UsageError
from fanfold.words import words

Recipe = Annotated[str, typer.Argument(help="The recipe whose records are asked for.", show_default=False)]
Key = Annotated[
    str | None,
    typer.Option(
        help="A value of the recipe's partition column, or the key of an image or a video.", show_default=False
    ),
]
Word = Annotated[
    str | None,
    typer.Option(help="A word, or several that follow each other, that was heard or read.", show_default=False),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""

    @app.command()
    @place.chosen
    def query(
        at: place.Opener,
        recipe: Recipe,
        key: Key = None,
        word: Word = None,
        json: place.Json = False,
    ) -> None:
        """Show the records under one value of a recipe's partition column, or where a word was heard or read."""
        if (key is None) == (word is None):
            raise UsageError("a query has either `--key` or `--word`")
        if word is not None and not words(word):
            raise UsageError(f"--word is {word!r}, and no letter or digit is in it")
        with at() as stack:
            records, jobs = stack.stores.records, stack.stores.jobs
            rows = list(records.query_words(jobs, recipe, word) if word else records.query(jobs, recipe, key or ""))
        if json:
            for row in rows:
                show.print_json(row)
            return
        headings = list(dict.fromkeys(name for row in rows for name in row))
        show.table(headings, ([row.get(name, "") for name in headings] for row in rows))
        show.say(f"{len(rows)} records")

    @app.command()
    @place.chosen
    def totals(
        at: place.Opener,
        recipe: Recipe,
        json: place.Json = False,
    ) -> None:
        """Show the totals of a recipe."""
        with at() as stack:
            found = list(stack.stores.totals.read(recipe))
        if json:
            for total in found:
                show.print_json(total)
            return
        show.table(
            ("total", "value", "sum", "count"),
            ([total[name] for name in ("total", "value", "sum", "count")] for total in found),
        )
