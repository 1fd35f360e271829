"""What Merge of HLS takes as a film grows: its time, and its requests, through `fanfold.steps.merge` itself.

Run: uv run python benchmarks/merging.py [--save]. Buckets are in memory, and each request to them takes 10 ms. Ten segments
are encoded; a longer film repeats what is known of them, for Merge of HLS reads no media. The peer is the same Merge where
no results of the Map are at hand: then it asks for the record of every segment by itself. Nothing here is a test.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import report
from botocore.exceptions import ClientError
from botocore.response import StreamingBody

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import video  # noqa: E402  the benchmark beside this one
from fanfold import publishing, recipes, steps  # noqa: E402
from fanfold.aws.account import Account  # noqa: E402
from fanfold.aws.jobs import Jobs  # noqa: E402
from fanfold.aws.stores import Stores  # noqa: E402
from fanfold.job import Job  # noqa: E402
from fanfold.kinds import video as kind  # noqa: E402
from fanfold.model import Line, ObjectRef, Part, PartObject  # noqa: E402
from fanfold.parts import Attempt, PartDesk  # noqa: E402
from fanfold.setting import Setting  # noqa: E402

SEGMENT_S, ENCODED = 10, 10
LENGTHS = (10, 100, 1_000, 10_000)
REQUEST_S = 0.010
RECIPE = {"segment": f"{SEGMENT_S}s", "metadata": False, "renditions": [{"name": "live", "format": "hls"}]}


@dataclass
class Traffic:
    """The requests that are counted, each of which takes its time."""

    counted: Counter[str] = field(default_factory=Counter)
    is_counted: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def request(self, name: str) -> None:
        if self.is_counted:
            with self._lock:
                self.counted[name] += 1
            time.sleep(REQUEST_S)


class MemoryS3:
    """The operations of S3 that steps call, as boto3's client has them."""

    def __init__(self, traffic: Traffic) -> None:
        self.traffic = traffic
        self.objects: dict[tuple[str, str], bytes] = {}

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - AWS's names
        self.traffic.request("GetObject")
        try:
            body = self.objects[Bucket, Key]
        except KeyError:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject") from None
        return {"Body": StreamingBody(BytesIO(body), len(body))}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str) -> None:  # noqa: N803
        self.traffic.request("PutObject")
        self.objects[Bucket, Key] = Body

    def delete_objects(self, *, Bucket: str, Delete: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        self.traffic.request("DeleteObjects")
        for one in Delete["Objects"]:
            self.objects.pop((Bucket, one["Key"]), None)
        return {}

    def get_paginator(self, name: str) -> MemoryS3:
        assert name == "list_objects_v2"
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:  # noqa: N803
        keys = sorted(key for bucket, key in self.objects if bucket == Bucket and key.startswith(Prefix))
        for start in range(0, max(1, len(keys)), 1000):
            self.traffic.request("ListObjectsV2")
            yield {"Contents": [{"Key": key} for key in keys[start : start + 1000]]}


class MemoryJobs:
    """What Merge asks of the Jobs table: here there is nobody else who publishes."""

    def __init__(self, traffic: Traffic) -> None:
        self.traffic = traffic

    def claim(self, job: Job, seconds: float) -> None:
        self.traffic.request("UpdateItem")

    def take_turn(self, job: Job) -> int:
        self.traffic.request("UpdateItem")
        return 1

    def published(self, job: Job) -> None:
        self.traffic.request("UpdateItem")


class MemoryAccount(Account):
    def __init__(self, s3: MemoryS3) -> None:
        self.s3 = s3

    def client(self, service: str) -> Any:
        assert service == "s3"
        return self.s3


@dataclass(frozen=True)
class MemoryStores(Stores):
    traffic: Traffic = field(default_factory=Traffic)

    @cached_property
    def jobs(self) -> Jobs:
        return cast(Jobs, MemoryJobs(self.traffic))


@dataclass(frozen=True)
class Film:
    """Ten segments that were encoded, of which longer films are made."""

    layout: Any
    lines: Sequence[Line]
    parts: Sequence[Part]

    def of(self, count: int) -> tuple[Any, list[tuple[Line, Part]]]:
        """Return the layout of a film of so many segments, and each line with its part."""
        media = self.layout["media"]
        clock = media["video"]
        (_, ticks), times = (media["segments"][0][0], media["segments"][-1][1]), count // len(self.lines)
        segments = [
            [start + ticks * again, stop + ticks * again] for again in range(times) for start, stop in media["segments"]
        ]
        found = []
        for number in range(count):
            again, at = divmod(number, len(self.lines))
            line, part = self.lines[at], self.parts[at]
            made = Line(f"0-{number:05}", line.role, {**line.span, "segment": number})
            facts = {
                "copied": self._later(part.facts["copied"], ticks * again),
                "video": part.facts["video"],
                "audio": {
                    str(one["index"]): self._later(
                        part.facts["audio"][str(one["index"])], ticks * again * one["timescale"] // clock["timescale"]
                    )
                    for one in media["audio"]
                },
            }
            found.append((made, replace(part, line=made, facts=facts)))
        long = {**media, "segments": segments, "duration": str(ticks * times / clock["timescale"])}
        long["video"] = {**clock, "ends": clock["begins"] + ticks * times}
        long["audio"] = [
            {**one, "ends": one["begins"] + (one["ends"] - one["begins"]) * times} for one in media["audio"]
        ]
        return {**self.layout, "media": long}, found

    @staticmethod
    def _later(facts: Any, ticks: int) -> Any:
        return {**facts, **{name: facts[name] + ticks for name in ("start", "last", "stop")}}


def encoded(folder: Path) -> Film:
    """Encode ten segments with sound."""
    path = video.clip(folder / "clip.mp4", SEGMENT_S * ENCODED, "160x90")
    recipe = recipes.recipe({"video": RECIPE}).body
    plan = kind.plan(video.FileSource(path), recipe)
    return Film(
        plan.layout, plan.lines, [video.work(path, recipe, plan.layout, line, folder)[0] for line in plan.lines]
    )


class Run:
    """A job over a film: its workers' parts are there, and Merge is measured."""

    def __init__(self, film: Film, count: int, *, with_results: bool) -> None:
        self.traffic = Traffic()
        self.s3 = MemoryS3(self.traffic)
        self.stores = MemoryStores(MemoryAccount(self.s3), "work", "outputs", "jobs", "records", self.traffic)
        self.with_results = with_results
        ref = ObjectRef("uploads", "talks/film.mp4", count * 1_000_000, "0" * 32, "version")
        self.setting = Setting.of(Job(ref, "talks", recipes.recipe({"video": RECIPE}), "01"), self.stores)
        layout, found = film.of(count)
        self.setting.write_layout(0, layout)
        self.setting.write_plan(0, [line for line, _ in found])
        self.round = steps._round(self.setting, "execution", 0, 0, 1, count, 0, [])
        self._map([(line, dict(part.objects), part.facts, layout) for line, part in found])

    def _map(self, made: Sequence[tuple[Line, dict[str, PartObject], Any, Any]]) -> None:
        """Leave the parts of a round, and the results of its Map."""
        rows = []
        for number, (line, objects, facts, layout) in enumerate(made):
            desk = PartDesk(self.setting, line, layout)
            for name, one in objects.items():
                key = self.setting.keys.part_object(line, self.setting.fingerprint(line, layout), name)
                desk.objects[name] = PartObject(key, one.size_bytes)
            answer = desk.finish(facts, Attempt({"execution": "execution", "attempt": 1}))
            event = {"job": self.setting.job.id, "execution": "execution", "line": steps_line(line)}
            rows.append(json.dumps(child(number, event, answer)))
        if self.with_results:
            folder = f"{self.setting.keys.results}{self.round['round']:036}"
            body = "".join(f"{row}\n" for row in rows).encode()
            files = {
                "FAILED": [],
                "PENDING": [],
                "SUCCEEDED": [{"Key": f"{folder}/SUCCEEDED_0.jsonl", "Size": len(body)}],
            }
            self.stores.work.put(f"{folder}/SUCCEEDED_0.jsonl", body)
            manifest = {"DestinationBucket": "work", "MapRunArn": "arn", "ResultFiles": files}
            self.stores.work.put(f"{folder}/manifest.json", json.dumps(manifest).encode())
            self.round = {**self.round, "manifest": f"{folder}/manifest.json"}

    def _index(self) -> None:
        """Leave what the index leaves that put fragments in their place."""
        made = []
        layout = json.loads(self.stores.work.get(self.setting.keys.layout(self.round["layouts"] - 1)))["layout"]
        for line in self.setting.read_plan(self.round["round"]):
            name = f"{line.id}-{self.setting.fingerprint(line, layout)}"
            names = [(one,) for one in publishing.names(line.span)]
            publishing.placed(self.stores, self.setting.job).write(name, names)
            made.append((line, {}, {"placed": len(names)}, layout))
        self._map(made)

    def measured(self) -> dict[str, Any]:
        """Run every merge of the job; return the time and the requests of each."""
        merges = []
        while True:
            self.traffic.counted.clear()
            self.traffic.is_counted = True
            began, used = time.perf_counter(), time.process_time()
            answer = steps.merge(self.round, self.stores)
            took, cpu = time.perf_counter() - began, time.process_time() - used
            self.traffic.is_counted = False
            merges.append({"s": took, "cpu_s": cpu, "requests": dict(self.traffic.counted)})
            if not answer["again"]:
                return {"merges": merges, "outputs": answer["stats"]}
            self.round = answer
            self._index()


def steps_line(line: Line) -> dict[str, Any]:
    from fanfold.job import line_to_json

    return line_to_json(line)


def child(number: int, event: Any, answer: Any) -> dict[str, Any]:
    """Return what ResultWriter writes of a child.

    (https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html)
    """
    name = f"{number:08x}-3f5b-3c1a-9d5e-0123456789ab"
    machine = "arn:aws:states:eu-central-1:123456789012:stateMachine:fanfold-video/Chunk"
    return {
        "ExecutionArn": f"{machine.replace('stateMachine', 'execution')}:{name}",
        "Input": json.dumps(event, separators=(",", ":"), ensure_ascii=False),
        "InputDetails": {"Included": True},
        "Name": name,
        "Output": json.dumps(answer, separators=(",", ":"), ensure_ascii=False),
        "OutputDetails": {"Included": True},
        "RedriveCount": 0,
        "StartDate": "2026-11-27T12:00:00.000Z",
        "StateMachineArn": machine,
        "Status": "SUCCEEDED",
        "StopDate": "2026-11-27T12:00:09.000Z",
    }


def measure(lengths: Sequence[int], say: Callable[[str], None]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        film = encoded(Path(name))
    found: dict[str, Any] = {}
    Run(film, ENCODED, with_results=True).measured()  # the first one loads modules
    for count in lengths:
        for way, with_results in (("results", True), ("records", False)):
            found.setdefault(way, {})[str(count)] = Run(film, count, with_results=with_results).measured()
            say(f"{count} {way}: {found[way][str(count)]}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lengths", type=int, nargs="*", default=LENGTHS, help="how many segments the films have")
    parser.add_argument("--save", action="store_true", help="write the figures into docs/benchmarks.md")
    given = parser.parse_args()
    found = measure(given.lengths, print)


if __name__ == "__main__":
    main()
