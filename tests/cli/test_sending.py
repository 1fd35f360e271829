"""From a file to the job of exactly that upload, and from outputs to files."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from fanfold import intake, sending
from fanfold.aws.stack import Stack
from fanfold.cli import fetching
from fanfold.errors import FileChanged, PermanentError, Superseded, UsageError
from fanfold.job import Job
from fanfold.model import ObjectRef
from tests.fakes import table_recipe

BODY = b"a,b\n1,2\n"
LARGE = b"a,b\n" + b"1,2\n" * 2_200_000
"""More than is sent in one request."""


def written(folder: Path, body: bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(body)
    return path


def job_of(upload: sending.Upload, sequencer: str) -> Job:
    ref = ObjectRef(upload.bucket, upload.key, len(BODY), "etag", upload.version)
    return Job(ref, "table", table_recipe(), sequencer)


@pytest.mark.parametrize("body", [BODY, LARGE], ids=["whole", "in parts"])
def test_an_upload_is_known_by_the_version_that_it_made(stack: Stack, tmp_path: Path, body: bytes) -> None:
    path = written(tmp_path, body)
    first, second = (sending.send(stack, path, "orders", "64KiB") for _ in range(2))
    assert first.key == "orders/t.csv"
    assert first.version != second.version
    for upload in (first, second):
        found = stack.account.client("s3").get_object(Bucket="uploads", Key=upload.key, VersionId=upload.version)
        assert found["Body"].read() == body
        assert found["Metadata"] == {intake.CHUNK_METADATA: "64KiB"}


@pytest.mark.parametrize("body", [BODY, LARGE], ids=["whole", "in parts"])
def test_a_file_that_is_written_to_while_it_is_sent_is_not_uploaded(
    stack: Stack, tmp_path: Path, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, body)
    opened = sending.SteadyFile

    def opened_and_written_to(of: Path) -> sending.SteadyFile:
        file = opened(of)
        with of.open("ab") as other:
            other.write(b"3,4\n")
        return file

    monkeypatch.setattr(sending, "SteadyFile", opened_and_written_to)
    with pytest.raises(FileChanged, match=r"t\.csv was written to while it was uploaded"):
        sending.send(stack, path, None, None)
    client = stack.account.client("s3")
    assert "Versions" not in client.list_object_versions(Bucket="uploads")
    assert "Uploads" not in client.list_multipart_uploads(Bucket="uploads")


def test_a_file_that_is_gone_is_said_so(stack: Stack, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        sending.send(stack, tmp_path / "gone.csv", None, None)


def test_the_job_of_an_upload_is_found_although_a_newer_upload_was_taken_first(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "LIST_EVERY_S", 0)
    path = written(tmp_path, BODY)
    older, newer = (sending.send(stack, path, None, None) for _ in range(2))
    jobs = stack.stores.jobs
    jobs.arrive(job_of(newer, "02"))
    jobs.begin(job_of(newer, "02"))
    assert not jobs.arrive(job_of(older, "01"))
    jobs.ignore(job_of(older, "01"), Superseded("a newer version of the object was taken before this one"))
    assert sending.taken(stack, newer)["status"] == "PENDING"
    item = sending.taken(stack, older)
    assert (item["status"], item["error"]["name"]) == ("IGNORED", "Superseded")


def test_an_upload_that_nothing_takes_is_given_up(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "TAKEN_S", 0.1)
    upload = sending.send(stack, written(tmp_path, BODY), None, None)
    with pytest.raises(PermanentError, match=r"s3://uploads/t\.csv was uploaded, and Intake did not take it"):
        sending.taken(stack, upload)


@pytest.mark.parametrize(
    "name", ["../../up", "/etc/passwd", "a/../../b", "rows.csv", "tiles/0/0.jpeg", "..", "", "/", "//x", "."]
)
def test_an_output_stays_below_the_folder(tmp_path: Path, name: str) -> None:
    folder = (tmp_path / "out").resolve()
    path = fetching.below(folder, name).resolve()
    assert path.is_relative_to(folder)
    assert path != folder


def output(stack: Stack, name: str) -> dict[str, object]:
    stack.stores.outputs.put(f"table/t.csv/{name}", BODY, "text/csv")
    return {"name": name, "uri": f"s3://outputs/table/t.csv/{name}", "bytes": len(BODY)}


def test_outputs_lie_under_their_names_and_nothing_else_does(stack: Stack, tmp_path: Path) -> None:
    [found] = fetching.fetch(stack, [output(stack, "rows/part-0.csv")], tmp_path / "out")
    assert Path(found["path"]).read_bytes() == BODY
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["part-0.csv"]


def test_an_empty_output_is_an_empty_file(stack: Stack, tmp_path: Path) -> None:
    written(tmp_path, BODY, "rejects.jsonl")
    [found] = fetching.fetch(stack, [output(stack, "rejects.jsonl") | {"bytes": 0}], tmp_path)
    assert Path(found["path"]).read_bytes() == b""


def test_an_output_that_cannot_be_written_is_said_so(stack: Stack, tmp_path: Path) -> None:
    written(tmp_path, b"", "out")
    with pytest.raises(UsageError, match=r"out/rows\.csv cannot be written"):
        fetching.fetch(stack, [output(stack, "rows.csv")], tmp_path / "out")


def test_a_full_disk_is_told_apart_from_what_cannot_be_written(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "out")

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(OSError, match="No space left"):
        fetching.fetch(stack, [output(stack, "rows.csv")], tmp_path / "out")
