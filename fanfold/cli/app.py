"""The commands, put together, and what becomes of their errors."""

from __future__ import annotations

import errno
import sys
from typing import NoReturn

import typer

from fanfold.cli import doctor, engine, inspect, plan, recipes, replay, show, tables, upload
from fanfold.errors import FanfoldError, NoSpace, RecipeError, UnknownRecipe, UsageError

INTERRUPTED = 130
WRONG_USE: type[typer.BadParameter] = typer.BadParameter.__mro__[1]
"""What Typer raises for a command line that does not parse: the base of its BadParameter, which it does not export."""

app = typer.Typer(
    name="fanfold",
    help="Split a file that lands in S3, work on the pieces in parallel, fold the results.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for module in (upload, engine, inspect, replay, tables, plan, recipes, doctor):
    module.register(app)


def run() -> None:
    """Run one command; print what goes wrong as one line and a remedy."""
    try:
        # Typer's own errors are several lines in a box, and its answer to Ctrl-C says nothing.
        status = app(prog_name="fanfold", standalone_mode=False)
        if status == INTERRUPTED:
            raise KeyboardInterrupt
    except WRONG_USE as error:
        refuse(error)
    except FanfoldError as error:
        fail(error)
    except OSError as error:
        where = error.filename or "the temporary folder"
        if error.errno == errno.ENOSPC:
            fail(NoSpace(f"there is no space left on the disk of {where}"))
        if not isinstance(error, NotADirectoryError | PermissionError):
            raise
        fail(UsageError(f"{where}: {error.strerror}"))
    except KeyboardInterrupt:
        sys.stderr.write("fanfold: interrupted. `fanfold ls` shows how far the job came.\n")
        raise SystemExit(INTERRUPTED) from None
    raise SystemExit(status)


def refuse(error: typer.BadParameter) -> NoReturn:
    """Print what is wrong with a command line, or the help of a group that was called without a command; end with 2."""
    command = error.ctx.command_path if error.ctx else "fanfold"
    text = error.format_message()
    if text:
        show.wrong("UsageError", " ".join(text.split()), f"See `{command} --help`.")
    raise SystemExit(error.exit_code) from None


def fail(error: FanfoldError) -> NoReturn:
    """Print an error and end: with 2 for a command that makes no sense, else with 1."""
    show.wrong(type(error).__name__, str(error), error.remedy)
    raise SystemExit(2 if isinstance(error, UsageError | RecipeError | UnknownRecipe) else 1) from None
