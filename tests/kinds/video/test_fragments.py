"""HLS through the steps: what the playlists name is there, of this version alone, and no media passes through Merge."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any

import av
import pytest
from moto import mock_aws

from fanfold import recipes, steps
from fanfold.aws.objects import Bucket
from fanfold.aws.stores import Stores
from fanfold.job import Job
from fanfold.model import ObjectRef
from tests.fakes import made_stores
from tests.kinds.video.clips import clip
from tests.kinds.video.probes import peak_rate
from tests.steps import machine

KEY = "talks/a.mp4"


@pytest.fixture
def stores(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stores]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield made_stores()


def job_of(stores: Stores, body: bytes, sequencer: str = "01", **fields: Any) -> Job:
    asked = {"segment": "1s", "renditions": [{"name": "live", "format": "hls", "audio_kbps": 64}], **fields}
    answer = stores.account.client("s3").put_object(Bucket="uploads", Key=KEY, Body=body)
    ref = ObjectRef("uploads", KEY, len(body), answer["ETag"].strip('"'), answer["VersionId"])
    made = Job(ref, "talks", recipes.recipe({"video": asked}), sequencer)
    stores.jobs.arrive(made)
    stores.jobs.begin(made)
    return made


def played(stores: Stores, job: Job, folder: Path) -> list[tuple[str, int]]:
    """Return how many pictures and packets there are in what lies in the bucket; the result names exactly that."""
    prefix = job.output_key("")
    there = {key.removeprefix(prefix): stores.outputs.get(key) for key in stores.outputs.keys(prefix)}
    listed = json.loads(there.pop("result.json"))["outputs"]
    assert {one["name"]: one["bytes"] for one in listed} == {name: len(body) for name, body in there.items()}
    for name, body in there.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
    with av.open(str(folder / "live/index.m3u8")) as found:
        counts = dict.fromkeys((one.index for one in found.streams), 0)
        for packet in found.demux():
            counts[packet.stream.index] += packet.size > 0
        return sorted((one.type, counts[one.index]) for one in found.streams)


def counted(data: bytes, folder: Path) -> list[tuple[str, int]]:
    (folder / "source.mp4").write_bytes(data)
    with av.open(str(folder / "source.mp4")) as found:
        return sorted((one.type, one.frames) for one in found.streams)


def test_playlists_lead_to_fragments_of_their_version_whatever_went_before(tmp_path: Path, stores: Stores) -> None:
    """A first version, a job over it again that reuses its parts, a second version, and one that never publishes."""
    long, short = clip("plain.mp4", 4), clip("plain.mp4", 2)
    first = job_of(stores, long)
    machine.run(first, stores)
    assert played(stores, first, tmp_path / "1") == counted(long, tmp_path)
    again = replace(job_of(stores, long, "02", concurrency=7), source=first.source, reuse=(first.id,))
    chunks = machine.run(again, stores, "second")["chunks"]
    assert chunks["reused"] == chunks["planned"] > 1
    assert played(stores, again, tmp_path / "2") == counted(long, tmp_path)
    lost = job_of(stores, long + b"\0\0\0\x08free", "03")
    round = steps.split(lost.to_json() | {"execution": "lost"}, stores)
    round = machine.once(round, stores)
    for text in stores.work.get(round["plan"]).splitlines():
        steps.index({"job": lost.id, "execution": "lost", "line": json.loads(text), "attempt": 1}, stores)
    stores.jobs.release(lost)
    # Whoever plays it meanwhile finds all that the playlists of the last version name.
    placed = {key for key in stores.outputs.keys(again.output_key("live/")) if key.endswith(".m4s")}
    assert len(placed) > len(list((tmp_path / "2").rglob("*.m4s")))
    last = job_of(stores, short, "04")
    machine.run(last, stores)
    assert played(stores, last, tmp_path / "4") == counted(short, tmp_path)


@pytest.mark.parametrize("name", ["plain.mp4", "h264.mkv", "h264.ts"])
def test_metadata_alone_is_told_of_what_is_laid_out_first(stores: Stores, name: str) -> None:
    """The round that follows has no line."""
    job = job_of(stores, clip(name, 2), renditions=[])
    assert machine.run(job, stores)["status"] == "SUCCEEDED"
    told = json.loads(stores.outputs.get(job.output_key("metadata.json")))
    assert told["streams"][0]["frames"] == 60
    assert 2 <= Fraction(told["duration"]) < Fraction("2.1")


def test_no_media_passes_through_merge(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    job = job_of(stores, clip("plain.mp4", 4))
    round = steps.split(job.to_json() | {"execution": "e"}, stores)
    while round["again"]:
        round = machine.mapped(round, stores)
        with monkeypatch.context() as patch:
            for name in ("read", "copy"):
                patch.setattr(Bucket, name, None)
            round = steps.merge(round, stores)
    assert round["status"] == "SUCCEEDED"


def fragments(folder: str, there: dict[str, bytes], kind: str) -> list[tuple[Fraction, Fraction, int]]:
    """Return of every fragment in a folder when it begins, when it is over, and its bytes: as a demuxer has it."""
    found = []
    for name in sorted(name for name in there if name.startswith(folder) and name.endswith(".m4s")):
        with av.open(io.BytesIO(there[f"{folder}/init.mp4"] + there[name])) as opened:
            packets = [one for one in opened.demux(**{kind: 0}) if one.size and one.pts is not None and one.time_base]
        shown = [(one.pts * one.time_base, (one.pts + one.duration) * one.time_base) for one in packets]
        found.append((min(one[0] for one in shown), max(one[1] for one in shown), len(there[name])))
    return found


def test_a_playlist_says_how_long_uneven_fragments_are_and_the_most_bits_a_second(stores: Stores) -> None:
    """Of pictures at uneven times, cut unevenly at keyframes, with sound that is encoded in one run."""
    job = job_of(stores, clip("variable.mp4", 7), segment="2s")
    machine.run(job, stores)
    prefix = job.output_key("live/")
    there = {key.removeprefix(prefix): stores.outputs.get(key) for key in stores.outputs.keys(prefix)}
    rates, means, longest = [], [], Fraction(0)
    for track, kind in (("video", "video"), ("audio-0", "audio")):
        [folder] = {name.partition("/")[0] for name in there if name.startswith(f"{track}-") and "/" in name}
        found = fragments(folder, there, kind)
        # A fragment lasts until the next one begins; what comes before 0 only makes a decoder ready.
        starts = [max(start, Fraction(0)) for start, _, _ in found] + [found[-1][1]]
        lengths = [after - before for before, after in pairwise(starts)]
        listed = re.findall(r"#EXTINF:(.*),\n(.*)\n", there[f"{track}.m3u8"].decode())
        assert [name for _, name in listed] == sorted(n for n in there if n.startswith(folder) and n.endswith("m4s"))
        if track == "video":
            assert len(set(lengths)) > 1, "they are uneven"
        assert [length for length, _ in listed] == [f"{float(length):.6f}" for length in lengths]
        longest = max(longest, *lengths)
        rates.append(peak_rate([size * 8 for _, _, size in found], lengths))
        means.append(sum(size for _, _, size in found) * 8 / sum(lengths))
    for track in ("video", "audio-0"):
        assert f"#EXT-X-TARGETDURATION:{ceil(longest)}\n" in there[f"{track}.m3u8"].decode()
    told = f"BANDWIDTH={sum(map(ceil, rates))},AVERAGE-BANDWIDTH={sum(map(ceil, means))},"
    assert told in there["index.m3u8"].decode()
