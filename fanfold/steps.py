"""Split, work, index, merge: the application in four functions.

Each takes the JSON that the state machine hands it and returns the JSON that flows on. Everything that
grows with the object lies in the work bucket, under keys that a second try writes again with equal bytes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import IO, Any

from fanfold import __version__, kinds, publishing
from fanfold.aws.ledger import Ledger, RecordKey, job_of
from fanfold.aws.objects import Bucket, S3Source
from fanfold.aws.stores import Stores
from fanfold.errors import FanfoldError, Superseded
from fanfold.fields import allowed
from fanfold.job import Job, Keys, canonical, line_from_json, line_to_json
from fanfold.model import Again, Folded, Json, Kind, Line, Part, PartObject, Round

CLAIM_S = 900.0
"""How long the right to publish is kept without a sign of life: a function's longest run."""

READS_AT_ONCE = 32

INDEX = "index"
"""The role of the lines that write records, and put outputs in their place."""

Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Setting:
    """What every step of a job shares: where things lie, and what all its workers agreed on."""

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

    def find_part(self, line: Line, layout: Json) -> Part | None:
        """Return the part of a line if it was finished, by this job or by one that it may reuse.

        Records name the job that wrote them, so an index line is never done by another job.
        """
        fingerprint = self.fingerprint(line, layout)
        reused = self.job.reuse if line.role != INDEX else ()
        for job_id in (self.job.id, *reused):
            if found := self.work.find(Keys(job_id).part(line, fingerprint)):
                data = json.loads(found)
                objects = {name: PartObject(**made) for name, made in data["objects"].items()}
                return Part(line, data["facts"], objects, data["execution"], data["attempt"], data["seconds"])
        return None

    @property
    def ledger(self) -> Ledger[RecordKey]:
        return Ledger(self.work, self.job)


def read_layout(stores: Stores, job_id: str, number: int) -> tuple[Setting, Json]:
    """Return the setting of a job and one of its layouts, as its splitter or a merge wrote them."""
    data = json.loads(stores.work.get(Keys(job_id).layout(number)))
    return Setting.of(Job.from_json(data["job"]), stores), data["layout"]


def split(event: Event, stores: Stores) -> dict[str, Any]:
    """Plan a job; return its first round."""
    setting = Setting.of(Job.from_json(event), stores)
    job = setting.job
    job.output_key("result.json")
    with kinds.installed(job.kind):
        plan = setting.kind.plan(setting.source, job.recipe.body)
    setting.write_layout(0, plan.layout)
    setting.write_plan(0, plan.lines)
    stores.jobs.planned(job, len(plan.lines))
    tolerated = 0 if plan.prepares else allowed(job.recipe.body.tolerate, len(plan.lines))
    return _round(setting, event["execution"], 0, 0, 1, len(plan.lines), tolerated)


def _round(
    setting: Setting,
    execution: str,
    number: int,
    plan_round: int,
    layouts: int,
    lines: int,
    tolerated_failures: int,
) -> dict[str, Any]:
    return {
        "job": setting.job.id,
        "execution": execution,
        "plan": setting.keys.plan(number),
        "round": number,
        "plan_round": plan_round,
        "layouts": layouts,
        "lines": lines,
        "concurrency": setting.job.recipe.body.concurrency,
        "tolerated_failures": tolerated_failures,
        "again": True,
    }


class PartDesk:
    """Where a worker notes and writes, under keys that its line's fingerprint makes its own."""

    def __init__(self, setting: Setting, line: Line, layout: Json) -> None:
        self._work = setting.work
        self._keys = setting.keys
        self._line = line
        self._fingerprint = setting.fingerprint(line, layout)
        self.objects: dict[str, PartObject] = {}

    def note(self, facts: Json) -> None:
        self._work.put(self._keys.note(self._line, self._fingerprint), canonical(facts).encode())

    def write(self, name: str, data: bytes | IO[bytes]) -> None:
        key = self._keys.part_object(self._line, self._fingerprint, name)
        size = len(data) if isinstance(data, bytes) else data.seek(0, 2)
        if not isinstance(data, bytes):
            data.seek(0)
        self._work.put(key, data, "application/octet-stream")
        self.objects[name] = PartObject(key, size)

    def read(self, part_object: PartObject, start: int = 0, stop: int | None = None) -> bytes:
        whole = start == 0 and stop in (None, part_object.size_bytes)
        stop = part_object.size_bytes if stop is None else stop
        return self._work.get(part_object.key) if whole else self._work.read(part_object.key, start, stop)

    def finish(self, facts: Mapping[str, Json], run: Attempt) -> None:
        """Write the part's record, last of all: from here on the line is done, whoever asks."""
        record = {
            "line": line_to_json(self._line),
            "facts": facts,
            "objects": {name: asdict(made) for name, made in self.objects.items()},
            "execution": run.execution,
            "attempt": run.number,
            "seconds": run.seconds,
        }
        self._work.put(self._keys.part(self._line, self._fingerprint), canonical(record).encode())


class Attempt:
    """One try at one line: in which execution, which number from 1, and for how long so far."""

    def __init__(self, event: Event) -> None:
        self.execution: str = event["execution"]
        self.number: int = event["attempt"]
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        return round(time.monotonic() - self._began, 3)


def work(event: Event, stores: Stores) -> dict[str, Any]:
    """Turn one plan line into its part, unless it is there already."""
    attempt = Attempt(event)
    setting, line, layout = _at_line(event, stores)
    if setting.find_part(line, layout):
        return {"line": line.id, "reused": True}
    desk = PartDesk(setting, line, layout)
    with _failure_kept(setting, line, attempt), kinds.installed(setting.job.kind):
        facts = setting.kind.process(setting.source, setting.job.recipe.body, layout, line, desk)
    desk.finish(facts, attempt)
    return {"line": line.id, "reused": False}


def index(event: Event, stores: Stores) -> dict[str, Any]:
    """Write what one plan line has outside the work bucket, records or outputs, while this job may publish."""
    attempt = Attempt(event)
    setting, line, layout = _at_line(event, stores)
    try:
        stores.jobs.claim(setting.job, CLAIM_S)
        if setting.find_part(line, layout):
            return {"line": line.id, "reused": True}
        desk = PartDesk(setting, line, layout)
        with _failure_kept(setting, line, attempt):
            facts = _indexed(setting, line, layout, desk)
        desk.finish(facts, attempt)
    except Superseded:
        # Nothing of a stale version may be written. The merge finds the same, and ends the job as ignored.
        pass
    return {"line": line.id, "reused": False}


def _indexed(setting: Setting, line: Line, layout: Json, desk: PartDesk) -> dict[str, Json]:
    if "sweep" in line.span:
        return _sweep(setting, line)
    if "place" in line.span:
        name = f"{line.id}-{setting.fingerprint(line, layout)}"
        return publishing.place(setting.stores, setting.job, name, line.span)
    return _write_records(setting, line, layout, desk)


def _write_records(setting: Setting, line: Line, layout: Json, desk: PartDesk) -> dict[str, Json]:
    """Write a line's records, and the lists of their keys before them: no record stands that no list names."""
    job, jobs = setting.job, setting.stores.jobs
    name = f"{line.id}-{setting.fingerprint(line, layout)}"
    lists = 0

    def announce(keys: Sequence[RecordKey]) -> None:
        nonlocal lists
        # A worker may outlive its execution: it writes nothing more once another job has the right.
        jobs.claim(job, CLAIM_S)
        setting.ledger.write(f"{name}-{lists:05}", keys)
        lists += 1

    records = setting.kind.records(job.recipe.body, layout, line, desk)
    return {"records": setting.stores.records.write(job, records, announce)}


def _sweep(setting: Setting, line: Line) -> dict[str, Json]:
    """Delete what another job of the object wrote, and this one did not write over."""
    key = line.span["sweep"]
    return {"deleted": setting.stores.records.sweep(job_of(key), setting.ledger.read(key))}


def _at_line(event: Event, stores: Stores) -> tuple[Setting, Line, Json]:
    line = line_from_json(event["line"])
    setting, layout = read_layout(stores, event["job"], line.layout)
    return setting, line, layout


@contextmanager
def _failure_kept(setting: Setting, line: Line, attempt: Attempt) -> Iterator[None]:
    """Keep an error that ends the attempt where people find it, and let it go on."""
    try:
        yield
    except FanfoldError as error:
        failure = {"error": told(error), "attempt": attempt.number, "seconds": attempt.seconds}
        setting.work.put(setting.keys.failure(line), canonical(failure).encode())
        raise


def told(error: FanfoldError) -> dict[str, str]:
    """Return an error as the JSON that people are shown."""
    return {"name": type(error).__name__, "message": str(error), "remedy": error.remedy}


def merge(event: Event, stores: Stores) -> dict[str, Any]:
    """Certify the parts; return another round, or publish the outputs and return the result's summary."""
    layouts: list[Json] = []
    for number in range(event["layouts"]):
        setting, layout = read_layout(stores, event["job"], number)
        layouts.append(layout)
    rounds = [setting.read_plan(number) for number in range(event["round"] + 1)]
    planned = rounds[event["plan_round"]]
    swept = [line for lines in rounds for line in lines if "sweep" in line.span]
    parts = read_parts(setting, rounds, layouts)
    try:
        if any(line.role == INDEX for line in rounds[-1]):
            # A job that was superseded meanwhile has index lines without parts: it ends here.
            stores.jobs.claim(setting.job, CLAIM_S)
            turn = stores.jobs.take_turn(setting.job)
            parts |= {
                line.id: None for lines in rounds for line in lines if line.role == INDEX and line.span["turn"] != turn
            }
        answer = setting.kind.merge(
            Round(
                source=setting.source,
                recipe=setting.job.recipe.body,
                layouts=layouts,
                lines=[lines for lines in rounds if not any("sweep" in line.span for line in lines)],
                part=lambda line: parts[line.id],
                note=lambda line: _read_note(setting, line, layouts[line.layout]),
                read=lambda made, start, stop: setting.work.read(made.key, start, stop),
                plan_round=event["plan_round"],
            )
        )
        if isinstance(answer, Folded) and not answer.refused:
            # Nobody else publishes from here on, so no list of another job is still to come.
            stores.jobs.claim(setting.job, CLAIM_S)
            done = {line.span["sweep"] for line in swept if parts[line.id]}
            if stale := [key for key in setting.ledger.of_others() if key not in done]:
                answer = Again(_sweeps(stale, event["round"] + 1), publishes=True)
        if isinstance(answer, Again):
            return _ask_again(setting, event, answer, len(layouts))
        summary = _publish(setting, event, answer, planned, parts)
        setting.ledger.forget([line.span["sweep"] for line in swept])
        return summary
    except Superseded as error:
        return _summary(setting, event, "IGNORED", planned, parts) | {"error": told(error)}


def _sweeps(lists: Sequence[str], round: int) -> list[Line]:
    return [Line(f"{round}-{at:05}", INDEX, {"sweep": key}) for at, key in enumerate(lists)]


def read_parts(setting: Setting, rounds: Sequence[Sequence[Line]], layouts: Sequence[Json]) -> dict[str, Part | None]:
    """Return the part of every line by the line's id, None where it is not finished."""
    lines = [line for lines in rounds for line in lines]
    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        found = pool.map(lambda line: setting.find_part(line, layouts[line.layout]), lines)
        return {line.id: part for line, part in zip(lines, found, strict=True)}


def _read_note(setting: Setting, line: Line, layout: Json) -> Json:
    found = setting.work.find(setting.keys.note(line, setting.fingerprint(line, layout)))
    return json.loads(found) if found else None


def _ask_again(setting: Setting, event: Event, again: Again, layouts: int) -> dict[str, Any]:
    lines = again.lines
    if again.publishes:
        setting.stores.jobs.claim(setting.job, CLAIM_S)
        turn = setting.stores.jobs.take_turn(setting.job)
        lines = [replace(line, span={**line.span, "turn": turn}) for line in lines]
    number = event["round"] + 1
    plan_round = number if again.plans else event["plan_round"]
    tolerated = 0
    if again.plans:
        setting.stores.jobs.planned(setting.job, len(lines))
        tolerated = allowed(setting.job.recipe.body.tolerate, len(lines))
    if again.layout is not None:
        setting.write_layout(layouts, again.layout)
        lines = [replace(line, layout=layouts) for line in lines]
        layouts += 1
    setting.write_plan(number, lines)
    return _round(setting, event["execution"], number, plan_round, layouts, len(lines), tolerated)


def _publish(
    setting: Setting, event: Event, folded: Folded, planned: Sequence[Line], parts: Mapping[str, Part | None]
) -> dict[str, Any]:
    """Write the outputs, and result.json last: where it stands, all of them do."""
    stores, job = setting.stores, setting.job
    stores.jobs.claim(job, CLAIM_S)
    outputs = publishing.write(stores, job, folded.outputs)
    if folded.refused:
        setting.work.put(setting.keys.refused, canonical(outputs).encode())
        stores.jobs.release(job)
        raise folded.refused
    status = "PARTIAL" if folded.missing else "SUCCEEDED"
    summary = _summary(setting, event, status, planned, parts)
    summary["chunks"]["repaired"] = folded.repaired
    summary["stats"] = dict(folded.stats)
    source = {"uri": job.source.uri, "bytes": job.source.size_bytes, "etag": job.source.etag}
    result = summary | {
        "kind": job.kind,
        "recipe": job.recipe_name,
        "source": source | {"version": job.source.version_id},
        "outputs": outputs,
        "missing": [_missing(setting, planned, span) for span in folded.missing],
    }
    del result["again"]
    key = job.output_key("result.json")
    publishing.delete_stale(stores, job, outputs)
    stores.outputs.put(key, json.dumps(result, indent=2, ensure_ascii=False).encode())
    # From here on the result names them.
    lists = publishing.placed(stores, job)
    lists.forget(lists.of_all())
    stores.jobs.published(job)
    return summary | {"result": f"s3://{stores.outputs.name}/{key}"}


def _missing(setting: Setting, planned: Sequence[Line], span: Mapping[str, Json]) -> dict[str, Json]:
    """Return what is missing, with the error of its chunk where one was kept."""
    for line in planned:
        if line.span.get("start") == span.get("start") and (found := setting.work.find(setting.keys.failure(line))):
            return {**span, "error": json.loads(found)["error"]}
    return {**span, "error": None}


def _summary(
    setting: Setting, event: Event, status: str, planned: Sequence[Line], parts: Mapping[str, Part | None]
) -> dict[str, Any]:
    ran = event["execution"]
    made = [parts[line.id] for line in planned]
    reused = sum(part is not None and part.execution != ran for part in made)
    failed = made.count(None)
    return {
        "again": False,
        "job": setting.job.id,
        "execution": ran,
        "status": status,
        "chunks": {
            "planned": len(made),
            "processed": len(made) - reused - failed,
            "reused": reused,
            "repaired": 0,
            "failed": failed,
        },
        "effort": {
            "lines": len(parts),
            "worker_ms": sum(round(part.seconds * 1000) for part in parts.values() if part and part.execution == ran),
        },
    }
