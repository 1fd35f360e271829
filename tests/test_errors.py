"""The error tree: drawn as it is, told by name."""

from __future__ import annotations

import re

from fanfold import errors
from fanfold.errors import FanfoldError, remedy_of


def tree(cls: type[FanfoldError]) -> list[type[FanfoldError]]:
    return [cls, *(found for child in cls.__subclasses__() for found in tree(child))]


def test_the_docstring_draws_every_class_under_its_base() -> None:
    drawn: list[tuple[int, str]] = [
        (len(indent) // 2, name)
        for indent, name in re.findall(r"^( *)[*+-] (\w+)", errors.__doc__ or "", flags=re.MULTILINE)
    ]
    path: list[str] = []
    bases = {}
    for depth, name in drawn:
        path[depth:] = [name]
        bases[name] = path[depth - 1] if depth else "Exception"
    assert bases == {cls.__name__: cls.__bases__[0].__name__ for cls in tree(FanfoldError)}


def test_every_remedy_is_one_sentence_of_one_line_found_by_the_name_alone() -> None:
    for cls in tree(FanfoldError):
        assert cls.remedy.endswith(".")
        assert "\n" not in cls.remedy
        assert remedy_of(cls.__name__) == cls.remedy


def test_a_name_that_is_not_ours_still_has_a_remedy() -> None:
    assert remedy_of("Lambda.Unknown") == FanfoldError.remedy
