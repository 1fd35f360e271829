"""`ls`, `show` and `logs`: what there is, how it went, and what was said meanwhile."""

from __future__ import annotations

import json as jsonlib
import time
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fanfold.cli import place, show
from fanfold.errors import UsageError

if TYPE_CHECKING:
    from fanfold.aws.stack import Stack

JobId = Annotated[str, typer.Argument(metavar="JOB", help="A job's id, or the beginning of it.", show_default=False)]
Status = Annotated[str | None, typer.Option(help="Only jobs of this status, such as FAILED.")]
Limit = Annotated[int, typer.Option(help="How many jobs at most.", min=1)]
AllChunks = Annotated[bool, typer.Option("--all", help="Show every chunk, not only those that matter most.")]
Follow = Annotated[bool, typer.Option("--follow", help="Go on showing what is logged until the job ends.")]

CHUNKS_SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""

    @app.command()
    @place.chosen
    def ls(
        at: place.Opener,
        status: Status = None,
        limit: Limit = 50,
        json: place.Json = False,
    ) -> None:
        """List jobs, the latest first."""
        from fanfold import report
        from fanfold.aws.jobs import STATUSES

        wanted = STATUSES if status is None else (status.upper(),)
        if wanted[0] not in STATUSES:
            raise UsageError(f"--status is {status!r}, and a job's is one of {', '.join(STATUSES)}")
        with at() as stack:
            found = (item for item in report.jobs(stack) if item["status"] in wanted)
            items = list(islice(found, limit))
        if json:
            for item in items:
                show.print_json(item)
            return
        show.table(("job", "status", "recipe", "object", "size", "started", "took"), map(_row, items))

    @app.command("show")
    @place.chosen
    def show_job(
        at: place.Opener,
        job: JobId,
        all_chunks: AllChunks = False,
        json: place.Json = False,
    ) -> None:
        """Show a job: its states, chunks, error and outputs."""
        from fanfold import report

        with at() as stack:
            told = report.job(stack, job)
        show.print_json(told) if json else _print(told, all_chunks)

    @app.command()
    @place.chosen
    def logs(
        at: place.Opener,
        job: JobId,
        follow: Follow = False,
        json: place.Json = False,
    ) -> None:
        """Show what a job's functions logged."""
        from fanfold import report

        with at() as stack:
            item = report.find(stack, job)
            for entry in _followed(stack, item["job"]) if follow else report.logs(stack, item["job"]):
                show.print_json(entry) if json else show.say(_entry(entry))


def _row(item: dict[str, Any]) -> tuple[str, ...]:
    source = item["source"]
    return (
        item["job"],
        item["status"],
        item["recipe"],
        source["key"],
        show.size(source["bytes"]),
        show.when(item["started"]),
        show.duration(show.elapsed(item)),
    )


def _followed(stack: Stack, job: str) -> Iterator[dict[str, Any]]:
    from fanfold import report

    seen: set[str] = set()
    while True:
        ended = stack.stores.jobs.get(job)["status"] not in ("PENDING", "RUNNING")
        for entry in report.logs(stack, job):
            if (text := jsonlib.dumps(entry)) not in seen:
                seen.add(text)
                yield entry
        if ended:
            return
        time.sleep(1)


def _entry(entry: dict[str, Any]) -> str:
    message = entry["message"]
    if isinstance(message, dict):
        level, text = message.get("level", ""), message.get("message", "")
        rest = {name: value for name, value in message.items() if name in ("line", "answer", "reason", "exception")}
        message = f"{level:5} {text} {jsonlib.dumps(rest, ensure_ascii=False) if rest else ''}".rstrip()
    return f"{show.when(entry['time'])}  {entry['function']:12} {message}"


def _print(told: dict[str, Any], all_chunks: bool) -> None:
    source = told["source"]
    show.say(f"{told['job']}  {told['status']}  {told['recipe']}  took {show.duration(show.elapsed(told))}")
    show.say(f"  s3://{source['bucket']}/{source['key']}  {show.size(source['bytes'])}  version {source['version']}")
    if error := told.get("error"):
        show.say(f"  {error['name']}: {error['message']}")
        show.say(f"  {error['remedy']}")
    if "stats" in told:
        show.say(
            "  " + ", ".join(f"{value:,} {name}" for name, value in told["stats"].items() if isinstance(value, int))
        )
    if told["states"]:
        show.say()
        rows = ((state["name"], state["status"], show.duration(state["seconds"])) for state in told["states"])
        show.table(("state", "status", "took"), rows)
    if told["chunks_detail"]:
        show.say()
        _print_chunks(told["chunks_detail"], all_chunks)
    if told["outputs"]:
        show.say()
        show.table(("output", "size"), show.summed(told["outputs"], "uri"))
    if told["status"] in ("FAILED", "PARTIAL"):
        show.say()
        show.say(f"`fanfold replay {told['job']} --dry-run` says what would run again.")


def _print_chunks(chunks: list[dict[str, Any]], all_chunks: bool) -> None:
    """Print the chunks: where there are many, first those that failed, then the slowest."""
    shown = chunks
    if not all_chunks and len(chunks) > CHUNKS_SHOWN:
        worst = sorted(chunks, key=lambda chunk: (chunk["status"] != "failed", -(chunk["seconds"] or 0)))
        shown = worst[:CHUNKS_SHOWN]
    show.table(
        ("chunk", "work", "span", "status", "attempts", "took", "error"),
        (
            (
                chunk["id"],
                chunk["role"],
                _span(chunk["span"]),
                chunk["status"],
                chunk["attempts"],
                show.duration(chunk["seconds"]),
                f"{chunk['error']['name']}: {chunk['error']['message']}" if chunk["error"] else "",
            )
            for chunk in shown
        ),
    )
    if len(shown) < len(chunks):
        show.say(f"{len(chunks) - len(shown)} more chunks; --all shows them.")


def _span(span: dict[str, Any]) -> str:
    if {"start", "stop"} <= span.keys():
        return f"{span['start']:,} to {span['stop']:,}"
    return ", ".join(f"{name} {value}" for name, value in span.items() if isinstance(value, int | str))
