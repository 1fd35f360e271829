"""The recipe of a text."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator

from fanfold.fields import KindRecipe, size_bytes


class WordsRecipe(KindRecipe):
    """How large a chunk is, and whether `A` and `a` are one word."""

    chunk: Annotated[int, BeforeValidator(size_bytes)] = 1 << 20
    fold: bool = True
