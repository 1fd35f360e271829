"""The kinds of file that fanfold can split. Each is a package here that answers the `Kind` protocol.

A kind is imported when a job of it runs, and not before: the functions of one kind never load another's codecs.
"""

from __future__ import annotations

from importlib import import_module
from typing import cast

from fanfold.model import Kind

NAMES = ("table",)
"""In the order in which they are asked whether an object is theirs."""


def get(name: str) -> Kind:
    """Return the kind called `name`, one of NAMES."""
    return cast(Kind, import_module(f"{__name__}.{name}"))


def sniff(head: bytes, key: str) -> str | None:
    """Return the name of the kind that can read an object of this key and these first bytes, None if none can."""
    return next((name for name in NAMES if get(name).sniff(head, key)), None)
