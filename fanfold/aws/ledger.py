"""Which records each job of an object wrote: lists of their keys in the work bucket, kept as long as the records.

A job that publishes deletes the records of every other job of its object, published or not, that it did not
write over: so the table, and the totals that follow it, hold the rows of one version and nothing else.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass

from fanfold.aws.objects import Bucket
from fanfold.job import Job, canonical, place

RecordKey = tuple[str, str]
"""Partition and sort key of an item."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """The lists of one job's object."""

    work: Bucket
    job: Job

    @property
    def _of_object(self) -> str:
        return f"records/{place(self.job.source)}/"

    @property
    def _of_job(self) -> str:
        return f"{self._of_object}{self.job.id}/"

    def write(self, name: str, keys: Sequence[RecordKey]) -> None:
        """Write a list before its records are written. `name` tells the turn: a list is of one turn alone."""
        text = "".join(canonical(key) + "\n" for key in keys)
        key = f"{self._of_job}{name}.jsonl.gz"
        self.work.put(key, gzip.compress(text.encode("utf-8", "surrogatepass"), 1, mtime=0), "application/gzip")

    def of_others(self) -> list[str]:
        """Return the keys of the lists of all other jobs of the object."""
        return [key for key in self.work.keys(self._of_object) if not key.startswith(self._of_job)]

    def read(self, key: str) -> list[RecordKey]:
        """Return a list, empty where it was forgotten already."""
        found = self.work.find(key)
        lines = gzip.decompress(found).splitlines() if found else ()
        return [(partition, sort) for partition, sort in map(json.loads, lines)]

    def forget(self, keys: Sequence[str]) -> None:
        """Delete lists whose records are gone or written over."""
        for key in keys:
            self.work.delete(key)


def job_of(key: str) -> str:
    """Return the id of the job that wrote a list."""
    return key.split("/")[2]
