"""What Merge of HLS takes as a film grows: its time and its requests, through `fanfold.steps.merge` itself.

Run: uv run python benchmarks/merging.py [--save]. Buckets are in memory behind boto3's own client, and each
request takes 10 ms. Ten segments are encoded; a longer film repeats what is known of them, for Merge of HLS reads no
media. The peer is the same Merge where no results of the Map are at hand: it asks for the record of every segment by
itself. Nothing here is a test.
"""

from __future__ import annotations

import argparse
import json
import re
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
from urllib.parse import parse_qs, unquote, urlsplit

import boto3
import report
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import video  # noqa: E402  the benchmark beside this one

from fanfold import publishing, recipes, steps  # noqa: E402
from fanfold.aws.account import Account  # noqa: E402
from fanfold.aws.jobs import Jobs  # noqa: E402
from fanfold.aws.stores import Stores  # noqa: E402
from fanfold.job import Job, line_to_json  # noqa: E402
from fanfold.kinds import video as kind  # noqa: E402
from fanfold.model import Again, Folded, Line, ObjectRef, Part, PartObject, Round  # noqa: E402
from fanfold.parts import Attempt, PartDesk  # noqa: E402
from fanfold.setting import Setting  # noqa: E402

SEGMENT_S, ENCODED = 10, 10
LENGTHS = (10, 100, 1_000, 10_000)
REQUEST_S = 0.010
RUNS = 3
WAYS = {"answers": True, "records": False}
RECIPE = {"segment": f"{SEGMENT_S}s", "metadata": False, "renditions": [{"name": "live", "format": "hls"}]}


@dataclass
class Traffic:
    """The requests that are counted, each of which takes its time."""

    counted: Counter[str] = field(default_factory=Counter)
    read_bytes: int = 0
    is_counted: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def request(self, name: str, size_bytes: int = 0) -> None:
        if self.is_counted:
            with self._lock:
                self.counted[name] += 1
                self.read_bytes += size_bytes
            time.sleep(REQUEST_S)


class MemoryS3:
    """S3 behind boto3's own client, which makes, signs and reads each request as ever; only there is no network."""

    def __init__(self, traffic: Traffic) -> None:
        self.traffic = traffic
        self.objects: dict[str, bytes] = {}
        """By bucket and key, as a path names them."""
        given = {"aws_access_key_id": "any", "aws_secret_access_key": "any", "region_name": "us-east-1"}
        config = Config(s3={"addressing_style": "path"})
        self.client = boto3.client("s3", endpoint_url="http://127.0.0.1:9", config=config, **given)
        self.client.meta.events.register("before-send.s3.*", self._answer)

    def _answer(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        url = urlsplit(request.url)
        path, asked = unquote(url.path).lstrip("/"), parse_qs(url.query, keep_blank_values=True)
        status, body = 200, b""
        match request.method:
            case "GET" if "list-type" in asked:
                body = self._listed(f"{path.rstrip('/')}/", asked["prefix"][0])
            case "GET":
                found = self.objects.get(path)
                status, body = (404, b"<Error><Code>NoSuchKey</Code></Error>") if found is None else (200, found)
            case "PUT":
                data = request.body
                self.objects[path] = data if isinstance(data, bytes) else data.read()
            case "POST":
                for key in re.findall(rb"<Key>(.*?)</Key>", request.body):
                    self.objects.pop(f"{path.rstrip('/')}/{key.decode()}", None)
                body = b"<DeleteResult/>"
            case method:
                raise AssertionError(f"{method} {request.url}: Merge of HLS asks for no such thing")
        self.traffic.request(f"{request.method} {sorted(asked)}", len(body))
        return AWSResponse(request.url, status, {"content-length": str(len(body))}, Raw(body))

    def _listed(self, bucket: str, prefix: str) -> bytes:
        keys = sorted(path.removeprefix(bucket) for path in self.objects if path.startswith(bucket + prefix))
        assert len(keys) <= 1000
        told = "".join(f"<Contents><Key>{key}</Key></Contents>" for key in keys)
        return f"<ListBucketResult><IsTruncated>false</IsTruncated>{told}</ListBucketResult>".encode()


class Raw(BytesIO):
    """The body of an answer, as urllib3 has it."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


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
        return self.s3.client


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
            event = {"job": self.setting.job.id, "execution": "execution", "line": line_to_json(line)}
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

    def measured(self) -> list[dict[str, Any]]:
        """Run every merge of the job; return the time and the requests of each."""
        merges: list[dict[str, Any]] = []
        while True:
            self.traffic.counted.clear()
            self.traffic.read_bytes, self.traffic.is_counted = 0, True
            (answer, folding), took = video.timed(lambda: folded(lambda: steps.merge(self.round, self.stores)))
            self.traffic.is_counted = False
            requests = dict(self.traffic.counted)
            merges.append({**took, **folding, "requests": requests, "read_bytes": self.traffic.read_bytes})
            if not answer["again"]:
                return merges
            self.round = answer
            self._index()


def folded(run: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """Run a merge; return what it answers, and the CPU that the kind's part of it takes."""
    plain, spent = kind.merge, {"kind_cpu_s": 0.0}

    def merge(round: Round) -> Again | Folded:
        answer, took = video.timed(lambda: plain(round))
        spent["kind_cpu_s"] += took["cpu_s"]
        if isinstance(answer, Folded):
            written = [output for output in answer.outputs if not output.placed]
            assert all(isinstance(piece, bytes) for output in written for piece in output.pieces), "media passes by"
        return cast(Again | Folded, answer)

    kind.merge = merge
    try:
        return run(), spent
    finally:
        kind.merge = plain


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


def measure(lengths: Sequence[int]) -> dict[str, Any]:
    """Measure films of so many segments, each three times: of each merge the quickest counts."""
    with tempfile.TemporaryDirectory() as name:
        film = encoded(Path(name))
    Run(film, ENCODED, with_results=True).measured()  # the first one loads modules
    found: dict[str, Any] = {way: {} for way in WAYS}
    for count in lengths:
        for way, with_results in WAYS.items():
            runs = [Run(film, count, with_results=with_results).measured() for _ in range(RUNS)]
            found[way][str(count)] = [min(tries, key=lambda one: one["wall_s"]) for tries in zip(*runs, strict=True)]
    return found


def text(found: dict[str, Any]) -> str:
    """Return the figures as lines of text."""
    lines = [
        f"HLS of segments of {SEGMENT_S} s with sound; each request takes {REQUEST_S * 1000:.0f} ms",
        "                          by answers of the Map                       record by record",
        "segments  Merge    requests     time      CPU  playlists   read    requests     time      CPU",
    ]
    for count, merges in found["answers"].items():
        for at, (one, peer) in enumerate(zip(merges, found["records"][count], strict=True)):
            lines.append(
                f"{f'{int(count):,}' if not at else '':>8}  {('first', 'second')[at]:6}"
                f"  {sum(one['requests'].values()):8,}  {one['wall_s']:5.2f} s  {one['cpu_s'] * 1000:4.0f} ms"
                f"  {one['kind_cpu_s'] * 1000:6.1f} ms  {one['read_bytes'] / report.MB:5.1f} MB"
                f"  {sum(peer['requests'].values()):8,}  {peer['wall_s']:5.2f} s  {peer['cpu_s'] * 1000:4.0f} ms"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lengths", type=int, nargs="*", default=LENGTHS, help="how many segments the films have")
    parser.add_argument("--save", action="store_true", help="write the figures into docs/benchmarks.md")
    given = parser.parse_args()
    found = measure(given.lengths)
    print(told := text(found))
    if given.save:
        report.save("merging", found, told, {}, ROOT / "docs")


if __name__ == "__main__":
    main()
