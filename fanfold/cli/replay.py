"""`replay`: run what has not finished, or say what would run."""

from __future__ import annotations

from typing import Annotated

import typer

from fanfold.cli import place, show
from fanfold.cli.inspect import JobId

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would run.")]


def register(app: typer.Typer) -> None:
    """Add the command of this module."""

    @app.command("replay")
    def replay_job(
        job: JobId,
        dry_run: DryRun = False,
        json: place.Json = False,
        profile: place.Profile = None,
        region: place.Region = None,
        stack_name: place.StackName = None,
    ) -> None:
        """Run again what has not finished, and only that."""
        from fanfold import replay

        with place.Place(profile, region, stack_name).open() as stack:
            started = None
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
        }
        if json:
            show.print_json(told)
            return
        show.say(f"{plan.how}: {plan.reason}")
        if plan.how != "nothing":
            show.say(f"  {len(plan.finished)} chunks stand, {len(plan.unfinished)} run")
            for line in plan.unfinished[:20]:
                show.say(f"  {line.id}  {line.role}")
        if started:
            show.say(f"{told['status']}  job {plan.job.id}")
            if told["status"] not in ("SUCCEEDED", "PARTIAL"):
                raise typer.Exit(1)
