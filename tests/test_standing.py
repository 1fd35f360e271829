"""Where chunks stand is what reading every part says, told from names alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from moto import mock_aws

from fanfold import attempts, report
from fanfold.aws.stack import Stack
from fanfold.model import Line
from fanfold.standing import STRETCH, Board
from tests.console.jobs import EXECUTION, fail, finish, lines, made_job
from tests.fakes import made_stores


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        outputs = {"UploadsBucket": "uploads", "WorkBucket": "work", "OutputsBucket": "outputs"}
        yield Stack(made_stores().account, "fanfold", outputs | {"JobsTable": "jobs", "RecordsTable": "records"})


def test_names_tell_what_reading_every_part_tells(stack: Stack) -> None:
    count = STRETCH + 50
    setting = made_job(stack, "a.csv", count)
    planned = lines(count)
    done = [line for at, line in enumerate(planned) if at % 7 == 0 or at in (STRETCH - 1, STRETCH, count - 1)]
    for line in done:
        finish(setting, line, EXECUTION)
    for line in planned[1:40:7]:
        fail(setting, line, "BrokenImage", "it breaks")
    found = Board(stack, setting.job.id).refresh(count)
    read = report.progress(stack, setting.job.id)
    assert read is not None
    assert {chunk.line.id for chunk in found.chunks if chunk.key} == {id for id, part in read.parts.items() if part}
    assert {chunk.line.id for chunk in found.chunks if chunk.status == "failed"} == {
        line.id for line in planned[1:40:7] if line not in done
    }
    assert found.latest == (len(done), count)
    for chunk in found.chunks:
        if chunk.key:
            part = read.parts[chunk.line.id]
            assert part is not None
            assert chunk.key.startswith(f"jobs/{setting.job.id}/parts/{chunk.line.id}-")


def test_what_is_done_is_not_listed_again(stack: Stack) -> None:
    count = 2 * STRETCH
    setting = made_job(stack, "b.csv", count)
    planned = lines(count)
    for line in planned[:STRETCH]:
        finish(setting, line, EXECUTION)
    calls: list[str] = []
    stack.account.client("s3").meta.events.register("before-call.s3", lambda model, **_: calls.append(model.name))
    board = Board(stack, setting.job.id)
    board.refresh(count)
    first, calls[:] = calls.count("ListObjectsV2"), []
    assert board.refresh(count).latest == (STRETCH, count)
    assert (first, calls.count("ListObjectsV2")) == (4, 3), "the plans, one stretch of two, and the failures"
    assert "GetObject" not in calls


def test_a_chunk_is_reused_repaired_or_to_run_again_by_who_wrote_it_and_when(stack: Stack) -> None:
    setting = made_job(stack, "c.csv", 5)
    planned = lines(5)
    repair = Line("1-00000", "rows", {**planned[2].span, "pin": 2050})
    setting.write_plan(1, [repair])
    for line in (*planned[:3], repair):
        finish(setting, line, EXECUTION)
    fail(setting, planned[3], "TransientError", "for now")
    board = Board(stack, setting.job.id)
    now = datetime.now(UTC)

    def statuses(**more: object) -> list[str]:
        return [chunk.status for chunk in board.refresh(5, **more).chunks]  # type: ignore[arg-type]

    assert statuses() == ["succeeded", "succeeded", "repaired", "failed", "pending", "succeeded"]
    later = now + timedelta(seconds=10)
    assert statuses(started=later) == ["reused", "reused", "repaired", "failed", "pending", "reused"]
    assert statuses(began=later) == ["succeeded", "succeeded", "repaired", "pending", "pending", "succeeded"]
    assert statuses(running=["0-00004"])[4] == "running"
    assert board.refresh(5).latest == (1, 1), "the latest round"


def test_a_job_that_is_not_planned_has_no_chunks(stack: Stack) -> None:
    assert Board(stack, "0" * 16).refresh(0).rounds == ()


# ---- attempts


def test_the_executions_of_a_job_are_counted_by_their_names() -> None:
    first = "arn:aws:states:us-east-1:1:execution:m:a-b-0123456789abcdef"
    assert attempts.executions(first) == [first]
    assert attempts.executions(f"{first}-r2") == [first, f"{first}-r1", f"{first}-r2"]
    assert len(attempts.executions(f"{first}-r500")) == attempts.ATTEMPTS_SHOWN
    assert attempts.executions("arn:of:another") == ["arn:of:another"]


def test_what_differs_between_two_inputs_is_said_field_by_field() -> None:
    source = {"version_id": "1", "etag": "e"}
    before = {"source": source, "recipe_name": "a", "recipe": {"table": {"chunk": 1, "clean": {"trim": True}}}}
    now = {
        "source": source | {"version_id": "2"},
        "recipe_name": "b",
        "recipe": {"table": {"chunk": 2, "clean": {"trim": True}, "index": "x"}},
    }
    assert attempts.changes(before, before) == []
    assert attempts.changes(before, now) == [
        "the object is another version: 2",
        "the recipe is b instead of a",
        "table.chunk is 2 instead of 1",
        'table.index is "x" instead of left out',
    ]


def event(at: int, kind: str, **more: object) -> dict[str, object]:
    return {"id": at, "type": kind, "timestamp": datetime.fromtimestamp(at, UTC), **more}


@pytest.mark.parametrize("enters_again", [True, False])
def test_a_state_that_is_redriven_goes_on_whether_it_is_entered_again_or_not(enters_again: bool) -> None:
    """AWS's documentation does not say whether a redrive enters the failed state anew: both histories are read."""
    entered = event(1, "MapStateEntered", stateEnteredEventDetails={"name": "Process"})
    failed, redriven = event(3, "ExecutionFailed"), event(5, "ExecutionRedriven")
    again = [event(5, "MapStateEntered", stateEnteredEventDetails={"name": "Process"})] if enters_again else []
    left = event(9, "MapStateExited", stateExitedEventDetails={"name": "Process"})
    assert [state["status"] for state in report.states([entered, failed])] == ["FAILED"]
    assert report.states([entered, failed, redriven, *again])[-1]["status"] == "RUNNING"
    told = report.states([entered, failed, redriven, *again, left])
    assert [state["status"] for state in told] == (["FAILED", "SUCCEEDED"] if enters_again else ["SUCCEEDED"])
