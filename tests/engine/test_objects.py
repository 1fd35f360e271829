"""S3 as the product uses it: any key, conditions, versions, ranges, and copies of ranges."""

from __future__ import annotations

import io
import os
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from tests.engine.place import Place

KEYS = [
    "with space.csv",
    "a+b=c&d.csv",
    "per%2Fcent%20.csv",
    "quote'\"s.csv",
    "line\nbreak\tand tab.csv",
    "emoji 🦜 ünï.csv",
    "../../up.csv",
    "a/../b/./c.csv",
    "double//slash//.csv",
    "/leading.csv",
    "question?versionId=x#hash.csv",
    "back\\slash.csv",
    "<&>.csv",
    "%",
    "~`!@$^*()[]{}|;:,",
]


@pytest.mark.parametrize("key", KEYS)
def test_any_key_is_put_got_copied_listed_told_of_and_deleted(place: Place, key: str) -> None:
    """The event on the bus has the key as it is: only the notifications without a bus encode it."""
    key = f"{key}{uuid.uuid4().hex[:6]}"
    body = key.encode()
    version = place.put(key, body)["VersionId"]
    assert place.get(key) == body
    assert place.get(key, VersionId=version) == body
    assert place.s3.head_object(Bucket=place.bucket, Key=key)["ContentLength"] == len(body)
    copy = f"{key} copy"
    source = {"Bucket": place.bucket, "Key": key, "VersionId": version}
    place.s3.copy_object(Bucket=place.bucket, Key=copy, CopySource=source)
    assert place.get(copy) == body
    assert place.keys(key) == sorted([key, copy])
    events = place.told(lambda event: event["detail"].get("object", {}).get("key") in (key, copy), 2)
    assert {event["detail"]["object"]["key"] for event in events} == {key, copy}
    place.s3.delete_objects(Bucket=place.bucket, Delete={"Objects": [{"Key": key}, {"Key": copy}]})
    assert place.keys(key) == []


def status(error: pytest.ExceptionInfo[ClientError]) -> tuple[int, str]:
    response: Any = error.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def test_conditions_hold_for_reads_and_writes(place: Place) -> None:
    key = uuid.uuid4().hex
    etag = place.put(key, b"1", IfNoneMatch="*")["ETag"]
    for condition in ({"IfNoneMatch": "*"}, {"IfMatch": '"other"'}):
        with pytest.raises(ClientError) as refused:
            place.put(key, b"2", **condition)
        assert status(refused) == (412, "PreconditionFailed")
    assert place.get(key, IfMatch=etag) == b"1"
    with pytest.raises(ClientError) as refused:
        place.get(key, IfMatch='"other"')
    assert status(refused) == (412, "PreconditionFailed")
    with pytest.raises(ClientError) as refused:
        place.get(key, IfMatch='"other"', Range="bytes=0-0")
    assert status(refused) == (412, "PreconditionFailed")
    with pytest.raises(ClientError) as refused:
        place.get(key, IfNoneMatch=etag)
    assert status(refused)[0] == 304
    place.put(key, b"2", IfMatch=etag)
    with pytest.raises(ClientError) as refused:
        place.put(f"{key}-none", b"2", IfMatch=etag)
    assert status(refused) == (404, "NoSuchKey")
    assert place.get(key) == b"2"


def test_versions_stay_until_they_are_deleted(place: Place) -> None:
    key = uuid.uuid4().hex
    first, second = (place.put(key, body)["VersionId"] for body in (b"1", b"2" * 100_000))
    place.s3.delete_object(Bucket=place.bucket, Key=key)
    with pytest.raises(ClientError) as refused:
        place.get(key)
    assert status(refused) == (404, "NoSuchKey")
    assert place.get(key, VersionId=second) == b"2" * 100_000
    place.s3.delete_object(Bucket=place.bucket, Key=key, VersionId=second)
    with pytest.raises(ClientError) as refused:
        place.get(key, VersionId=second)
    assert status(refused) == (404, "NoSuchVersion")
    assert place.get(key, VersionId=first) == b"1"
    with pytest.raises(ClientError) as refused:
        place.get(key, VersionId=first, IfMatch='"other"')
    assert status(refused) == (412, "PreconditionFailed")


@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [("0-0", 0, 1), ("5-", 5, None), ("-7", -7, None), ("100000-299999", 100_000, 300_000), ("0-9999999", 0, None)],
)
def test_a_range_is_the_bytes_it_names(place: Place, wanted: str, start: int, stop: int | None) -> None:
    body = os.urandom(400_000)
    place.put("ranges", body)
    answer = place.s3.get_object(Bucket=place.bucket, Key="ranges", Range=f"bytes={wanted}")
    assert answer["Body"].read() == body[start:stop]
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
    first = start % len(body)
    assert answer["ContentRange"] == f"bytes {first}-{(stop or len(body)) - 1}/{len(body)}"


def test_parts_are_copied_by_range_of_a_pinned_version(place: Place) -> None:
    body = os.urandom(11 << 20)
    key = uuid.uuid4().hex
    old = place.put(key, body)
    place.put(key, b"newer")
    source = {"Bucket": place.bucket, "Key": key, "VersionId": old["VersionId"]}
    upload = place.s3.create_multipart_upload(Bucket=place.bucket, Key="joined")["UploadId"]
    target = {"Bucket": place.bucket, "Key": "joined", "UploadId": upload}
    with pytest.raises(ClientError) as refused:
        place.s3.upload_part_copy(**target, PartNumber=1, CopySource=source, CopySourceIfMatch='"other"')
    assert status(refused) == (412, "PreconditionFailed")
    with pytest.raises(ClientError) as refused:
        place.s3.upload_part_copy(**target, PartNumber=1, CopySource=source, CopySourceRange=f"bytes=0-{len(body)}")
    assert status(refused)[0] == 400
    tags = [
        place.s3.upload_part_copy(
            **target,
            PartNumber=1,
            CopySource=source,
            CopySourceRange=f"bytes=3-{(6 << 20) + 2}",
            CopySourceIfMatch=old["ETag"],
        )["CopyPartResult"]["ETag"],
        place.s3.upload_part(**target, PartNumber=2, Body=body[: 5 << 20])["ETag"],
        place.s3.upload_part(**target, PartNumber=3, Body=b"end")["ETag"],
    ]
    parts = {"Parts": [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]}
    with pytest.raises(ClientError) as refused:
        place.s3.complete_multipart_upload(**target, MultipartUpload={"Parts": [{"PartNumber": 9, "ETag": tags[0]}]})
    assert status(refused) == (400, "InvalidPart")
    place.s3.complete_multipart_upload(**target, MultipartUpload=parts)
    assert place.get("joined") == body[3 : (6 << 20) + 3] + body[: 5 << 20] + b"end"
    assert (
        place.get("joined", Range=f"bytes={(6 << 20) - 2}-{(6 << 20) + 1}")
        == body[(6 << 20) + 1 : (6 << 20) + 3] + body[:2]
    )


def test_a_metadata_key_comes_back(place: Place) -> None:
    place.put("described", b"", Metadata={"chunk": "64KiB"}, ContentType="text/csv")
    head = place.s3.head_object(Bucket=place.bucket, Key="described")
    assert (head["Metadata"], head["ContentType"]) == ({"chunk": "64KiB"}, "text/csv")


def test_a_large_upload_needs_no_memory_and_its_ranges_cost_their_range(place: Place) -> None:
    """256 MiB here, where the engine grows by less than a quarter; the benchmark takes 1 GiB."""
    size = 256 << 20

    def resident() -> int:
        status = Path(f"/proc/{place.engine.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) * 1024

    before = resident()
    with Zeros(size) as body:
        place.s3.upload_fileobj(body, place.bucket, "huge", Config=TransferConfig(max_concurrency=2))
    assert resident() - before < size / 4
    place.s3.copy_object(Bucket=place.bucket, Key="huge copy", CopySource={"Bucket": place.bucket, "Key": "huge"})
    assert place.get("huge copy", Range=f"bytes={size - 3}-") == b"\0\0\0"
    got = place.s3.get_object(Bucket=place.bucket, Key="huge")["Body"]
    assert sum(map(len, got.iter_chunks(1 << 20))) == size
    assert resident() - before < size / 4
    for key in ("huge", "huge copy"):
        version = place.s3.head_object(Bucket=place.bucket, Key=key)["VersionId"]
        place.s3.delete_object(Bucket=place.bucket, Key=key, VersionId=version)


class Zeros(io.RawIOBase):
    """A file of zero bytes."""

    def __init__(self, size: int) -> None:
        self.left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        number = min(len(buffer), self.left)
        buffer[:number] = bytes(number)
        self.left -= number
        return number


def test_a_presigned_address_works(place: Place) -> None:
    """As a browser asks, without a client of AWS."""
    import urllib.request

    place.put("signed key.txt", b"signed")
    address = place.s3.generate_presigned_url("get_object", Params={"Bucket": place.bucket, "Key": "signed key.txt"})
    assert quote("signed key.txt") in address
    with urllib.request.urlopen(address) as answer:
        assert answer.read() == b"signed"
