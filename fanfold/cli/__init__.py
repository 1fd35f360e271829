"""The command line. Each module is a group of commands; what they show comes from `report` and `replay`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line, or say how to install what it needs."""
    try:
        import rich  # noqa: F401
        import typer  # noqa: F401
    except ModuleNotFoundError as missing:
        sys.stderr.write(f"fanfold: the command line needs {missing.name}. Install it: pip install 'fanfold[all]'\n")
        raise SystemExit(2) from None
    from fanfold.cli.app import run

    run()
