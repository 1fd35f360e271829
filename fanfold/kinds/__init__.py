"""The kinds of file that fanfold can split. Each is a package here that answers the `Kind` protocol.

Its recipe is the class `<Name>Recipe` of its module `recipe`.

A kind is imported when a job of it runs, and not before: the functions of one kind never load another's codecs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pkgutil import iter_modules
from typing import cast

from fanfold.errors import NotInstalled
from fanfold.fields import KindRecipe
from fanfold.model import Kind

NAMES = tuple(sorted(module.name for module in iter_modules(__path__) if module.ispkg))
"""In the order in which they are asked whether an object is theirs."""


def get(name: str) -> Kind:
    """Return the kind called `name`, one of NAMES."""
    return cast(Kind, import_module(f"{__name__}.{name}"))


@contextmanager
def installed(name: str) -> Iterator[None]:
    """Name the extra that is missing where a kind's work finds that a package is. Raises NotInstalled."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise NotInstalled(
            f"the {name} kind needs {error.name}, which is not installed: pip install 'fanfold[{name}]'"
        ) from error


def recipe(name: str) -> type[KindRecipe]:
    """Return the class of the recipes of a kind."""
    return cast(type[KindRecipe], getattr(import_module(f"{__name__}.{name}.recipe"), f"{name.capitalize()}Recipe"))


def sniff(head: bytes, key: str) -> str | None:
    """Return the name of the kind that can read an object of this key and these first bytes, None if none can."""
    return next((name for name in NAMES if get(name).sniff(head, key)), None)
