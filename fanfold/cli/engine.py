"""`up` and `down`: the embedded engine, left running for other commands and for any AWS client."""

from __future__ import annotations

import typer

from fanfold.cli import place, show


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""

    @app.command()
    def up(json: place.Json = False) -> None:
        """Start the embedded engine and leave it running."""
        from fanfold import engine
        from fanfold.aws.account import Account
        from fanfold.aws.stack import Stack

        running = engine.up()
        stack = Stack.find(Account(region=running.region, endpoint=running.endpoint), running.stack)
        stores = stack.stores
        told = {
            "endpoint": running.endpoint,
            "region": running.region,
            "console": None,
            "stack": running.stack,
            "buckets": {"uploads": stack.uploads, "work": stores.work.name, "outputs": stores.outputs.name},
            "tables": {"jobs": stores.jobs.table, "records": stores.records.table},
            "state_machines": stack.machines,
        }
        if json:
            show.print_json(told)
            return
        show.say(f"The engine answers at {running.endpoint}, region {running.region}. Stop it with `fanfold down`.")
        show.say("Any AWS client can use it, with `test` as access key and as secret key:")
        show.say(f"  aws --endpoint-url {running.endpoint} s3 cp FILE s3://{stack.uploads}/")

    @app.command()
    def down(json: place.Json = False) -> None:
        """Stop the embedded engine; its jobs and objects are kept."""
        from fanfold import engine

        stopped = engine.down()
        if json:
            show.print_json({"stopped": stopped})
        else:
            show.say("The engine is stopped." if stopped else "No engine was running.")
