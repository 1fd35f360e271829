"""Jobs: equal work has an equal id, and a name that Step Functions takes and people find."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.errors import InvalidInput
from fanfold.job import KEY_LIMIT_BYTES, Job
from fanfold.model import Line, ObjectRef
from tests.fakes import table_recipe

keys = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=200)


def job(key: str = "orders/2026/a.csv", version: str | None = "v1", **fields: object) -> Job:
    return Job(ObjectRef("uploads", key, 10, "etag", version), "orders", table_recipe(**fields), "01")


def test_the_id_is_that_of_the_version_and_the_recipe() -> None:
    assert job().id == job().id
    others = {job("b").id, job(version="v2").id, job(version=None).id, job(output="csv").id, job().id}
    assert len(others) == 5
    assert replace(job(), sequencer="ff", reuse=("x",)).id == job().id


@given(keys, st.integers(0, 999))
def test_any_key_gives_a_legal_name_that_ends_in_the_job_id(key: str, attempt: int) -> None:
    named = job(key)
    name = named.execution_name(attempt)
    assert re.fullmatch(r"orders(-[A-Za-z0-9_-]+)?-[0-9a-f]{16}(-r\d+)?", name)
    assert len(name) <= 80
    assert named.id in name


def test_the_name_of_an_ordinary_key_reads_well() -> None:
    assert job().execution_name() == f"orders-orders-2026-a-csv-{job().id}"


@given(keys)
def test_a_job_survives_the_journey_through_json(key: str) -> None:
    before = replace(job(key), reuse=("a", "b"))
    assert Job.from_json(json.loads(json.dumps(before.to_json()))) == before


def test_a_part_depends_on_what_makes_its_bytes_and_on_nothing_else() -> None:
    line = Line("0-00001", "rows", {"start": 0, "stop": 5})

    def of(made: Job, line: Line = line, layout: object = None, version: int = 1) -> str:
        return made.fingerprint(line, made.ground(layout, version))

    base = of(job())
    assert base == of(replace(job(tolerate="5%", concurrency=3), recipe_name="x", sequencer="9"))
    assert base == of(job(), replace(line, id="other", layout=3))
    changed = [
        of(job(version="v2")),
        of(job(columns="text")),
        of(job(), replace(line, span={"start": 0, "stop": 6})),
        of(job(), replace(line, role="index")),
        of(job(), layout={"header": ["a"]}),
        of(job(), version=2),
    ]
    assert len({base, *changed}) == 7


def test_an_output_key_that_s3_could_not_hold_is_refused() -> None:
    assert len(job("k" * 1000).output_key("r").encode()) <= KEY_LIMIT_BYTES
    with pytest.raises(InvalidInput, match=r"1,?0\d\d bytes.*1024"):
        job("k" * 1010).output_key("result.json")
