"""What the user asks for: the schema of recipes.yaml, checked as a whole before anything runs.

Each kind's recipe is a module of its own package; here they are joined. `docs/recipes.md` describes every field; a
test fails when one is missing there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeAlias

import yaml
from pydantic import Field, ValidationError, create_model, model_validator

from fanfold import kinds
from fanfold.errors import RecipeError, UnknownRecipe
from fanfold.fields import KindRecipe, Strict


class OneKind(Strict):
    """One recipe: a field named after its kind."""

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if len(given := self._given()) != 1:
            raise ValueError(f"a recipe has exactly one kind of {', '.join(kinds.NAMES)}; here are {len(given)}")
        return self

    def _given(self) -> list[str]:
        return [name for name in kinds.NAMES if getattr(self, name) is not None]

    @property
    def kind(self) -> str:
        return self._given()[0]

    @property
    def body(self) -> KindRecipe:
        return getattr(self, self.kind)  # type: ignore[no-any-return]

    def to_json(self) -> dict[str, Any]:
        """Return what reads back as the same recipe."""
        return {self.kind: self.body.model_dump(mode="json")}

    def digest(self) -> str:
        """Return what tells this recipe from any other: equal recipes have equal digests, however they were written."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()


if TYPE_CHECKING:
    Recipe: TypeAlias = OneKind
else:
    Recipe = create_model(
        "Recipe", __base__=OneKind, **{name: (kinds.recipe(name) | None, None) for name in kinds.NAMES}
    )

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$")]


class Recipes(Strict):
    """The whole of recipes.yaml."""

    version: Literal[1]
    recipes: dict[Name, Recipe] = Field(default_factory=dict)

    def get(self, name: str) -> Recipe:
        """Return the recipe called `name`; raise UnknownRecipe with the names there are."""
        if name not in self.recipes:
            known = ", ".join(sorted(self.recipes)) or "none"
            raise UnknownRecipe(f"no recipe is called {name!r}; the recipes are: {known}")
        return self.recipes[name]


NONE = Recipes(version=1)
"""The recipes of a stack to which none were pushed."""

BUILT_IN = {name: Recipe(**{name: {}}) for name in kinds.NAMES}
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
    data = given.to_json()
    data[given.kind][given.body.chunk_field] = chunk
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
