"""Intake: from the event of an upload to exactly one execution, or to a reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fanfold import kinds, recipes
from fanfold.aws.executions import Executions
from fanfold.aws.objects import Head, head
from fanfold.aws.stores import Stores
from fanfold.errors import (
    EmptyObject,
    FanfoldError,
    InvalidInput,
    SourceGone,
    Superseded,
    UnknownFormat,
)
from fanfold.job import Job
from fanfold.model import ObjectRef

RECIPES_KEY = "recipes/recipes.yaml"
"""Where a stack's recipes lie in its work bucket."""

SNIFF_BYTES = 4096

CHUNK_METADATA = "fanfold-chunk"
"""User metadata of an upload (`x-amz-meta-fanfold-chunk`) that takes the place of the recipe's `chunk`."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What S3's Object Created event tells.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
    """

    bucket: str
    key: str
    size_bytes: int
    etag: str
    version_id: str | None
    sequencer: str

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Arrival:
        detail = event["detail"]
        made = detail["object"]
        return cls(
            bucket=detail["bucket"]["name"],
            key=made["key"],
            size_bytes=made.get("size", 0),
            etag=made.get("etag", "").strip('"'),
            version_id=made.get("version-id"),
            sequencer=made.get("sequencer", ""),
        )


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of an arrival, for the log."""

    job: str
    outcome: str
    """started, duplicate or ignored."""
    reason: str = ""


def read_recipes(stores: Stores) -> recipes.Recipes:
    """Return the stack's recipes, none where none were pushed; raise RecipeError."""
    found = stores.work.find(RECIPES_KEY)
    return recipes.NONE if found is None else recipes.read(found)


def receive(event: Mapping[str, Any], stores: Stores, machines: Mapping[str, str]) -> Decision:
    """Start the execution of an uploaded object, or record why there is nothing to do.

    machines: the ARN of each kind's state machine, by the kind's name.
    """
    arrival = Arrival.from_event(event)
    ref = ObjectRef(arrival.bucket, arrival.key, arrival.size_bytes, arrival.etag, arrival.version_id)
    unread = Job(ref, *_recipe_by_name(arrival.key, recipes.NONE, "table"), arrival.sequencer)
    try:
        job = _job(arrival, stores)
        if job.kind not in machines:
            raise UnknownFormat(f"{arrival.key!r} is for the kind {job.kind}; the stack runs {', '.join(machines)}")
    except InvalidInput as why:
        stores.jobs.arrive(unread)
        return _ignore(unread, why, stores)
    if not stores.jobs.arrive(job):
        return _ignore(job, Superseded("a newer version of the object was taken before this one"), stores)
    stores.jobs.begin(job)
    started = Executions(stores.account.client("stepfunctions")).start(machines[job.kind], job)
    return Decision(job.id, "started" if started else "duplicate")


def _ignore(job: Job, why: FanfoldError, stores: Stores) -> Decision:
    stores.jobs.ignore(job, why)
    return Decision(job.id, "ignored", f"{type(why).__name__}: {why}")


def _job(arrival: Arrival, stores: Stores) -> Job:
    if arrival.size_bytes == 0:
        what = "a folder marker" if arrival.key.endswith("/") else "an object of 0 bytes"
        raise EmptyObject(f"{arrival.key!r} is {what}")
    found = head(stores.account, arrival.bucket, arrival.key, arrival.version_id, SNIFF_BYTES)
    if found.ref.etag != arrival.etag:
        raise SourceGone(f"{arrival.key!r} was overwritten before it was taken; the newer object has its own event")
    name, recipe = _chosen(arrival.key, found, read_recipes(stores))
    return Job(found.ref, name, _adjusted(recipe, found), arrival.sequencer)


def current_recipe(job: Job, stores: Stores) -> tuple[str, recipes.Recipe]:
    """Return the name and recipe that a job's object would get if it arrived now; raise SourceGone."""
    source = job.source
    found = head(stores.account, source.bucket, source.key, source.version_id, SNIFF_BYTES)
    name, recipe = _chosen(source.key, found, read_recipes(stores))
    return name, _adjusted(recipe, found)


def _chosen(key: str, found: Head, known: recipes.Recipes) -> tuple[str, recipes.Recipe]:
    kind = "" if _names_recipe(key, known) else kinds.sniff(found.first_bytes, key)
    if kind is None:
        raise UnknownFormat(
            f"{key!r} is no {' or '.join(kinds.NAMES)} by its first bytes, and its first segment names no recipe"
        )
    return _recipe_by_name(key, known, kind)


def _names_recipe(key: str, known: recipes.Recipes) -> bool:
    first, slash, _ = key.partition("/")
    return bool(slash) and first in known.recipes


def _recipe_by_name(key: str, known: recipes.Recipes, kind: str) -> tuple[str, recipes.Recipe]:
    if _names_recipe(key, known):
        name = key.partition("/")[0]
        return name, known.get(name)
    return kind, recipes.BUILT_IN[kind]


def _adjusted(recipe: recipes.Recipe, found: Head) -> recipes.Recipe:
    chunk = found.metadata.get(CHUNK_METADATA)
    return recipe if chunk is None else recipes.with_chunk(recipe, chunk)
