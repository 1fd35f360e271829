"""Faults on the engine: whatever dies, whenever it dies, nothing is lost, doubled or half-written."""

from __future__ import annotations

import csv
import gzip
import io
import json
import time
from collections import Counter
from typing import Any

import pytest

from fanfold import engine as engines
from fanfold import replay, report
from fanfold.aws.executions import Executions
from tests.faults.conftest import Lab, connect

ROWS = 700


def table(rows: int = ROWS, tag: str = "a") -> bytes:
    """Return a CSV of `rows` rows, some with quoted line ends: about 16 chunks of 1 KiB."""
    made = io.StringIO(newline="")
    writer = csv.writer(made, lineterminator="\n")
    writer.writerow(["id", "text"])
    for number in range(rows):
        writer.writerow([f"{tag}{number}", 'line\n"two", and more' if number % 7 == 0 else "plain words here"])
    return made.getvalue().encode()


def expected(body: bytes) -> list[dict[str, str]]:
    header, *rows = csv.reader(io.StringIO(body.decode(), newline=""))
    return [dict(zip(header, row, strict=True)) for row in rows]


def got(lab: Lab, key: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (lab.output(key) or b"").splitlines()]


def added(before: Counter[str], after: Counter[str]) -> set[str]:
    return set(after - before)


def only_unfinished_ran(lab: Lab, job: str, plan: replay.Preview, before: Counter[str]) -> None:
    """No line's part was made twice, and since the preview only parts were that were not there.

    A child that Step Functions aborted is invoked again, and finds the part that its first run still finished.
    """
    made = lab.made(job)
    assert set(made.values()) == {1}
    assert set(made - before) <= {f"work/{line.id}" for line in plan.unfinished}


def test_a_worker_killed_before_and_after_each_of_its_writes_is_run_again(lab: Lab) -> None:
    """Chunk n is killed at write n // 2 + 1, before it or after it: note, rows, record."""
    body = table()
    for chunk in range(6):
        lab.fault("work", f"0-{chunk:05}", do="kill", write=chunk // 2 + 1, after=bool(chunk % 2), times=1)
    item = lab.run("strict/killed.csv", body)
    assert item["status"] == "SUCCEEDED", item
    assert got(lab, "strict/killed.csv") == expected(body)
    calls = lab.calls(item["job"])
    assert [calls[f"work/0-{chunk:05}"] for chunk in range(10)] == [2] * 6 + [1] * 4
    attempts = {chunk["id"]: chunk["attempts"] for chunk in report.job(lab.stack, item["job"])["chunks_detail"]}
    assert attempts["0-00000"] == 2
    assert attempts["0-00009"] == 1


def test_a_transient_error_twice_is_tried_a_third_time(lab: Lab) -> None:
    lab.fault("work", "0-00002", error="TransientError", times=2)
    item = lab.run("strict/transient.csv", table())
    assert item["status"] == "SUCCEEDED", item
    assert lab.calls(item["job"])["work/0-00002"] == 3


def test_a_poison_chunk_fails_the_job_and_a_replay_runs_only_what_had_not_finished(lab: Lab) -> None:
    body = table()
    lab.fault("work", "0-00003")
    item = lab.run("strict/poison.csv", body)
    assert item["status"] == "FAILED"
    assert (item["error"]["name"], item["error"]["message"]) == ("InvalidInput", "struck by a test")
    assert lab.output("strict/poison.csv") is None
    assert lab.output("strict/poison.csv", "result.json") is None
    plan = replay.preview(lab.stack, item["job"])
    assert plan.how == "redrive"
    assert "0-00003" in {line.id for line in plan.unfinished}
    before, done = lab.calls(item["job"]), lab.made(item["job"])
    lab.mend()
    replay.replay(lab.stack, item["job"])
    item = lab.ended(item["job"])
    assert item["status"] == "SUCCEEDED", item
    assert got(lab, "strict/poison.csv") == expected(body)
    only_unfinished_ran(lab, item["job"], plan, done)
    assert not any(call.startswith("split/") for call in added(before, lab.calls(item["job"])))
    # A redriven Map writes down what all of its children answered.
    assert lab.asked(item["job"])["work/0-00003"] == 1
    assert lab.asked(item["job"])["merge/0"] == 0


def test_a_poison_chunk_within_what_is_tolerated_leaves_a_partial_result_that_names_it(lab: Lab) -> None:
    body = table()
    lab.fault("work", "0-00003", write=1)
    item = lab.run("lenient/poison.csv", body)
    assert item["status"] == "PARTIAL", item
    result = json.loads(lab.output("lenient/poison.csv", "result.json") or b"")
    [missing] = result["missing"]
    assert missing["error"]["message"] == "struck by a test"
    assert result["chunks"]["failed"] == 1
    assert lab.asked(item["job"])["merge/0"] == 1, "for the part of what failed"
    lost = body[missing["start"] : missing["stop"]]
    rows = got(lab, "lenient/poison.csv")
    wanted = expected(body)
    gone = [row for row in wanted if row not in rows]
    assert [row for row in wanted if row not in gone] == rows
    assert 0 < len(gone) < ROWS / 4
    assert all(row["id"].encode() in lost for row in gone)


def test_a_source_overwritten_mid_run_never_mixes(lab: Lab) -> None:
    """The old job is held up by a chunk that is tried again and again while the new version comes and goes."""
    old, new = table(tag="old"), table(tag="new")
    lab.fault("work", "0-00001", error="TransientError", times=2)
    stale = lab.upload("strict/over.csv", old)
    fresh = lab.upload("strict/over.csv", new)
    assert fresh != stale
    assert lab.ended(fresh)["status"] == "SUCCEEDED"
    assert lab.ended(stale)["status"] in ("IGNORED", "SUCCEEDED")
    assert got(lab, "strict/over.csv") == expected(new)
    assert json.loads(lab.output("strict/over.csv", "result.json") or b"")["job"] == fresh


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("write", [1, 2])
def test_split_killed_half_way_then_redriven(lab: Lab, write: int, after: bool) -> None:
    key, body = f"strict/split-{write}-{after}.csv", table(60)
    lab.fault("split", "0", do="kill", write=write, after=after)
    item = lab.run(key, body)
    assert item["status"] == "FAILED"
    assert item["error"]["name"] == "Runtime.ExitError"
    lab.mend()
    assert replay.replay(lab.stack, item["job"])[0].how == "redrive"
    assert lab.ended(item["job"])["status"] == "SUCCEEDED"
    assert got(lab, key) == expected(body)


@pytest.mark.parametrize("write", [1, 3])
def test_merge_killed_half_way_then_redriven(lab: Lab, write: int) -> None:
    key, body = f"strict/merge-{write}.csv", table(60)
    lab.fault("merge", "0", do="kill", write=write, after=True)
    item = lab.run(key, body)
    assert item["status"] == "FAILED"
    before = lab.calls(item["job"])
    lab.mend()
    assert replay.replay(lab.stack, item["job"])[0].how == "redrive"
    assert lab.ended(item["job"])["status"] == "SUCCEEDED"
    assert added(before, lab.calls(item["job"])) == {"merge/0"}
    assert got(lab, key) == expected(body)


def test_a_failure_inside_an_index_round_then_redriven(lab: Lab) -> None:
    body = table(60)
    lab.fault("index", "1-00001")
    item = lab.run("indexed/round.csv", body)
    assert item["status"] == "FAILED"
    before = lab.calls(item["job"])
    lab.mend()
    assert replay.replay(lab.stack, item["job"])[0].how == "redrive"
    assert lab.ended(item["job"])["status"] == "SUCCEEDED"
    again = added(before, lab.calls(item["job"]))
    assert not any(call.startswith(("split/", "work/")) for call in again)
    for row in expected(body):
        assert list(lab.stack.stores.records.query(lab.stack.stores.jobs, "indexed", row["id"])) == [row]


def misleading() -> bytes:
    """Return a CSV whose quoted fields hold rows of the right width: guesses go wrong and are repaired."""
    made = io.StringIO(newline="")
    writer = csv.writer(made, lineterminator="\n")
    writer.writerow(["id", "text"])
    for number in range(6):
        writer.writerow([f"m{number}", "\n".join(f"x{line},y" for line in range(400))])
    return made.getvalue().encode()


def test_a_failure_inside_a_repair_round_then_redriven(lab: Lab) -> None:
    body = misleading()
    for chunk in range(12):
        lab.fault("work", f"1-{chunk:05}")
    item = lab.run("strict/repair.csv", body)
    assert item["status"] == "FAILED", "no guess went wrong: the case does not reach a repair round"
    before = lab.calls(item["job"])
    assert any(call.startswith("work/1-") for call in before)
    lab.mend()
    assert replay.replay(lab.stack, item["job"])[0].how == "redrive"
    item = lab.ended(item["job"])
    assert item["status"] == "SUCCEEDED", item
    assert got(lab, "strict/repair.csv") == expected(body)
    assert not any(call.startswith(("split/", "work/0-")) for call in added(before, lab.calls(item["job"])))


def test_a_compressed_table_whose_opening_failed_is_replayed_from_there(lab: Lab) -> None:
    """None of it is tolerated, for it would be lost unseen; the chunks are those of its text."""
    body = table(1000)
    cuts = range(0, len(body), 900)
    packed = b"".join(gzip.compress(body[at : at + 900], 0, mtime=0) for at in cuts)
    lab.fault("work", "0-00001")
    item = lab.run("lenient/packed.csv.gz", packed)
    assert (item["status"], item["error"]["message"]) == ("FAILED", "struck by a test")
    before = lab.calls(item["job"])
    lab.mend()
    assert replay.replay(lab.stack, item["job"])[0].how == "redrive"
    item = lab.ended(item["job"])
    assert item["status"] == "SUCCEEDED", item
    assert got(lab, "lenient/packed.csv.gz") == expected(body)
    again = {call for call in added(before, lab.calls(item["job"])) if call.startswith(("split/", "work/0-"))}
    assert "work/0-00001" in again
    assert not any(call.startswith("split/") for call in again)
    result = json.loads(lab.output("lenient/packed.csv.gz", "result.json") or b"")
    planned = [chunk for chunk in report.job(lab.stack, item["job"])["chunks_detail"] if chunk["round"] == 1]
    assert result["chunks"]["planned"] == item["planned"] == len(planned)


def test_a_changed_recipe_is_a_new_execution_that_reuses_what_is_finished(lab: Lab) -> None:
    from fanfold import intake
    from tests.faults.conftest import RECIPES

    body = table()
    lab.fault("work", "0-00003")
    failed = lab.run("strict/changed.csv", body)
    assert failed["status"] == "FAILED"
    lab.settled(failed["job"], "work/0-00003")
    done = lab.made(failed["job"])
    lab.stack.stores.work.put(
        intake.RECIPES_KEY, RECIPES.replace(b"strict: {table: {", b"strict: {table: {tolerate: 10%, ")
    )
    try:
        plan, started = replay.replay(lab.stack, failed["job"])
        assert (plan.how, plan.reason) == ("restart", "the recipe has changed")
        assert started
        item = lab.ended(plan.job.id)
    finally:
        lab.stack.stores.work.put(intake.RECIPES_KEY, RECIPES)
    assert item["status"] == "PARTIAL", item
    assert item["chunks"]["reused"] == len(done)
    assert item["chunks"]["failed"] == 1


def test_changed_code_is_a_new_execution_that_reuses_what_is_finished(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = table()
    lab.fault("work", "0-00003")
    failed = lab.run("strict/code.csv", body)
    assert failed["status"] == "FAILED"
    lab.settled(failed["job"], "work/0-00003")
    lab.mend()
    with monkeypatch.context() as patch:
        patch.setattr(replay, "__version__", "99.0.0")
        newer = replay.preview(lab.stack, failed["job"])
    assert (newer.how, "99.0.0" in newer.reason) == ("restart", True)
    # The engine answers today's definition for an execution of yesterday's: what AWS would say is put in its place.
    monkeypatch.setattr(Executions, "definition_changed", lambda executions, arn: True)
    plan, started = replay.replay(lab.stack, failed["job"])
    assert (plan.how, plan.reason) == ("restart", "the state machine has changed")
    assert started != failed["execution"]
    item = replay.wait(lab.stack, failed["job"])
    assert (item["status"], item["execution"]) == ("SUCCEEDED", started)
    assert item["chunks"]["reused"] == len(plan.finished)
    assert got(lab, "strict/code.csv") == expected(body)


def test_the_engine_restarted_between_failure_and_replay(lab: Lab) -> None:
    """Last of all: the engine gets a new address."""
    body = table()
    lab.fault("work", "0-00003")
    item = lab.run("strict/restart.csv", body)
    assert item["status"] == "FAILED"
    lab.mend()
    assert engines.down(lab.home)
    lab.stack = connect(engines.up(lab.home), lab.home).stack
    done = lab.made(item["job"])
    plan, _ = replay.replay(lab.stack, item["job"])
    assert plan.how == "redrive"
    assert lab.ended(item["job"])["status"] == "SUCCEEDED"
    assert got(lab, "strict/restart.csv") == expected(body)
    only_unfinished_ran(lab, item["job"], plan, done)


def test_the_engine_stopped_while_a_job_runs(lab: Lab) -> None:
    """What ran is found aborted, whether or not its event was heard, and is replayed."""
    body = table()
    lab.fault("work", "0-00005", error="TransientError")
    job = lab.upload("strict/stopped.csv", body)
    deadline = time.monotonic() + 30
    while not lab.calls(job)["work/0-00005"]:
        assert time.monotonic() < deadline, "the chunk never ran"
        time.sleep(0.05)
    assert engines.down(lab.home)
    lab.stack = connect(engines.up(lab.home), lab.home).stack
    lab.mend()
    item = report.find(lab.stack, job)
    assert item["status"] == "FAILED"
    plan, _ = replay.replay(lab.stack, job)
    assert plan.how == "redrive"
    assert replay.wait(lab.stack, job)["status"] == "SUCCEEDED"
    assert got(lab, "strict/stopped.csv") == expected(body)
