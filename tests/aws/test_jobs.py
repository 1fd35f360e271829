"""The Jobs table: whatever the order of events, the last word stands."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from fanfold.aws.stores import Stores
from fanfold.errors import EmptyObject, Superseded, TransientError
from fanfold.job import Job
from tests.fakes import table_recipe, uploaded

EVENTS = [
    ("RUNNING", "1.0.0", {}),
    ("FAILED", "1.0.1", {"error": {"name": "NotATable"}, "stopped": "t1"}),
    ("RUNNING", "1.1.0", {}),
    ("SUCCEEDED", "1.1.1", {"stopped": "t2", "chunks": {"planned": 3}}),
]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_status_events_in_any_order_end_in_the_last_one(stores: Stores, order: tuple[int, ...]) -> None:
    job = uploaded(stores, b"x")
    stores.jobs.begin(job)
    for number in order:
        status, at, facts = EVENTS[number]
        stores.jobs.status(job.id, status, at, **facts)
    found = stores.jobs.get(job.id)
    assert (found["status"], found["stopped"], found["chunks"]) == ("SUCCEEDED", "t2", {"planned": 3})
    assert "error" not in found


def test_a_run_that_goes_on_again_shows_no_end_and_no_error(stores: Stores) -> None:
    job = uploaded(stores, b"x")
    stores.jobs.begin(job)
    for status, at, facts in EVENTS[:3]:
        assert stores.jobs.status(job.id, status, at, **facts)
    found = stores.jobs.get(job.id)
    assert found["status"] == "RUNNING"
    assert not {"stopped", "error"} & found.keys()


def test_a_job_that_is_replayed_hears_no_more_of_the_failure_before(stores: Stores) -> None:
    job = uploaded(stores, b"x")
    stores.jobs.begin(job)
    for status, at, facts in EVENTS[:2]:
        stores.jobs.status(job.id, status, at, **facts)
    stores.jobs.reopen(job.id, "1.0.1")
    status, at, facts = EVENTS[1]
    assert not stores.jobs.status(job.id, status, at, **facts)
    found = stores.jobs.get(job.id)
    assert found["status"] == "PENDING"
    assert "error" not in found
    for status, at, facts in EVENTS[2:]:
        assert stores.jobs.status(job.id, status, at, **facts)
    stores.jobs.reopen(job.id, "1.0.1")
    assert stores.jobs.get(job.id)["status"] == "SUCCEEDED"


def test_stats_keep_their_fractions(stores: Stores) -> None:
    job = uploaded(stores, b"x")
    stores.jobs.begin(job)
    stats = {"seconds": 44.374, "frames": 3, "most": [0.1, 2]}
    stores.jobs.status(job.id, "SUCCEEDED", "1.0.1", stats=stats)
    assert stores.jobs.get(job.id)["stats"] == stats


def test_the_status_of_a_job_that_nobody_began_is_not_recorded(stores: Stores) -> None:
    assert not stores.jobs.status("unknown", "RUNNING", "1.0.0")


def test_beginning_again_keeps_when_a_job_started_and_how_it_stands(stores: Stores) -> None:
    job = uploaded(stores, b"x")
    stores.jobs.begin(job)
    stores.jobs.status(job.id, "RUNNING", "1.0.0")
    before = stores.jobs.get(job.id)
    stores.jobs.begin(job)
    after = stores.jobs.get(job.id)
    assert (after["started"], after["status"]) == (before["started"], "RUNNING")


def test_a_stale_version_does_not_arrive(stores: Stores) -> None:
    old = uploaded(stores, b"x", sequencer="005A")
    new = uploaded(stores, b"y", sequencer="005B")
    assert stores.jobs.arrive(new)
    assert not stores.jobs.arrive(old)
    assert stores.jobs.arrive(new)
    assert stores.jobs.of_object("uploads", "orders/a.csv")["job"] == new.id


def test_a_shorter_sequencer_counts_as_if_zeros_followed(stores: Stores) -> None:
    short, long = uploaded(stores, b"x", sequencer="0a"), uploaded(stores, b"y", sequencer="0A01")
    assert stores.jobs.arrive(short)
    assert stores.jobs.arrive(long)
    assert not stores.jobs.arrive(short)


def claimed(stores: Stores, job: Job, seconds: float = 60) -> None:
    stores.jobs.claim(job, seconds)


def test_one_job_at_a_time_may_publish_an_object(stores: Stores) -> None:
    old = uploaded(stores, b"x", sequencer="01")
    new = uploaded(stores, b"y", sequencer="02")
    stores.jobs.arrive(old)
    claimed(stores, old)
    claimed(stores, old)
    stores.jobs.arrive(new)
    with pytest.raises(TransientError, match=old.id):
        claimed(stores, new)
    with pytest.raises(Superseded, match=new.id):
        claimed(stores, old)
    stores.jobs.release(old)
    claimed(stores, new)


def test_a_right_to_publish_that_was_not_renewed_passes_on(stores: Stores) -> None:
    job = uploaded(stores, b"x")
    other = replace(job, recipe=uploaded(stores, b"x", output="csv").recipe)
    stores.jobs.arrive(job)
    claimed(stores, job, seconds=-1)
    claimed(stores, other)
    stores.jobs.release(job)
    with pytest.raises(TransientError):
        claimed(stores, job)


def test_a_turn_lasts_until_another_job_takes_one(stores: Stores) -> None:
    first = uploaded(stores, b"x")
    second = replace(first, recipe=table_recipe(output="csv"))
    turns = []
    for job in (first, first, second, first):
        stores.jobs.claim(job, 60)
        turns.append(stores.jobs.take_turn(job))
        stores.jobs.release(job)
    assert turns == [1, 1, 2, 3]
    stores.jobs.claim(second, 60)
    with pytest.raises(TransientError, match=second.id):
        stores.jobs.take_turn(first)


def test_an_ignored_object_says_why_unless_it_has_run(stores: Stores) -> None:
    job = uploaded(stores, b"x")
    stores.jobs.ignore(job, EmptyObject("'a' is an object of 0 bytes"))
    found = stores.jobs.get(job.id)
    assert found["status"] == "IGNORED"
    assert found["error"] == {
        "name": "EmptyObject",
        "message": "'a' is an object of 0 bytes",
        "remedy": EmptyObject.remedy,
    }
    ran = uploaded(stores, b"y")
    stores.jobs.begin(ran)
    stores.jobs.ignore(ran, EmptyObject("late"))
    assert stores.jobs.get(ran.id)["status"] == "PENDING"


def test_jobs_are_listed_newest_first(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for number in range(5):
        monkeypatch.setattr("fanfold.aws.jobs._now", lambda number=number: f"2026-01-0{number + 1}")
        made.append(uploaded(stores, bytes([number])))
        stores.jobs.begin(made[-1])
    assert [found["job"] for found in stores.jobs.newest()] == [job.id for job in reversed(made)]
