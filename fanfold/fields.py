"""What the recipes of all kinds are made of: sizes, shares, and models that refuse what they do not know."""

from __future__ import annotations

import re
from collections.abc import Iterable, Set
from fractions import Fraction
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
_UNITS = {"B": 1, "KiB": KIB, "MiB": MIB, "GiB": GIB, "KB": 10**3, "MB": 10**6, "GB": 10**9}


def size_bytes(text: object) -> int:
    """Return the bytes of a size such as `64MiB`, `500 KB` or `1048576`; raise ValueError for anything else."""
    match = re.fullmatch(r"\s*(\d+)\s*([KMG]i?B|B)?\s*", str(text))
    if match is None or int(match[1]) == 0 or isinstance(text, bool):
        raise ValueError("a size is a whole number above 0 and a unit: B, KiB, MiB, GiB, KB, MB or GB")
    return int(match[1]) * _UNITS[match[2] or "B"]


def _share(text: object) -> str:
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%\s*", str(text))
    if match is None or Fraction(match[1]) > 100:
        raise ValueError("a share is a number from 0 to 100 and a percent sign, such as 0.5%")
    return f"{match[1]}%"


def allowed(share: str, count: int) -> int:
    """Return how many of `count` a share such as `0.5%` allows, rounded down, without floats."""
    return int(Fraction(share.rstrip("%")) * count / 100)


_DURATIONS = {"ms": Fraction(1, 1000), "s": Fraction(1), "m": Fraction(60)}


def duration_s(text: object) -> Fraction:
    """Return the seconds of a length of time such as `500ms`, `2s` or `1.5m`; raise ValueError for anything else."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m)\s*", str(text))
    if match is None or not Fraction(match[1]):
        raise ValueError("a length of time is a number above 0 and a unit: ms, s or m")
    return Fraction(match[1]) * _DURATIONS[match[2]]


def _chunk(text: object) -> int | str:
    if text == "auto":
        return "auto"
    try:
        return size_bytes(text)
    except ValueError as error:
        raise ValueError(f"{error}; or `auto`") from error


OutputName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$")]


def check_names(names: Iterable[str], reserved: Set[str]) -> None:
    """Raise ValueError where a rendition is called what another output is, whatever the case of the letters."""
    seen: set[str] = set()
    for name in names:
        if name.lower() in reserved:
            raise ValueError(f"a rendition cannot be called {name!r}: another output is")
        if name.lower() in seen:
            raise ValueError(f"two renditions are called {name!r}, whatever the case of the letters")
        seen.add(name.lower())


Chunk = Annotated[Literal["auto"] | int, BeforeValidator(_chunk)]
Share = Annotated[str, BeforeValidator(_share)]


class Strict(BaseModel):
    """Every part of a recipe: unknown fields are refused, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class KindRecipe(Strict):
    """What every kind's recipe has."""

    how: ClassVar[frozenset[str]] = frozenset({"concurrency", "tolerate"})
    """Fields that say how the work is run: a part does not depend on them."""
    chunk_field: ClassVar[str] = "chunk"
    """The field that says how large a chunk is."""
    whole: ClassVar[str] = ""
    """Why nothing may be missing of the outputs; empty where a chunk that fails may be."""

    concurrency: int = Field(default=40, ge=1, le=10_000)
    tolerate: Share = "0%"

    @model_validator(mode="after")
    def _tolerates_no_hole(self) -> Self:
        if self.whole and Fraction(self.tolerate.rstrip("%")):
            raise ValueError(
                f"no failed chunk is tolerated here: {self.whole}; leave `tolerate` out, and replay a job that fails: "
                "it runs what failed alone"
            )
        return self

    def essence(self) -> dict[str, Any]:
        """Return the fields that a part's bytes depend on."""
        return self.model_dump(mode="json", exclude=set(self.how))


def check_chunk(text: str) -> None:
    """Raise ValueError for what is no chunk of any kind: a size, or of a video a duration."""
    check = duration_s if text.strip().endswith(("s", "m")) else size_bytes
    check(text)
