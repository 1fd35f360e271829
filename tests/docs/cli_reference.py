"""Write docs/cli.md from the commands themselves: `python -m tests.docs.cli_reference`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from fanfold.cli.app import app

PAGE = Path(__file__).parents[2] / "docs/cli.md"

HEAD = """\
# Command line

This page is made from the commands' own help, by `python -m tests.docs.cli_reference`.

Every command takes `--json`: one object a line on standard output, and nothing else there. Errors go to
standard error, in one line that ends in a remedy. The exit status is 0 when every job succeeded (PARTIAL
included), 1 when one did not, and 2 for a command that makes no sense.

Without `--profile`, `--region` or `--stack` a command talks to the embedded engine, whose state lies in the
folder that `FANFOLD_HOME` names, `.fanfold` by default. It uses the engine that `up` left running, and else
starts one for itself.
"""


def commands(group: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield every command below a group with its full name."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def metavar(argument: Any) -> str:
    """Return an argument as a command's usage shows it."""
    return str(argument.metavar or argument.name.upper())


def render() -> str:
    """Return the page."""
    parts = [HEAD]
    for name, command in commands(get_command(app), "fanfold"):
        arguments = [one for one in command.params if one.param_type_name == "argument"]
        options = [one for one in command.params if one.param_type_name == "option"]
        usage = " ".join([name, *map(metavar, arguments)])
        parts.append(f"\n## `{usage}`\n\n{command.help}\n\n| | |\n|---|---|\n")
        for one in arguments:
            parts.append(f"| {metavar(one)} | {one.help} |\n")
        for one in options:
            shown = (
                ""
                if one.is_flag or one.default in (None, ()) or callable(one.default)
                else f" Default: `{one.default}`."
            )
            parts.append(f"| `{one.opts[0]}` | {one.help}{shown} |\n")
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(render())
