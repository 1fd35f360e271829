"""Split, work, index, merge: the application in four functions.

Each takes the JSON that the state machine hands it and returns the JSON that flows on. Everything that
grows with the object lies in the work bucket, under keys that a second try writes again with equal bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from fanfold import answers, kinds, publishing
from fanfold.aws.ledger import RecordKey, job_of
from fanfold.aws.stores import Stores
from fanfold.errors import FanfoldError, Superseded
from fanfold.fields import allowed
from fanfold.job import Job, canonical, line_from_json
from fanfold.model import Again, Folded, Json, Line, Part, Round
from fanfold.parts import INDEX, Attempt, PartDesk, find_record, places, read_parts
from fanfold.setting import Setting, read_layout

CLAIM_S = 900.0
"""How long the right to publish is kept without a sign of life: a function's longest run."""

Event = Mapping[str, Any]


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
    return _round(setting, event["execution"], 0, 0, 1, len(plan.lines), tolerated, [])


def _round(
    setting: Setting,
    execution: str,
    number: int,
    plan_round: int,
    layouts: int,
    lines: int,
    tolerated_failures: int,
    manifests: Sequence[str | None],
) -> dict[str, Any]:
    """Return what the state machine hands on.

    manifests: of each round before this one, where the answers of its workers are, as the Map said behind it. An
    execution ends at 25,000 events, which is some 1,900 rounds: so these keys stay below 160 KB, of 256 KiB.
    """
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
        "manifests": manifests,
        "again": True,
    }


def work(event: Event, stores: Stores) -> dict[str, Any]:
    """Turn one plan line into its part, unless it is there already."""
    attempt = Attempt(event)
    setting, line, layout = _at_line(event, stores)
    if found := find_record(setting, places(setting, line, layout)):
        return answers.answer(line, *found, reused=True)
    desk = PartDesk(setting, line, layout)
    with _failure_kept(setting, line, attempt), kinds.installed(setting.job.kind):
        facts = setting.kind.process(setting.source, setting.job.recipe.body, layout, line, desk)
    return desk.finish(facts, attempt)


def index(event: Event, stores: Stores) -> dict[str, Any]:
    """Write what one plan line has outside the work bucket, records or outputs, while this job may publish."""
    attempt = Attempt(event)
    setting, line, layout = _at_line(event, stores)
    try:
        stores.jobs.claim(setting.job, CLAIM_S)
        if found := find_record(setting, places(setting, line, layout)):
            return answers.answer(line, *found, reused=True)
        desk = PartDesk(setting, line, layout)
        with _failure_kept(setting, line, attempt):
            facts = _indexed(setting, line, layout, desk)
        return desk.finish(facts, attempt)
    except Superseded:
        # Nothing of a stale version may be written. The merge finds the same, and ends the job as ignored.
        return {"line": line.id, "reused": False}


def _indexed(setting: Setting, line: Line, layout: Json, desk: PartDesk) -> dict[str, Json]:
    if "sweep" in line.span:
        return _sweep(setting, line)
    if "place" in line.span:
        return publishing.place(setting.stores, setting.job, _list_name(setting, line, layout), line.span)
    return _write_records(setting, line, layout, desk)


def _write_records(setting: Setting, line: Line, layout: Json, desk: PartDesk) -> dict[str, Json]:
    """Write a line's records, and the lists of their keys before them: no record stands that no list names."""
    job, jobs = setting.job, setting.stores.jobs
    name = _list_name(setting, line, layout)
    lists = 0

    def announce(keys: Sequence[RecordKey]) -> None:
        nonlocal lists
        # A worker may outlive its execution: it writes nothing more once another job has the right.
        jobs.claim(job, CLAIM_S)
        setting.ledger.write(f"{name}-{lists:05}", keys)
        lists += 1

    records = setting.kind.records(job.recipe.body, layout, line, desk)
    return {"records": setting.stores.records.write(job, records, announce)}


def _list_name(setting: Setting, line: Line, layout: Json) -> str:
    """Return how the lists of what a line writes outside the work bucket are called."""
    return f"{line.id}-{setting.fingerprint(line, layout)}"


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
    manifests = [*event.get("manifests", ()), event.get("manifest")]
    parts = read_parts(setting, rounds, layouts, manifests)
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
            return _ask_again(setting, event, answer, len(layouts), manifests)
        placed = [line for lines in rounds for line in lines if "place" in line.span]
        known = {_list_name(setting, line, layouts[line.layout]): publishing.names(line.span) for line in placed}
        summary = _publish(setting, event, answer, planned, parts, known)
        setting.ledger.forget([line.span["sweep"] for line in swept])
        return summary
    except Superseded as error:
        return _summary(setting, event, "IGNORED", planned, parts) | {"error": told(error)}


def _sweeps(lists: Sequence[str], round: int) -> list[Line]:
    return [Line(f"{round}-{at:05}", INDEX, {"sweep": key}) for at, key in enumerate(lists)]


def _read_note(setting: Setting, line: Line, layout: Json) -> Json:
    found = setting.work.find(setting.keys.note(line, setting.fingerprint(line, layout)))
    return json.loads(found) if found else None


def _ask_again(
    setting: Setting, event: Event, again: Again, layouts: int, manifests: Sequence[str | None]
) -> dict[str, Any]:
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
    return _round(setting, event["execution"], number, plan_round, layouts, len(lines), tolerated, manifests)


def _publish(
    setting: Setting,
    event: Event,
    folded: Folded,
    planned: Sequence[Line],
    parts: Mapping[str, Part | None],
    placed: Mapping[str, Sequence[str]],
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
    lists = publishing.delete_stale(stores, job, outputs, placed)
    stores.outputs.put(key, json.dumps(result, indent=2, ensure_ascii=False).encode())
    # From here on the result names what stands of theirs.
    publishing.placed(stores, job).forget(lists)
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
