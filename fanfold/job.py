"""A job: one version of one object, and one recipe. Its id, its keys, and the JSON that the steps hand on."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from fanfold import recipes
from fanfold.errors import InvalidInput
from fanfold.model import Json, Line, ObjectRef

KEY_LIMIT_BYTES = 1024
"""S3's limit on a key, in UTF-8 (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html)."""

NAME_LIMIT = 80
"""Step Functions' limit on an execution's name, in characters."""


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def canonical(data: Json) -> str:
    """Return the one JSON text of `data`: equal data, equal text."""
    return _encode(data)


def digest(data: Json) -> str:
    """Return the SHA-256 of the canonical JSON of `data`, in hexadecimal."""
    return hashlib.sha256(canonical(data).encode("utf-8", "surrogatepass")).hexdigest()


def place(source: ObjectRef) -> str:
    """Return what tells an object, whatever its version, from every other one, in short."""
    return digest([source.bucket, source.key])[:16]


@dataclass(frozen=True, slots=True)
class Job:
    """What to do with one version of one object."""

    source: ObjectRef
    recipe_name: str
    recipe: recipes.Recipe
    sequencer: str = ""
    """Orders the versions of one key: the greater one is the newer one."""
    reuse: tuple[str, ...] = ()
    """The ids of earlier jobs of the same source, whose finished parts serve where they would be equal."""

    @property
    def id(self) -> str:
        """The same for every execution: a duplicate event names the same job."""
        return digest([self.source.bucket, self.source.key, self.source.version, self.recipe.digest()])[:16]

    @property
    def kind(self) -> str:
        return self.recipe.kind

    @property
    def output_prefix(self) -> str:
        return f"{self.recipe_name}/{self.source.key}/"

    def output_key(self, name: str) -> str:
        """Return the key of an output; raise InvalidInput where S3 could not hold it."""
        key = self.output_prefix + name
        if (size := len(key.encode())) > KEY_LIMIT_BYTES:
            raise InvalidInput(
                f"the output key {key[:40]!r}… would have {size} bytes; S3's limit is {KEY_LIMIT_BYTES}: "
                "upload under a shorter key"
            )
        return key

    def execution_name(self, attempt: int = 0) -> str:
        """Return `<recipe>-<end of the key>-<job id>`, and `-r<attempt>` behind it for a replay."""
        tail = self.id + (f"-r{attempt}" if attempt else "")
        words = re.sub(r"[^A-Za-z0-9_-]+", "-", self.source.key).strip("-")
        room = NAME_LIMIT - len(self.recipe_name) - len(tail) - 2
        end = words[-room:].strip("-") if room > 0 else ""
        return "-".join(filter(None, (self.recipe_name, end, tail)))

    def ground(self, layout: Json, parts_version: int) -> str:
        """Return what the bytes of all parts of a layout depend on, in short.

        A layout may be as long as the plan: made for each line anew, it would cost the square of that.
        """
        source = self.source
        return digest([source.bucket, source.key, source.version, self.recipe.body.essence(), layout, parts_version])

    def fingerprint(self, line: Line, ground: str) -> str:
        """Return what a part's bytes depend on, in short: equal fingerprints, equal parts."""
        return digest([ground, line.role, dict(line.span)])[:16]

    def to_json(self) -> dict[str, Any]:
        """Return the input of the job's executions."""
        return {
            "job": self.id,
            "kind": self.kind,
            "source": asdict(self.source),
            "recipe_name": self.recipe_name,
            "recipe": self.recipe.to_json(),
            "sequencer": self.sequencer,
            "reuse": list(self.reuse),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Job:
        """Read back what `to_json` gave."""
        return cls(
            source=ObjectRef(**data["source"]),
            recipe_name=data["recipe_name"],
            recipe=recipes.recipe(data["recipe"]),
            sequencer=data["sequencer"],
            reuse=tuple(data["reuse"]),
        )


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one job in the work bucket."""

    job: str

    @property
    def prefix(self) -> str:
        return f"jobs/{self.job}/"

    def layout(self, number: int) -> str:
        return f"{self.prefix}layout-{number}.json"

    def plan(self, round: int) -> str:
        return f"{self.prefix}plan-{round}.jsonl" if round else f"{self.prefix}plan.jsonl"

    def note(self, line: Line, fingerprint: str) -> str:
        return f"{self.prefix}notes/{line.id}-{fingerprint}.json"

    def part(self, line: Line, fingerprint: str) -> str:
        return f"{self.prefix}parts/{line.id}-{fingerprint}.json"

    def part_object(self, line: Line, fingerprint: str, name: str) -> str:
        return f"{self.prefix}parts/{line.id}-{fingerprint}/{name}"

    @property
    def results(self) -> str:
        """Below which Step Functions writes what the children of Map Runs answered."""
        return f"{self.prefix}map/"

    def failure(self, line: Line) -> str:
        return f"{self.prefix}failures/{line.id}.json"

    @property
    def refused(self) -> str:
        """The outputs that a job wrote before it was refused, to say why."""
        return f"{self.prefix}refused.json"


def line_to_json(line: Line) -> dict[str, Any]:
    return {"id": line.id, "role": line.role, "span": dict(line.span), "layout": line.layout}


def line_from_json(data: Mapping[str, Any]) -> Line:
    return Line(id=data["id"], role=data["role"], span=data["span"], layout=data["layout"])
