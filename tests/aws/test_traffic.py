"""What the steps ask of S3, counted where the requests are made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from fanfold import steps
from fanfold.aws.stores import Stores
from fanfold.job import Job
from tests.fakes import uploaded

KIB, MIB = 1 << 10, 1 << 20


@dataclass
class Traffic:
    """Requests for the uploads bucket, and the bytes that came back."""

    heads: int = 0
    gets: int = 0
    received_bytes: int = 0
    keys: list[str] = field(default_factory=list)


@contextmanager
def counted(stores: Stores) -> Iterator[Traffic]:
    """Count the requests for uploads while the block runs."""
    traffic = Traffic()
    events = stores.account.client("s3").meta.events
    asked: list[str] = []

    def before(params: dict[str, Any], **_: Any) -> None:
        asked.append(params["Bucket"])

    def after(parsed: dict[str, Any], model: Any, **_: Any) -> None:
        if asked.pop() != "uploads":
            return
        traffic.heads += model.name == "HeadObject"
        traffic.gets += model.name == "GetObject"
        traffic.received_bytes += parsed.get("ContentLength", 0) if model.name == "GetObject" else 0

    names = ("HeadObject", "GetObject")
    for name in names:
        events.register(f"provide-client-params.s3.{name}", before)
        events.register(f"after-call.s3.{name}", after)
    try:
        yield traffic
    finally:
        for name in names:
            events.unregister(f"provide-client-params.s3.{name}", before)
            events.unregister(f"after-call.s3.{name}", after)


def table(size_bytes: int) -> bytes:
    row = b'%09d,"a text, with\na line end",12.5\n'
    count = size_bytes // len(row % 0)
    return b"id,text,amount\n" + b"".join(row % number for number in range(count))


def taken(stores: Stores, body: bytes, **fields: Any) -> Job:
    job = uploaded(stores, body, **fields)
    stores.jobs.arrive(job)
    stores.jobs.begin(job)
    return job


@pytest.mark.parametrize("size_bytes", [MIB, 40 * MIB])
def test_a_split_reads_at_most_one_mebibyte_whatever_the_size(stores: Stores, size_bytes: int) -> None:
    """The kind's own tests plan a gigabyte, of a source that makes its bytes as they are read."""
    job = taken(stores, table(size_bytes), chunk="1MiB")
    with counted(stores) as traffic:
        steps.split(job.to_json() | {"execution": "e"}, stores)
    assert traffic.heads <= 1
    assert 0 < traffic.received_bytes <= MIB


def test_a_worker_reads_at_most_its_span_and_64_kib(stores: Stores) -> None:
    job = taken(stores, table(4 * MIB), chunk="512KiB")
    round = steps.split(job.to_json() | {"execution": "e"}, stores)
    lines = [json.loads(text) for text in stores.work.get(round["plan"]).splitlines()]
    assert len(lines) in (8, 9)
    for line in lines:
        event = {"job": job.id, "execution": "e", "line": line, "attempt": 1}
        with counted(stores) as traffic:
            steps.work(event, stores)
        assert traffic.heads == 0
        span = line["span"]["stop"] - line["span"]["start"]
        # The first span begins behind the header, the last ends with the object.
        assert span <= traffic.received_bytes <= span + 64 * KIB
        with counted(stores) as traffic:
            assert steps.work(event, stores)["reused"]
        assert traffic.received_bytes == 0
