"""Where a command talks to: a stack on AWS, or the one on the embedded engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from fanfold.aws.stack import Stack

Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line, and nothing else.")]
Profile = Annotated[str | None, typer.Option(help="An AWS profile: talk to AWS and not to the embedded engine.")]
Region = Annotated[str | None, typer.Option(help="An AWS region: talk to AWS and not to the embedded engine.")]
StackName = Annotated[str | None, typer.Option("--stack", help="A stack on AWS, instead of the embedded engine's.")]


@dataclass(frozen=True, slots=True)
class Place:
    """Which stack a command means."""

    profile: str | None
    region: str | None
    stack: str | None

    @contextmanager
    def open(self) -> Iterator[Stack]:
        """Yield the stack; the embedded engine is started for it where none runs, and stopped again."""
        from botocore.exceptions import BotoCoreError

        from fanfold.aws.account import Account
        from fanfold.aws.stack import DEFAULT_NAME, Stack
        from fanfold.errors import UsageError

        if self.profile or self.region or self.stack:
            try:
                yield Stack.find(Account(self.profile, self.region), self.stack or DEFAULT_NAME)
            except BotoCoreError as error:
                raise UsageError(f"AWS cannot be asked: {error}") from error
            return
        from fanfold import engine

        with engine.session() as running:
            yield Stack.find(Account(region=running.region, endpoint=running.endpoint), running.stack)
