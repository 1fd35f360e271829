"""`replay`: run what has not finished, or say what would run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from fanfold.cli import place, show
from fanfold.cli.inspect import CHUNKS_SHOWN, JobId

if TYPE_CHECKING:
    from fanfold.replay import Preview

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would run.")]


def register(app: typer.Typer) -> None:
    """Add the command of this module."""

    @app.command("replay")
    @place.chosen
    def replay_job(
        at: place.Opener,
        job: JobId,
        dry_run: DryRun = False,
        json: place.Json = False,
    ) -> None:
        """Run again what has not finished, and only that."""
        from fanfold import replay

        started = None
        with at() as stack:
            if dry_run:
                plan = replay.preview(stack, job)
            else:
                plan, started = replay.replay(stack, job)
                if started:
                    replay.wait(stack, plan.job.id)
            item = stack.stores.jobs.get(plan.job.id)
        told = {
            "job_id": plan.job.id,
            "how": plan.how,
            "reason": plan.reason,
            "finished": [line.id for line in plan.finished],
            "unfinished": [line.id for line in plan.unfinished],
            "execution_arn": started,
            "status": item.get("status"),
            "error": item.get("error") if started else None,
        }
        show.print_json(told) if json else _print(plan, told)
        if started and told["status"] not in ("SUCCEEDED", "PARTIAL"):
            raise typer.Exit(1)


def _print(plan: Preview, told: dict[str, Any]) -> None:
    show.say(f"{plan.how}: {plan.reason}")
    if plan.how != "nothing":
        show.say(f"  {len(plan.finished)} chunks stand, {len(plan.unfinished)} run")
        for line in plan.unfinished[:CHUNKS_SHOWN]:
            show.say(f"  {line.id}  {line.role}")
    if told["execution_arn"]:
        show.say(f"{told['status']}  job {told['job_id']}")
    if told["error"]:
        show.wrong(**told["error"])
