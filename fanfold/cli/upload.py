"""`run` and `put`: from files to jobs, and from jobs to files."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fanfold.cli import place, show
from fanfold.errors import NoSpace, TransientError, UsageError

if TYPE_CHECKING:
    from fanfold.aws.stack import Stack

TAKEN_S = 120
"""How long an upload may wait until Intake has it."""

ROOM = 5
"""A run keeps the upload, its parts, its outputs, and a copy of these; JSON Lines are larger than CSV."""

Paths = Annotated[list[Path], typer.Argument(help="The files to process.", show_default=False)]
RecipeName = Annotated[str | None, typer.Option(help="The recipe to use; without it, the built-in one of the kind.")]
RecipesFile = Annotated[Path | None, typer.Option("--recipes", help="A file of recipes to push first.")]
Chunk = Annotated[str | None, typer.Option(help="A chunk size in the place of the recipe's, such as 64KiB.")]
Out = Annotated[Path, typer.Option(help="The folder for the outputs.")]


@dataclass(frozen=True, slots=True)
class Upload:
    """A file on its way."""

    path: Path
    bucket: str
    key: str
    version: str


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
        _check(paths, recipe, recipes, chunk)
        _check_room(paths, out)
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
        _check(paths, recipe, None, chunk)
        with at() as stack:
            _push(stack, None, recipe)
            for upload in [send(stack, path, recipe, chunk) for path in paths]:
                item = taken(stack, upload)
                uri = f"s3://{upload.bucket}/{upload.key}"
                told = {"job_id": item["job"], "uri": uri, "status": item["status"]}
                show.print_json(told) if json else show.say(f"{item['job']}  {item['status']:10}  {uri}")


def _check(paths: Sequence[Path], recipe: str | None, recipes_file: Path | None, chunk: str | None) -> None:
    """Refuse what cannot work before anything starts."""
    from fanfold import recipes

    for path in paths:
        if not path.is_file():
            raise UsageError(f"{path} is {'a folder' if path.is_dir() else 'not there'}")
        if not os.access(path, os.R_OK):
            raise UsageError(f"{path} cannot be read")
    if chunk is not None:
        try:
            recipes.size_bytes(chunk)
        except ValueError as error:
            raise UsageError(f"--chunk is {chunk!r}: {error}") from error
    if recipes_file is not None:
        known = read_recipes(recipes_file)
        if recipe is not None:
            known.get(recipe)


def _check_room(paths: Sequence[Path], out: Path) -> None:
    """Refuse a run whose objects, parts and outputs would fill the disk of the engine or of the outputs."""
    from fanfold.engine.home import Home

    needed = ROOM * sum(path.stat().st_size for path in paths)
    for folder in (Home.at().path, out.absolute()):
        standing = next(found for found in (folder, *folder.parents) if found.exists())
        if (free := shutil.disk_usage(standing).free) < needed:
            raise NoSpace(
                f"a run of {show.size(needed // ROOM)} needs about {show.size(needed)} of disk, "
                f"and where {folder} lies {show.size(free)} are free"
            )


def read_recipes(path: Path) -> Any:
    """Read and check a file of recipes; raise UsageError where there is none, and RecipeError."""
    from fanfold import recipes

    if not path.is_file():
        raise UsageError(f"{path} is not a file of recipes")
    return recipes.read(path.read_bytes(), origin=str(path))


def _push(stack: Stack, recipes_file: Path | None, recipe: str | None) -> None:
    from fanfold import intake

    if recipes_file is not None:
        stack.stores.work.put(intake.RECIPES_KEY, recipes_file.read_bytes(), "application/yaml")
    if recipe is not None:
        intake.read_recipes(stack.stores).get(recipe)


def send(stack: Stack, path: Path, recipe: str | None, chunk: str | None) -> Upload:
    """Upload a file; return where it lies."""
    from fanfold import intake
    from fanfold.aws.faults import translated

    key = f"{recipe}/{path.name}" if recipe else path.name
    metadata = {"Metadata": {intake.CHUNK_METADATA: chunk}} if chunk else {}
    client = stack.account.client("s3")
    with translated(f"uploading {path}"):
        client.upload_file(str(path), stack.uploads, key, ExtraArgs=metadata)
        found = client.head_object(Bucket=stack.uploads, Key=key)
    return Upload(path, stack.uploads, key, found.get("VersionId") or found["ETag"].strip('"'))


def taken(stack: Stack, upload: Upload) -> dict[str, Any]:
    """Return the item of an upload's job, once Intake has it."""
    deadline = time.monotonic() + TAKEN_S
    pause = 0.02
    while time.monotonic() < deadline:
        known = stack.stores.jobs.of_object(upload.bucket, upload.key)
        if known.get("version") == upload.version and (item := stack.stores.jobs.get(known["job"])):
            return item
        time.sleep(pause)
        pause = min(0.2, pause * 1.3)
    raise TransientError(f"{upload.key} was uploaded, and not taken for {TAKEN_S} s")


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

    outputs = report.outputs(stack, item)
    for output in outputs:
        output["path"] = str(fetch(stack, output, folder))
    chunks = {"planned": item.get("planned", 0), "processed": 0, "reused": 0, "repaired": 0, "failed": 0}
    return {
        "job_id": item["job"],
        "execution_arn": item.get("execution"),
        "status": item["status"],
        "kind": item.get("kind"),
        "recipe": item["recipe"],
        "source": {
            "uri": f"s3://{upload.bucket}/{upload.key}",
            "bytes": item["source"]["bytes"],
            "etag": item["source"]["etag"],
        },
        "chunks": chunks | item.get("chunks", {}),
        "outputs": outputs,
        "stats": item.get("stats", {}),
        "error": item.get("error"),
    }


def below(folder: Path, name: str) -> Path:
    """Return the path of an output below `folder`, whatever its name says."""
    return folder.joinpath(*(step for step in PurePosixPath(name).parts if step not in ("/", "..", ".")))


def fetch(stack: Stack, output: dict[str, Any], folder: Path) -> Path:
    """Download one output; return where it lies."""
    from fanfold.aws.faults import translated

    path = below(folder, output["name"])
    path.parent.mkdir(parents=True, exist_ok=True)
    bucket = stack.stores.outputs.name
    key = output["uri"].removeprefix(f"s3://{bucket}/")
    with translated(f"fetching {output['uri']}"):
        stack.account.client("s3").download_file(bucket, key, str(path))
    return path


def _print(told: dict[str, Any]) -> None:
    chunks, stats = told["chunks"], told["stats"]
    counts = ", ".join(f"{count} {name}" for name, count in chunks.items() if count)
    show.say(f"{told['status']}  job {told['job_id']}  {counts}")
    if stats:
        rows = ", ".join(f"{stats[name]:,} {name}" for name in ("rows", "rejected") if name in stats)
        show.say(f"  {rows}")
    for output in told["outputs"]:
        show.say(f"  {output['path']}  {show.size(output['bytes'])}")
    if error := told["error"]:
        sys.stderr.write(f"fanfold: {error['name']}: {error['message'].rstrip('.')}. {error['remedy']}\n")
