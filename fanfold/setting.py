"""What every step of a job shares: where things lie, and what all its workers agreed on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from fanfold import __version__, kinds
from fanfold.aws.ledger import Ledger, RecordKey
from fanfold.aws.objects import Bucket, S3Source
from fanfold.aws.stores import Stores
from fanfold.job import Job, Keys, canonical, line_from_json, line_to_json
from fanfold.model import Json, Kind, Line


@dataclass(frozen=True, slots=True)
class Setting:
    """A job, its kind, and the stores of its stack."""

    stores: Stores
    job: Job
    kind: Kind
    keys: Keys
    grounds: list[tuple[Json, str]] = field(default_factory=list)
    """What parts of the layouts that were met depend on."""

    @classmethod
    def of(cls, job: Job, stores: Stores) -> Setting:
        return cls(stores, job, kinds.get(job.kind), Keys(job.id))

    @property
    def work(self) -> Bucket:
        return self.stores.work

    @property
    def source(self) -> S3Source:
        return self.stores.open(self.job.source)

    @property
    def ledger(self) -> Ledger[RecordKey]:
        return Ledger(self.work, self.job)

    def write_layout(self, number: int, layout: Json) -> None:
        data = {"job": self.job.to_json(), "layout": layout, "version": __version__}
        self.work.put(self.keys.layout(number), canonical(data).encode())

    def write_plan(self, round: int, lines: Sequence[Line]) -> None:
        text = "".join(canonical(line_to_json(line)) + "\n" for line in lines)
        self.work.put(self.keys.plan(round), text.encode(), "application/jsonl")

    def read_plan(self, round: int) -> list[Line]:
        return [line_from_json(json.loads(text)) for text in self.work.get(self.keys.plan(round)).splitlines()]

    def fingerprint(self, line: Line, layout: Json) -> str:
        ground = next((made for known, made in self.grounds if known is layout), None)
        if ground is None:
            ground = self.job.ground(layout, self.kind.parts_version)
            self.grounds.append((layout, ground))
        return self.job.fingerprint(line, ground)


def read_layout(stores: Stores, job_id: str, number: int) -> tuple[Setting, Json]:
    """Return the setting of a job and one of its layouts, as its splitter or a merge wrote them."""
    data = json.loads(stores.work.get(Keys(job_id).layout(number)))
    return Setting.of(Job.from_json(data["job"]), stores), data["layout"]
