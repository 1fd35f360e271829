"""Where a command talks to: a stack on AWS, or the one on the embedded engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial, wraps
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, get_type_hints

import typer

if TYPE_CHECKING:
    from fanfold.aws.stack import Stack

Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line, and nothing else.")]

Opener: TypeAlias = Callable[[], AbstractContextManager[Any]]
"""Opens the `Stack` that a command's options name."""

_CHOICES = {
    "profile": Annotated[str | None, typer.Option(help="An AWS profile: talk to AWS and not to the embedded engine.")],
    "region": Annotated[str | None, typer.Option(help="An AWS region: talk to AWS and not to the embedded engine.")],
    "stack_name": Annotated[str | None, typer.Option("--stack", help="A stack on AWS, not the embedded engine's.")],
}


def chosen(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say which stack it means, and what opens that stack as its first argument."""

    @wraps(command)
    def run(**given: Any) -> None:
        command(partial(opened, *(given.pop(name) for name in _CHOICES)), **given)

    hints = get_type_hints(command, include_extras=True)
    kinds = {name: hints[name] for name in list(signature(command).parameters)[1:]} | _CHOICES
    defaults = {name: one.default for name, one in signature(command).parameters.items()} | dict.fromkeys(_CHOICES)
    options = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=defaults[name], annotation=kinds[name]) for name in kinds
    ]
    run.__signature__ = signature(command).replace(parameters=options)  # type: ignore[attr-defined]
    run.__annotations__ = kinds
    return run


@contextmanager
def opened(profile: str | None = None, region: str | None = None, name: str | None = None) -> Iterator[Stack]:
    """Yield the stack that is meant; the embedded engine is started for it where none runs, and stopped again.

    Raises Unreachable where AWS does not answer or knows no such caller, EngineError where the engine does not.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    from fanfold.aws.account import Account
    from fanfold.aws.stack import DEFAULT_NAME, Stack
    from fanfold.errors import EngineError, TransientError, Unreachable

    if profile or region or name:
        try:
            yield Stack.find(Account(profile, region), name or DEFAULT_NAME)
        except (BotoCoreError, ClientError, TransientError) as error:
            raise Unreachable(f"AWS cannot be asked: {error}") from error
        return
    from fanfold import engine

    with engine.session() as running:
        try:
            yield Stack.find(Account(region=running.region, endpoint=running.endpoint), running.stack)
        except TransientError as error:
            raise EngineError(f"the engine in {running.home} does not answer: {error}") from error
