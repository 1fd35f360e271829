"""Merge reads what workers answered where the Map wrote it down, and no part counts that is not exactly its line's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from fanfold import answers, steps
from fanfold.aws.objects import Bucket
from fanfold.aws.stores import Stores
from fanfold.job import Job, canonical
from fanfold.model import Line
from tests.fakes import table_recipe
from tests.steps import machine, toy
from tests.steps.test_steps import job_of, output, result

LETTERS = b"abcdefghijkl"

Change = Callable[[Stores, dict[str, Any]], None]
"""Does something to what a Map left, of which the round says where it is."""


@contextmanager
def reads(stores: Stores) -> Iterator[list[str]]:
    """Note the key of every object of the work bucket that is read meanwhile."""
    noted: list[str] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        if params["Bucket"] == stores.work.name:
            noted.append(params["Key"])

    events = stores.work.client.meta.events
    events.register("provide-client-params.s3.GetObject", note, unique_id="reads")
    try:
        yield noted
    finally:
        events.unregister("provide-client-params.s3.GetObject", unique_id="reads")


def records_of(noted: list[str]) -> list[str]:
    """Return the keys of the records of parts."""
    return [key for key in noted if "/parts/" in key and key.endswith(".json")]


def mapped(stores: Stores, body: bytes = LETTERS, **fields: Any) -> tuple[Job, dict[str, Any]]:
    """Return a job whose first Map is done, and what that hands on."""
    job = job_of(stores, body, **fields)
    return job, machine.mapped(steps.split(job.to_json() | {"execution": "e"}, stores), stores)


@pytest.mark.parametrize("letters", [8, 40])
def test_a_merge_reads_as_many_objects_whatever_the_number_of_chunks(stores: Stores, letters: int) -> None:
    """The first one, and the one behind the index: a layout, the plans, and two objects a round for the answers."""
    _, round = mapped(stores, b"a" * letters, index={"partition": "a"})
    with reads(stores) as first:
        round = steps.merge(round, stores)
    round = machine.mapped(round, stores)
    with reads(stores) as last:
        assert steps.merge(round, stores)["chunks"]["processed"] == letters // 2
    texts = [key for key in last if key.endswith("/text")]  # what the toy's one output is put together of
    assert (len(first), len(last) - len(texts)) == (4, 7)
    assert not records_of(first + last)


def test_a_second_execution_answers_with_the_parts_that_it_found(stores: Stores) -> None:
    job, round = mapped(stores)
    again = machine.mapped(steps.split(job.to_json() | {"execution": "again"}, stores), stores)
    assert again["manifest"] != round["manifest"]
    with reads(stores) as noted:
        chunks = steps.merge(again, stores)["chunks"]
    assert (chunks["reused"], chunks["processed"], records_of(noted)) == (6, 0, [])


def lose_the_manifest(stores: Stores, round: dict[str, Any]) -> None:
    stores.work.delete_all([round["manifest"]])


def lose_the_answers(stores: Stores, round: dict[str, Any]) -> None:
    stores.work.delete_all([key_of_answers(stores, round)])


def name_another_bucket(stores: Stores, round: dict[str, Any]) -> None:
    change_manifest(stores, round, {"DestinationBucket": "somewhere-else"})


def name_what_is_of_another_job(stores: Stores, round: dict[str, Any]) -> None:
    stores.work.put("jobs/other/map/SUCCEEDED_0.jsonl", stores.work.get(key_of_answers(stores, round)))
    files = {"SUCCEEDED": [{"Key": "jobs/other/map/SUCCEEDED_0.jsonl", "Size": 1}]}
    change_manifest(stores, round, {"ResultFiles": files})


def write_a_manifest_of_another_form(stores: Stores, round: dict[str, Any]) -> None:
    change_manifest(stores, round, {"ResultFiles": [{"Status": "SUCCEEDED"}]})


def write_no_json(stores: Stores, round: dict[str, Any]) -> None:
    stores.work.put(round["manifest"], b"<html>")


def point_into_another_job(stores: Stores, round: dict[str, Any]) -> None:
    stores.work.put("jobs/other/map/manifest.json", stores.work.get(round["manifest"]))
    round["manifest"] = "jobs/other/map/manifest.json"


def forget_where_it_is(stores: Stores, round: dict[str, Any]) -> None:
    """As of an execution that began before there was a manifest to hand on."""
    del round["manifest"], round["manifests"]


def keep_no_record(stores: Stores, round: dict[str, Any]) -> None:
    """As where all are too large."""
    change_rows(stores, round, lambda answer: answer.pop("part"))


def answer_for_other_lines(stores: Stores, round: dict[str, Any]) -> None:
    """As of the same lines of another layout or another version: their fingerprints are others."""

    def change(answer: dict[str, Any]) -> None:
        answer["part"]["key"] = answer["part"]["key"].replace("-", "-0", 1)[:-6] + ".json"

    change_rows(stores, round, change)


def cut_off(stores: Stores, round: dict[str, Any]) -> None:
    """Half of the rows, the last of them half: what a redrive wrote elsewhere is not named here."""
    body = stores.work.get(key_of_answers(stores, round))
    stores.work.put(key_of_answers(stores, round), body[: len(body) // 2 - 9])


def key_of_answers(stores: Stores, round: dict[str, Any]) -> str:
    return str(json.loads(stores.work.get(round["manifest"]))["ResultFiles"]["SUCCEEDED"][0]["Key"])


def change_manifest(stores: Stores, round: dict[str, Any], change: dict[str, Any]) -> None:
    stores.work.put(round["manifest"], json.dumps(json.loads(stores.work.get(round["manifest"])) | change).encode())


def change_rows(stores: Stores, round: dict[str, Any], change: Callable[[dict[str, Any]], Any]) -> None:
    key = key_of_answers(stores, round)
    rows = [json.loads(line) for line in stores.work.get(key).splitlines()]
    for row in rows:
        answer = json.loads(row["Output"])
        # Whoever took it would find no such object.
        answer["part"]["record"]["objects"]["text"]["key"] = "jobs/no/such/part"
        change(answer)
        row["Output"] = json.dumps(answer)
    stores.work.put(key, "".join(json.dumps(row) + "\n" for row in rows).encode())


def test_what_the_answers_do_not_hold_is_asked_for_line_by_line(stores: Stores) -> None:
    asked = {
        lose_the_manifest: 6,
        lose_the_answers: 6,
        name_another_bucket: 6,
        name_what_is_of_another_job: 6,
        write_a_manifest_of_another_form: 6,
        write_no_json: 6,
        point_into_another_job: 6,
        forget_where_it_is: 6,
        keep_no_record: 6,
        answer_for_other_lines: 6,
        cut_off: 4,
    }
    for change, count in asked.items():
        job, round = mapped(stores, key=f"orders/{change.__name__}.csv")
        change(stores, round)
        with reads(stores) as noted:
            summary = steps.merge(round, stores)
        assert len(records_of(noted)) == count, change
        assert summary["chunks"]["processed"] == 6, change
        assert output(stores, job) == LETTERS.upper(), change


def test_a_chunk_that_failed_is_missing_though_the_map_wrote_down_why(stores: Stores) -> None:
    job, round = mapped(stores, b"ab!defghij", tolerate="50%")
    with reads(stores) as noted:
        assert steps.merge(round, stores)["status"] == "PARTIAL"
    assert [key.rpartition("/")[2][:7] for key in records_of(noted)] == ["0-00001"]
    assert [one["start"] for one in result(stores, job)["missing"]] == [2]


def test_answers_of_an_earlier_turn_do_not_count(stores: Stores) -> None:
    """What was indexed before another job published is indexed again, though both Maps wrote down that it was done."""
    first = job_of(stores, LETTERS, index={"partition": "a"})
    round = machine.once(steps.split(first.to_json() | {"execution": "e"}, stores), stores)
    round = machine.mapped(round, stores)
    stores.jobs.release(first)
    machine.run(replace(first, recipe=table_recipe(chunk=6, index={"partition": "b"})), stores)
    toy.processed.clear()
    again = steps.merge(round, stores)
    assert again["again"]
    machine.resume(again, stores)
    assert len(toy.processed) == 6


def test_a_round_of_few_lines_is_read_line_by_line(stores: Stores) -> None:
    """The manifest and what it names would be as many requests."""
    _, round = mapped(stores, b"abcd")
    with reads(stores) as noted:
        steps.merge(round, stores)
    assert len(records_of(noted)) == 2
    assert not [key for key in noted if "/map/" in key]


def test_an_answer_holds_what_a_state_can_hand_on(stores: Stores) -> None:
    """256 KiB of JSON, in which another program may write every character as `\\u….`"""
    line = Line("0-00000", "rows", {"start": 0})
    for text in ("x", "\N{SNOWMAN}", "\N{PILE OF POO}"):
        rest = len(canonical({"facts": {"text": ""}, "objects": {}}))
        record = {"line": {}, "facts": {"text": text * (answers.RECORD_LIMIT - rest)}, "objects": {}}
        told = answers.answer(line, "jobs/a/parts/0-00000-b.json", record, reused=False)
        assert told["part"]["record"] == {"facts": record["facts"], "objects": {}}
        assert len(json.dumps(told)) < (256 << 10) * (1 if text == "x" else 2)
        record["facts"] = {"text": record["facts"]["text"] + text}
        assert answers.answer(line, "jobs/a/parts/0-00000-b.json", record, reused=True) == {
            "line": "0-00000",
            "reused": True,
        }


def test_lines_are_read_as_they_arrive(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an object whose lines are longer, and shorter, than the blocks it is read in."""
    monkeypatch.setattr("fanfold.aws.objects.LINES_BLOCK_BYTES", 7)
    lines = [b"a" * length for length in (0, 1, 6, 7, 8, 50)] + ["\u2028\x85".encode()]
    stores.work.put("lines", b"\n".join(lines) + b"\n")
    assert list(Bucket.lines(stores.work, "lines")) == lines
