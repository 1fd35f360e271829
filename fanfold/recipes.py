"""What the user asks for: the schema of recipes.yaml, checked as a whole before anything runs.

`docs/recipes.md` describes every field; a test fails when one is missing there.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Annotated, Any, ClassVar, Literal, Self

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from fanfold.errors import RecipeError, UnknownRecipe

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


def _one_character(text: str) -> str:
    if len(text) != 1 or text in "\r\n" or not text.isascii():
        raise ValueError("one ASCII character that is no line end")
    return text


_TYPE = re.compile(r"text|integer|float|boolean|date|timestamp|decimal\((\d+),\s*(\d+)\)")


def _column_type(text: str) -> str:
    match = _TYPE.fullmatch(text)
    if match is None:
        raise ValueError("a type is text, integer, decimal(p,s), float, boolean, date or timestamp")
    if match[1] and not (1 <= int(match[1]) <= 38 and int(match[2]) <= int(match[1])):
        raise ValueError("decimal(p,s) has p from 1 to 38 and s from 0 to p")
    return text.replace(" ", "")


def _chunk(text: object) -> int | str:
    if text == "auto":
        return "auto"
    try:
        return size_bytes(text)
    except ValueError as error:
        raise ValueError(f"{error}; or `auto`") from error


def _pointer(text: str) -> str:
    if not re.fullmatch(r"(?:/(?:[^~/]|~[01])*)*", text):
        raise ValueError("a JSON Pointer (RFC 6901) such as /data/items; in a name ~1 stands for / and ~0 for ~")
    return text


Chunk = Annotated[Literal["auto"] | int, BeforeValidator(_chunk)]
Share = Annotated[str, BeforeValidator(_share)]
Character = Annotated[str, AfterValidator(_one_character)]
Pointer = Annotated[str, AfterValidator(_pointer)]
ColumnType = Annotated[str, AfterValidator(_column_type)]


class Strict(BaseModel):
    """Every part of a recipe: unknown fields are refused, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Clean(Strict):
    """What is done to every cell before its type is read."""

    trim: bool = True
    empty_as_null: bool = True
    null_values: tuple[str, ...] = Field(default=(), strict=False)


class Index(Strict):
    """Which columns make the keys of the records in DynamoDB."""

    partition: str
    sort: str | None = None


class Total(Strict):
    """A sum kept per value of another column."""

    by: str
    sum: str


class Parquet(Strict):
    """How Parquet is written."""

    files: Literal["one", "many"] = "one"


class KindRecipe(Strict):
    """What every kind's recipe has."""

    how: ClassVar[frozenset[str]] = frozenset({"concurrency", "tolerate"})
    """Fields that say how the work is run: a part does not depend on them."""

    concurrency: int = Field(default=40, ge=1, le=10_000)
    tolerate: Share = "0%"

    def essence(self) -> dict[str, Any]:
        """Return the fields that a part's bytes depend on."""
        return self.model_dump(mode="json", exclude=set(self.how))


class TableRecipe(KindRecipe):
    """How a table is read, cleaned, written and indexed."""

    how: ClassVar[frozenset[str]] = KindRecipe.how | {"rejects", "chunk"}

    chunk: Chunk = "auto"
    format: Literal["auto", "csv", "json", "jsonl"] = "auto"
    delimiter: Literal["auto"] | Character = "auto"
    quote: Character | None = '"'
    escape: Character | None = None
    doubled_quote: bool = True
    skip_initial_space: bool = False
    header: bool = True
    encoding: str = "auto"
    records: Pointer = ""
    columns: Literal["auto", "text"] | dict[str, ColumnType] = "auto"
    clean: Clean = Clean()
    rejects: Share = "0%"
    output: Literal["parquet", "jsonl", "csv"] = "jsonl"
    parquet: Parquet = Parquet()
    index: Index | None = None
    totals: tuple[Total, ...] = Field(default=(), strict=False)

    @model_validator(mode="after")
    def _records_are_json(self) -> Self:
        if self.records and self.format not in ("auto", "json"):
            raise ValueError(f"`records` is for JSON, and `format` is {self.format}")
        return self

    @model_validator(mode="after")
    def _totals_have_records(self) -> Self:
        if self.totals and self.index is None:
            raise ValueError("`totals` needs `index`: they are the totals of the indexed rows")
        return self

    @model_validator(mode="after")
    def _parquet_is_written(self) -> Self:
        if self.parquet != Parquet() and self.output != "parquet":
            raise ValueError(f"`parquet` needs `output: parquet` (given {self.output})")
        return self


class Recipe(Strict):
    """One recipe: a field named after its kind."""

    table: TableRecipe

    @property
    def kind(self) -> str:
        return next(name for name in type(self).model_fields if getattr(self, name) is not None)

    @property
    def body(self) -> KindRecipe:
        return getattr(self, self.kind)  # type: ignore[no-any-return]

    def digest(self) -> str:
        """Return what tells this recipe from any other: equal recipes have equal digests, however they were written."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$")]


class Recipes(Strict):
    """The whole of recipes.yaml."""

    version: Literal[1]
    recipes: dict[Name, Recipe] = {}

    def get(self, name: str) -> Recipe:
        """Return the recipe called `name`; raise UnknownRecipe with the names there are."""
        if name not in self.recipes:
            known = ", ".join(sorted(self.recipes)) or "none"
            raise UnknownRecipe(f"no recipe is called {name!r}; the recipes are: {known}")
        return self.recipes[name]


NONE = Recipes(version=1)
"""The recipes of a stack to which none were pushed."""

BUILT_IN = {"table": Recipe(table=TableRecipe())}
"""By kind: what happens to a key whose first segment names no recipe."""


def read(text: str | bytes, *, origin: str = "recipes.yaml") -> Recipes:
    """Read and check a file of recipes.

    Raises RecipeError with the path of every field that is wrong, what was given, and what is allowed.
    """
    try:
        data = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(f"{origin} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict):
        raise RecipeError(f"{origin} holds {type(data).__name__}, not the mapping `version: 1, recipes: …`")
    try:
        return Recipes.model_validate(data)
    except ValidationError as error:
        raise RecipeError(f"{origin}: {'; '.join(_complaints(error))}") from error


def recipe(data: object) -> Recipe:
    """Read back the recipe that a job carries; raise RecipeError."""
    try:
        return Recipe.model_validate(data)
    except ValidationError as error:
        raise RecipeError(f"the job's recipe: {'; '.join(_complaints(error))}") from error


def with_chunk(given: Recipe, chunk: str) -> Recipe:
    """Return a recipe with another chunk size; raise RecipeError where it is none."""
    data = given.model_dump(mode="json")
    data[given.kind]["chunk"] = chunk
    try:
        return Recipe.model_validate(data)
    except ValidationError as error:
        raise RecipeError(f"the chunk that takes the recipe's place: {'; '.join(_complaints(error))}") from error


def _complaints(error: ValidationError) -> Iterator[str]:
    for item in error.errors():
        path = ".".join(str(step) for step in item["loc"] if not _is_branch(step))
        if item["type"] == "extra_forbidden":
            yield f"{path}: unknown field (given {item['input']!r})"
        elif item["type"] == "missing":
            yield f"{path}: missing"
        else:
            reason = item["msg"].removeprefix("Value error, ")
            yield f"{path}: {reason} (given {item['input']!r})"


def _is_branch(step: object) -> bool:
    """Tell pydantic's names of union branches from the user's own fields."""
    return isinstance(step, str) and ("[" in step or step in {"function-after", "str", "int"})
