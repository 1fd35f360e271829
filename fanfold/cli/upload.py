"""`run` and `put`: from files to jobs, and from jobs to files."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from fanfold.cli import place, show
from fanfold.cli.fetching import fetch
from fanfold.cli.given import (
    Chunk,
    Out,
    Paths,
    RecipeName,
    RecipesFile,
    check_files,
    check_recipe,
    check_room,
)
from fanfold.sending import Upload, send, taken

if TYPE_CHECKING:
    from fanfold.aws.stack import Stack


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""

    @app.command()
    def run(
        paths: Paths,
        recipe: RecipeName = None,
        recipes: RecipesFile = None,
        chunk: Chunk = None,
        out: Out = Path("out"),
        json: place.Json = False,
    ) -> None:
        """Run files on the embedded engine, and fetch the outputs."""
        check_files(paths)
        check_recipe(recipe, recipes, chunk)
        check_room(paths, out)
        with place.opened() as stack:
            _push(stack, recipes, recipe)
            uploads = [send(stack, path, recipe, chunk) for path in paths]
            told = []
            for upload in uploads:
                item = follow(stack, upload, quiet=json)
                folder = out / upload.path.name if len(paths) > 1 else out
                told.append(outcome(stack, item, upload, folder))
                (show.print_json if json else _print)(told[-1])
        if any(result["status"] not in ("SUCCEEDED", "PARTIAL") for result in told):
            raise typer.Exit(1)

    @app.command()
    @place.chosen
    def put(
        at: place.Opener,
        paths: Paths,
        recipe: RecipeName = None,
        chunk: Chunk = None,
        json: place.Json = False,
    ) -> None:
        """Upload files and return once their jobs have begun."""
        check_files(paths)
        check_recipe(recipe, None, chunk)
        with at() as stack:
            _push(stack, None, recipe)
            for upload in [send(stack, path, recipe, chunk) for path in paths]:
                item = taken(stack, upload)
                told = {"job_id": item["job"], "uri": upload.uri, "status": item["status"]}
                show.print_json(told) if json else show.say(f"{item['job']}  {item['status']:10}  {upload.uri}")


def _push(stack: Stack, recipes_file: Path | None, recipe: str | None) -> None:
    """Give the stack a file of recipes; raise UnknownRecipe if it has not the one that is asked for."""
    from fanfold import intake

    if recipes_file is not None:
        stack.stores.work.put(intake.RECIPES_KEY, recipes_file.read_bytes(), "application/yaml")
    if recipe is not None:
        intake.read_recipes(stack.stores).get(recipe)


def follow(stack: Stack, upload: Upload, *, quiet: bool) -> dict[str, Any]:
    """Return the item of an upload's job once it ended, showing how far it is."""
    from fanfold.cli.progress import Progress

    item = taken(stack, upload)
    with Progress(upload.path.name, quiet=quiet) as progress:
        pause = 0.02
        while item["status"] in ("PENDING", "RUNNING"):
            progress.update(stack, item)
            time.sleep(pause)
            pause = min(0.25, pause * 1.2)
            item = stack.stores.jobs.get(item["job"])
    return item


def outcome(stack: Stack, item: dict[str, Any], upload: Upload, folder: Path) -> dict[str, Any]:
    """Fetch the outputs of a job into `folder`; return what `--json` shows of it."""
    from fanfold import report

    chunks = {"planned": item.get("planned", 0), "processed": 0, "reused": 0, "repaired": 0, "failed": 0}
    return {
        "job_id": item["job"],
        "execution_arn": item.get("execution"),
        "status": item["status"],
        "kind": item.get("kind"),
        "recipe": item["recipe"],
        "source": {"uri": upload.uri, "bytes": item["source"]["bytes"], "etag": item["source"]["etag"]},
        "chunks": chunks | item.get("chunks", {}),
        "outputs": fetch(stack, report.outputs(stack, item), folder),
        "stats": item.get("stats", {}),
        "error": item.get("error"),
    }


def _counted(stats: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a kind counts, as far as people look for it."""
    yield from (f"{stats[name]:,} {name}" for name in ("rows", "rejected") if name in stats)
    if "width" in stats:
        yield f"{stats['width']:,} × {stats['height']:,} pixels"
    yield from (f"{stats[name]:,} {name}" for name in ("frames", "tiles", "segments") if stats.get(name, 0) > 1)
    for name, shown in (("text", "line{} of text"), ("faces", "face{}")):
        if name in stats:
            yield f"{stats[name]:,} {shown.format('' if stats[name] == 1 else 's')}"


def _print(told: dict[str, Any]) -> None:
    chunks, stats = told["chunks"], told["stats"]
    counts = ", ".join(f"{count} {name}" for name, count in chunks.items() if count)
    show.say(f"{told['status']}  job {told['job_id']}  {counts}")
    if stats:
        show.say("  " + ", ".join(_counted(stats)))
    for path, size in show.summed(told["outputs"], "path"):
        show.say(f"  {path}  {size}")
    if error := told["error"]:
        show.wrong(**error)
