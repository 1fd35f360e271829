"""`up`, `down` and `console`: what is left running, for other commands, for any AWS client and for people."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from fanfold.cli import place, show
from fanfold.errors import UsageError

Port = Annotated[int, typer.Option(help="The port of 127.0.0.1 to listen on; 0 takes a free one.", min=0, max=65535)]
Browser = Annotated[bool, typer.Option("--browser/--no-browser", help="Open it in the browser.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""

    @app.command()
    def up(json: place.Json = False) -> None:
        """Start the embedded engine and its console, and leave them running."""
        from fanfold import engine
        from fanfold.aws.account import Account
        from fanfold.aws.stack import Stack

        running = engine.up()
        stack = Stack.find(Account(region=running.region, endpoint=running.endpoint), running.stack)
        stores = stack.stores
        told = {
            "endpoint": running.endpoint,
            "region": running.region,
            "console": engine.console(),
            "stack": running.stack,
            "buckets": {"uploads": stack.uploads, "work": stores.work.name, "outputs": stores.outputs.name},
            "tables": {"jobs": stores.jobs.table, "records": stores.records.table},
            "state_machines": stack.machines,
        }
        if json:
            show.print_json(told)
            return
        show.say(f"The engine answers at {running.endpoint}, region {running.region}. Stop it with `fanfold down`.")
        if told["console"]:
            show.say(f"The console, in a browser: {told['console']}")
        else:
            show.say("There is no console: pip install 'fanfold[all]'")
        show.say("Any AWS client can use it, with `test` as access key and as secret key:")
        show.say(f"  aws --endpoint-url {running.endpoint} s3 cp FILE s3://{stack.uploads}/")

    @app.command()
    @place.chosen
    def console(at: place.Opener, port: Port = 0, browser: Browser = True, json: place.Json = False) -> None:
        """Show every run in a browser, until this command is interrupted."""
        import webbrowser

        try:
            from fanfold.console.serve import serve
        except ModuleNotFoundError as missing:
            raise UsageError(f"the console needs {missing.name}: pip install 'fanfold[all]'") from None

        def ready(_: Any, guard: Any) -> None:
            url = guard.url()
            show.print_json({"console": url}) if json else show.say(f"The console, in a browser: {url}")
            if browser and not json:
                webbrowser.open(url)

        with at() as stack:
            try:
                serve(stack, port, ready)
            except OSError as error:
                raise UsageError(f"--port is {port}, and cannot be listened on: {error.strerror}") from error

    @app.command()
    def down(json: place.Json = False) -> None:
        """Stop the embedded engine; its jobs and objects are kept."""
        from fanfold import engine

        stopped = engine.down()
        if json:
            show.print_json({"stopped": stopped})
        else:
            show.say("The engine is stopped." if stopped else "No engine was running.")
