"""What each job of an object wrote: lists of keys in the work bucket, kept as long as what they name.

A job that publishes deletes the records of every other job of its object, published or not, that it did not
write over: so the table, and the totals that follow it, hold the rows of one version and nothing else.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from fanfold.aws.objects import Bucket
from fanfold.job import Job, canonical, place

RecordKey = tuple[str, str]
"""Partition and sort key of an item."""

Key = TypeVar("Key", bound=tuple[str, ...])


@dataclass(frozen=True, slots=True)
class Ledger(Generic[Key]):
    """The lists of one job's object."""

    work: Bucket
    job: Job
    folder: str = "records/"
    """Where lists of this sort lie, of all objects."""

    @property
    def _of_object(self) -> str:
        return f"{self.folder}{place(self.job.source)}/"

    @property
    def _of_job(self) -> str:
        return f"{self._of_object}{self.job.id}/"

    def write(self, name: str, keys: Sequence[Key]) -> None:
        """Write a list before what it names is written. `name` tells the turn: a list is of one turn alone."""
        text = "".join(canonical(key) + "\n" for key in keys)
        self.work.put(
            self.key(name), gzip.compress(text.encode("utf-8", "surrogatepass"), 1, mtime=0), "application/gzip"
        )

    def key(self, name: str) -> str:
        """Return where the job's list of this name lies."""
        return f"{self._of_job}{name}.jsonl.gz"

    def of_others(self) -> list[str]:
        """Return the keys of the lists of all other jobs of the object."""
        return [key for key in self.of_all() if not key.startswith(self._of_job)]

    def of_all(self) -> list[str]:
        """Return the keys of the lists of all jobs of the object."""
        return self.work.keys(self._of_object)

    def read(self, key: str) -> list[Key]:
        """Return a list, empty where it was forgotten already."""
        found = self.work.find(key)
        lines = gzip.decompress(found).splitlines() if found else ()
        return [cast(Key, tuple(json.loads(line))) for line in lines]

    def forget(self, keys: Sequence[str]) -> None:
        """Delete lists of what is gone, written over, or named elsewhere."""
        self.work.delete_all(keys)


def job_of(key: str) -> str:
    """Return the id of the job that wrote a list of records."""
    return key.split("/")[2]
