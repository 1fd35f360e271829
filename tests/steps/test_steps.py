"""Split, work, index, merge: what is done twice gives the same, and what fails leaves nothing half-done."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from fanfold import steps
from fanfold.aws import records
from fanfold.aws.objects import Bucket
from fanfold.aws.stores import Stores
from fanfold.errors import InvalidInput, NotInstalled, Superseded, TransientError
from fanfold.job import Job
from fanfold.model import Again, Copied, Folded, Line, Output, Round, placing
from tests.fakes import table_recipe, uploaded
from tests.steps import machine, toy


def job_of(stores: Stores, body: bytes, **fields: Any) -> Job:
    made = uploaded(stores, body, **({"chunk": 2} | fields))
    stores.jobs.arrive(made)
    stores.jobs.begin(made)
    return made


def output(stores: Stores, job: Job, name: str = "text.txt") -> bytes | None:
    return stores.outputs.find(job.output_key(name))


def result(stores: Stores, job: Job) -> dict[str, Any]:
    return dict(json.loads(stores.outputs.get(job.output_key("result.json"))))


def test_a_job_ends_in_its_outputs_and_a_result_that_names_them(stores: Stores) -> None:
    job = job_of(stores, b"abcde")
    summary = machine.run(job, stores)
    assert output(stores, job) == b"ABCDE"
    chunks = {"planned": 3, "processed": 3, "reused": 0, "repaired": 0, "failed": 0}
    assert (summary["status"], summary["chunks"]) == ("SUCCEEDED", chunks)
    found = result(stores, job)
    assert found["outputs"] == [{"name": "text.txt", "uri": "s3://outputs/orders/orders/a.csv/text.txt", "bytes": 5}]
    assert (found["job"], found["stats"], found["missing"]) == (job.id, {"rows": 3}, [])
    assert found["source"]["version"] == job.source.version_id
    assert stores.jobs.of_object("uploads", job.source.key)["published"] == job.id


@pytest.mark.parametrize("step", ["plan", "process"])
def test_a_package_that_is_missing_is_named_with_its_extra(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def missing(*_: Any) -> None:
        import a_codec_that_nobody_has  # type: ignore[import-not-found]  # noqa: F401

    monkeypatch.setattr(toy, step, missing)
    with pytest.raises(NotInstalled if step == "plan" else machine.MapFailed) as raised:
        machine.run(job_of(stores, b"abc", chunk=3), stores)
    told = raised.value if step == "plan" else raised.value.__cause__
    assert isinstance(told, NotInstalled)
    assert str(told).endswith("a_codec_that_nobody_has, which is not installed: pip install 'fanfold[table]'")


def test_a_second_execution_finds_every_part_done(stores: Stores) -> None:
    job = job_of(stores, b"abcde")
    machine.run(job, stores)
    before = output(stores, job)
    summary = machine.run(job, stores, execution="second")
    assert summary["chunks"] | {"reused": 3, "processed": 0} == summary["chunks"]
    assert toy.processed == ["0-00000", "0-00001", "0-00002"]
    assert output(stores, job) == before


def test_a_repair_is_a_round_of_its_own(stores: Stores) -> None:
    job = job_of(stores, b"ab#de")
    summary = machine.run(job, stores)
    assert toy.processed == ["0-00000", "0-00001", "0-00002", "1-00000"]
    assert summary["chunks"]["repaired"] == 1
    assert output(stores, job) == b"AB#DE"


def test_records_are_written_in_a_round_over_certain_parts(stores: Stores) -> None:
    job = job_of(stores, b"ab#de", index={"partition": "a"})
    machine.run(job, stores)
    assert list(stores.records.query(stores.jobs, "orders", "all")) == [{"n": number} for number in range(5)]
    assert toy.processed[-3:] == ["2-00000", "2-00001", "2-00002"]


def test_a_chunk_that_fails_within_what_is_tolerated_is_named_as_missing(stores: Stores) -> None:
    job = job_of(stores, b"ab!def", tolerate="50%")
    summary = machine.run(job, stores)
    assert summary["status"] == "PARTIAL"
    assert summary["chunks"] == {"planned": 3, "processed": 2, "reused": 0, "repaired": 0, "failed": 1}
    assert output(stores, job) == b"ABEF"
    error = {
        "name": "InvalidInput",
        "message": "chunk 0-00001 holds an exclamation mark",
        "remedy": InvalidInput.remedy,
    }
    assert result(stores, job)["missing"] == [{"start": 2, "stop": 4, "error": error}]


def test_a_chunk_that_fails_beyond_that_ends_the_map_and_writes_no_output(stores: Stores) -> None:
    job = job_of(stores, b"ab!def")
    with pytest.raises(machine.MapFailed):
        machine.run(job, stores)
    assert output(stores, job) is None
    assert output(stores, job, "result.json") is None


def test_a_merge_reads_a_layout_once_however_many_lines_it_holds_for(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A layout may be as long as the plan: what the fingerprints share is made of it once."""
    job = job_of(stores, b"abcdefghij")
    round = steps.split(job.to_json() | {"execution": "e"}, stores)
    for text in stores.work.get(round["plan"]).splitlines():
        steps.work({"job": job.id, "execution": "e", "line": json.loads(text), "attempt": 1}, stores)
    plain, made = Job.ground, []
    monkeypatch.setattr(Job, "ground", lambda *given: made.append(given) or plain(*given))
    assert steps.merge(round, stores)["chunks"]["processed"] == 5
    assert len(made) == 1


def test_outputs_that_say_why_are_written_before_a_job_is_refused(stores: Stores) -> None:
    job = job_of(stores, b"abz")
    with pytest.raises(InvalidInput, match="too loud"):
        machine.run(job, stores)
    assert output(stores, job) == b"ABZ"
    assert output(stores, job, "result.json") is None
    stores.jobs.claim(replace(job, recipe=table_recipe(output="csv")), 1)


def test_a_stale_job_publishes_nothing(stores: Stores) -> None:
    old = job_of(stores, b"old", sequencer="01")
    new = job_of(stores, b"new", sequencer="02")
    machine.run(new, stores)
    summary = machine.run(old, stores)
    assert summary["status"] == "IGNORED"
    assert summary["error"]["name"] == Superseded.__name__
    assert output(stores, new) == b"NEW"
    assert result(stores, new)["job"] == new.id


def test_outputs_that_only_the_last_job_wrote_are_deleted(stores: Stores) -> None:
    """A folder of parts is read as a whole: no part of an older version may stay in it."""
    old = job_of(stores, b"old", sequencer="01")
    machine.run(old, stores)
    stores.outputs.put(old.output_key("rows/part-00007.parquet"), b"of the old job")
    stores.outputs.put(old.output_key("notes.txt"), b"somebody else's")
    listed = result(stores, old)
    listed["outputs"].append({"name": "rows/part-00007.parquet"})
    stores.outputs.put(old.output_key("result.json"), json.dumps(listed).encode())
    new = job_of(stores, b"new", sequencer="02")
    machine.run(new, stores)
    assert output(stores, new) == b"NEW"
    assert output(stores, new, "rows/part-00007.parquet") is None
    assert output(stores, new, "notes.txt") == b"somebody else's"


@pytest.fixture
def placing_toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the toy kind have each of its parts put in its place as `<first letter>.txt`, beside its output."""
    plain = toy.merge

    def merge(round: Round) -> Again | Folded:
        answer = plain(round)
        if isinstance(answer, Again):
            return answer
        copied = [piece for piece in answer.outputs[0].pieces if isinstance(piece, Copied)]
        names = [round.source.read(2 * at, 2 * at + 1).decode() for at in range(len(copied))]
        pieces = [(f"{name}.txt", replace(piece, start=1)) for name, piece in zip(names, copied, strict=True)]
        asked = [line for line in round.lines[-1] if line.role == "index"]
        if not asked or round.part(asked[0]) is None:
            return Again([Line(f"{len(round.lines)}-00000", "index", placing(pieces, "text/plain"))], publishes=True)
        placed = [Output(name, [piece], "text/plain", placed=True) for name, piece in pieces]
        return replace(answer, outputs=[*answer.outputs, *placed])

    monkeypatch.setattr(toy, "merge", merge)


@pytest.mark.usefixtures("placing_toy")
def test_outputs_that_were_put_in_their_place_are_listed_and_no_byte_of_them_read(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_of(stores, b"abcdef")
    round = steps.split(job.to_json() | {"execution": "e"}, stores)
    round = machine.once(round, stores)
    [line] = map(json.loads, stores.work.get(round["plan"]).splitlines())
    with monkeypatch.context() as patch:
        patch.setattr(Bucket, "read", None)
        steps.index({"job": job.id, "execution": "e", "line": line, "attempt": 1}, stores)
    assert (output(stores, job, "a.txt"), output(stores, job)) == (b"B", None)
    assert machine.resume(round, stores)["status"] == "SUCCEEDED"
    sizes = {one["name"]: one["bytes"] for one in result(stores, job)["outputs"]}
    assert sizes == {"text.txt": 6, "a.txt": 1, "c.txt": 1, "e.txt": 1}
    assert all(len(output(stores, job, name) or b"") == size for name, size in sizes.items())
    head = stores.outputs.client.head_object(Bucket="outputs", Key=job.output_key("e.txt"))
    assert head["ContentType"] == "text/plain"
    assert not stores.work.keys("records/placed/")


@pytest.mark.usefixtures("placing_toy")
def test_what_a_job_put_in_its_place_and_did_not_live_to_publish_is_deleted_by_the_next(stores: Stores) -> None:
    first = job_of(stores, b"abcd", sequencer="01")
    assert machine.run(first, stores)["status"] == "SUCCEEDED"
    old = job_of(stores, b"cdefgh", sequencer="02")
    round = machine.once(steps.split(old.to_json() | {"execution": "e"}, stores), stores)
    [line] = map(json.loads, stores.work.get(round["plan"]).splitlines())
    steps.index({"job": old.id, "execution": "e", "line": line, "attempt": 1}, stores)
    stores.jobs.release(old)
    new = job_of(stores, b"cdxy", sequencer="03")
    assert machine.resume(round, stores)["status"] == "IGNORED"
    assert output(stores, new, "g.txt") == b"H"
    assert machine.run(new, stores)["status"] == "SUCCEEDED"
    left = {name: output(stores, new, f"{name}.txt") for name in "acegx"}
    assert left == {"a": None, "c": b"D", "e": None, "g": None, "x": b"Y"}
    assert not stores.work.keys("records/placed/")


def test_a_stale_job_writes_no_record(stores: Stores) -> None:
    """The newer version arrives between the old job's merge and its index round."""
    old = job_of(stores, b"old", sequencer="01", index={"partition": "a"})
    round = steps.split(old.to_json() | {"execution": "e"}, stores)
    for text in stores.work.get(round["plan"]).splitlines():
        steps.work({"job": old.id, "execution": "e", "line": json.loads(text), "attempt": 1}, stores)
    round = steps.merge(round, stores)
    job_of(stores, b"new", sequencer="02")
    assert machine.resume(round, stores)["status"] == "IGNORED"
    assert not stores.account.client("dynamodb").scan(TableName="records")["Items"]


def standing(stores: Stores) -> dict[tuple[str, str], str]:
    """Return the job of every record, by its key."""
    found = stores.account.client("dynamodb").scan(TableName="records")["Items"]
    return {(item["pk"]["S"], item["sk"]["S"]): item["job"]["S"] for item in found}


def test_records_of_other_versions_are_deleted_whether_these_were_published_or_not(stores: Stores) -> None:
    """After a shorter version, after one that failed half-way, and for each of several in a row."""
    indexed = {"index": {"partition": "a"}}
    for number, (body, indexing) in enumerate([(b"abcdefgh", 9), (b"abc", 9), (b"abcdefghij", 3), (b"ab", 9)]):
        job = job_of(stores, body, sequencer=f"0{number}", **indexed)
        round = steps.split(job.to_json() | {"execution": "e"}, stores)
        round = machine.once(round, stores)
        for text in stores.work.get(round["plan"]).splitlines()[:indexing]:
            steps.index({"job": job.id, "execution": "e", "line": json.loads(text), "attempt": 1}, stores)
        if indexing < 9:
            stores.jobs.release(job)
            assert len(standing(stores)) == 6, "the job is lost after six of its records"
            continue
        assert machine.resume(round, stores)["status"] == "SUCCEEDED"
        assert set(standing(stores).values()) == {job.id}
        assert len(standing(stores)) == len(body)
        assert len({key.split("/")[2] for key in stores.work.keys("records/")}) == 1


def test_a_job_whose_records_were_deleted_writes_them_again(stores: Stores) -> None:
    """Two recipes take turns on one version: what stands is of the last one that was run."""
    first = job_of(stores, b"abcd", index={"partition": "a"})
    second = replace(first, recipe=table_recipe(chunk=2, index={"partition": "b"}))
    for turn, job in enumerate([first, second, first, first, second]):
        machine.run(job, stores, execution=f"turn {turn}")
        assert list(standing(stores).values()) == [job.id] * 4


def test_a_job_whose_records_were_written_over_by_one_that_failed_writes_them_again(stores: Stores) -> None:
    """The failed job's records are swept; none that it wrote over may be missing then."""
    fields: dict[str, Any] = {"partition": "a", "sort": "n"}
    first = job_of(stores, b"abcd", index=fields)
    machine.run(first, stores)
    failing = replace(first, recipe=table_recipe(chunk=2, index=fields | {"partition": "b"}))
    round = machine.once(steps.split(failing.to_json() | {"execution": "e"}, stores), stores)
    text = stores.work.get(round["plan"]).splitlines()[0]
    steps.index({"job": failing.id, "execution": "e", "line": json.loads(text), "attempt": 1}, stores)
    assert sorted(standing(stores).values()) == sorted([first.id] * 2 + [failing.id] * 2)
    stores.jobs.release(failing)
    machine.run(first, stores, execution="second")
    assert list(standing(stores).values()) == [first.id] * 4


def test_a_job_that_is_redriven_after_another_one_published_indexes_all_of_its_rows(stores: Stores) -> None:
    """Some of its index lines were done before: their records were deleted since."""
    first = job_of(stores, b"abcdef", index={"partition": "a"})
    round = machine.once(steps.split(first.to_json() | {"execution": "e"}, stores), stores)
    text = stores.work.get(round["plan"]).splitlines()[0]
    steps.index({"job": first.id, "execution": "e", "line": json.loads(text), "attempt": 1}, stores)
    stores.jobs.release(first)
    machine.run(replace(first, recipe=table_recipe(chunk=2, index={"partition": "b"})), stores, execution="f")
    assert machine.resume(round, stores)["status"] == "SUCCEEDED"
    assert list(standing(stores).values()) == [first.id] * 6


def test_a_worker_that_outlives_its_job_writes_no_further_records(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer version arrives while it writes: what it wrote so far is swept, and it writes nothing more."""
    monkeypatch.setattr(records, "SLICE", 2)
    old = job_of(stores, b"abcdefgh", sequencer="01", chunk=8, index={"partition": "a"})
    round = machine.once(steps.split(old.to_json() | {"execution": "e"}, stores), stores)
    plain = toy.records
    newer: list[Job] = []

    def interrupted(*given: Any) -> Any:
        for number, made in enumerate(plain(*given)):
            if number == 3:
                stores.jobs.release(old)
                newer.append(job_of(stores, b"y", sequencer="02", index={"partition": "a"}))
                machine.run(newer[0], stores, execution="new")
            yield made

    monkeypatch.setattr(toy, "records", interrupted)
    assert machine.resume(round, stores)["status"] == "IGNORED"
    assert list(standing(stores).values()) == [newer[0].id]


def test_a_recipe_without_an_index_leaves_no_record_of_the_one_that_had_one(stores: Stores) -> None:
    indexed = job_of(stores, b"abcd", index={"partition": "a"})
    machine.run(indexed, stores)
    machine.run(replace(indexed, recipe=table_recipe(chunk=2)), stores, execution="second")
    assert standing(stores) == {}
    assert stores.work.keys("records/") == []


def test_a_record_that_another_object_wrote_over_is_not_deleted(stores: Stores) -> None:
    """Where the data names the keys, two objects may name the same ones: the later job's record stays."""
    fields: dict[str, Any] = {"index": {"partition": "a", "sort": "n"}}
    old = job_of(stores, b"abcd", sequencer="01", **fields)
    machine.run(old, stores)
    other = job_of(stores, b"abc", key="orders/b.csv", **fields)
    machine.run(other, stores)
    new = job_of(stores, b"a", sequencer="02", **fields)
    machine.run(new, stores)
    assert list(standing(stores).values()) == [new.id, other.id, other.id]


def test_a_job_waits_while_another_publishes_the_same_object(stores: Stores) -> None:
    holder = job_of(stores, b"abc")
    waiting = replace(holder, recipe=table_recipe(chunk=2, output="csv"))
    stores.jobs.claim(holder, 60)
    with pytest.raises(TransientError, match=holder.id):
        machine.run(waiting, stores)


def test_another_job_of_the_same_version_reuses_the_parts_that_would_be_equal(stores: Stores) -> None:
    failed = job_of(stores, b"ab!def")
    with pytest.raises(machine.MapFailed):
        machine.run(failed, stores)
    toy.processed.clear()
    patient = replace(failed, recipe=table_recipe(chunk=2, tolerate="50%"), reuse=(failed.id,))
    stores.jobs.arrive(patient)
    summary = machine.run(patient, stores, execution="second")
    assert toy.processed == ["0-00001", "0-00002"]
    assert summary["chunks"] == {"planned": 3, "processed": 1, "reused": 1, "repaired": 0, "failed": 1}


def test_a_part_of_other_bytes_is_not_reused(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    job = job_of(stores, b"abcde")
    machine.run(job, stores)
    toy.processed.clear()
    monkeypatch.setattr(toy, "parts_version", 2)
    machine.run(job, stores, execution="second")
    assert len(toy.processed) == 3


class Killed(BaseException):
    """The process is gone: nothing catches this."""


def writes(stores: Stores, job: Job, monkeypatch: pytest.MonkeyPatch, kill_at: int, after: bool) -> int:
    """Run a job whose process is killed before or after its nth write; return how many writes there were."""
    count = 0
    plain = Bucket.put

    def put(bucket: Bucket, key: str, body: Any, content_type: str = "application/json") -> None:
        nonlocal count
        count += 1
        if count == kill_at and not after:
            raise Killed
        plain(bucket, key, body, content_type)
        if count == kill_at:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Bucket, "put", put)
        machine.run(job, stores)
    return count


def test_whatever_write_a_process_dies_at_the_next_execution_gives_the_same(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every write of every step, before and after it: split, note, part, record, plan of a round, output, result."""
    fields = {"index": {"partition": "a"}}
    total = writes(stores, job_of(stores, b"ab#de", **fields), monkeypatch, kill_at=0, after=False)
    assert total > 15
    for kill_at in range(1, total + 1):
        for after in (False, True):
            job = job_of(stores, b"ab#de", **fields)
            with pytest.raises(Killed):
                writes(stores, job, monkeypatch, kill_at, after)
            machine.run(job, stores, execution="second")
            assert output(stores, job) == b"AB#DE"
            found = result(stores, job)
            assert (found["status"], found["chunks"]["planned"], found["chunks"]["failed"]) == ("SUCCEEDED", 3, 0)
            rows = list(stores.records.query(stores.jobs, "orders", "all"))
            assert rows == [{"n": number} for number in range(5)]
