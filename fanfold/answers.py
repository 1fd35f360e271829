"""What workers answer to Step Functions, and how a merge reads it where a Map Run wrote it down.

The answer holds the record of the part, where that is small. A Map Run writes the answers of all its children to a few
objects, which are one request each: so a merge need not ask S3 for the record of every line.
(https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html)
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterator
from typing import Any

from fanfold.aws.objects import Bucket
from fanfold.errors import SourceGone
from fanfold.job import Keys, canonical
from fanfold.model import Json, Line

RECORD_LIMIT = 32 << 10
"""The most characters of a record that is in an answer. A state hands on 256 KiB; what a larger one holds is read from
its own object."""


def answer(line: Line, key: str, record: Json, *, reused: bool) -> dict[str, Any]:
    """Return what the worker of a line answers whose part has this record, under this key."""
    told = {"line": line.id, "reused": reused}
    kept = {name: value for name, value in record.items() if name != "line"}
    return told | {"part": {"key": key, "record": kept}} if len(canonical(kept)) <= RECORD_LIMIT else told


def read(work: Bucket, keys: Keys, manifest: str, wanted: Container[str]) -> Iterator[tuple[str, Json]]:
    """Yield the records in the answers of a Map Run of a job, each with its key, where that is one of those wanted.

    manifest: the key of what names the objects with the answers. What is not there, not the job's, or not of the form
    that AWS documents, yields nothing: the records lie in objects of their own too.
    """
    for name in _written(work, keys, manifest):
        try:
            for row in work.lines(name):
                match _parsed(row):
                    case {"Output": str(output)}:
                        match _parsed(output):
                            case {"part": {"key": str(key), "record": {"facts": _, "objects": _} as record}} if (
                                key in wanted
                            ):
                                yield key, record
        except SourceGone:
            pass  # it has expired, and the manifest was read just before


def _written(work: Bucket, keys: Keys, manifest: str) -> Iterator[str]:
    """Yield the keys of the objects that hold the answers of those who succeeded."""
    found = work.find(manifest) if manifest.startswith(keys.results) else None
    match _parsed(found or b"null"):
        case {"DestinationBucket": work.name, "ResultFiles": {"SUCCEEDED": [*files]}}:
            for file in files:
                match file:
                    case {"Key": str(name)} if name.startswith(keys.results):
                        yield name


def _parsed(text: str | bytes) -> Json:
    """Return JSON, None where it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return None
