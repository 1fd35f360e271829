"""Objects in S3: ranged reads pinned to a version, small writes, and outputs assembled from pieces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any

from botocore.exceptions import ClientError

from fanfold.aws.account import Account
from fanfold.aws.faults import MISSING, code, translated
from fanfold.model import Copied, ObjectRef, Piece

PART_MIN_BYTES = 5 << 20
PART_MAX_BYTES = 5 << 30
PARTS_MAX = 10_000
"""S3's limits on a multipart upload (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html)."""

COPIES_AT_ONCE = 16

LINES_BLOCK_BYTES = 1 << 20

DELETED_AT_ONCE = 1000
"""S3's limit on DeleteObjects (https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html)."""


@dataclass(frozen=True, slots=True)
class S3Source:
    """Ranged reads of one version of one object, each refused by S3 if the object has changed."""

    client: Any
    ref: ObjectRef

    @property
    def size_bytes(self) -> int:
        return self.ref.size_bytes

    def read(self, start: int, stop: int) -> bytes:
        stop = min(stop, self.ref.size_bytes)
        if start >= stop:
            return b""
        pin = {"VersionId": self.ref.version_id} if self.ref.version_id else {}
        with translated(f"reading bytes {start} to {stop} of {self.ref.uri}"):
            answer = self.client.get_object(
                Bucket=self.ref.bucket,
                Key=self.ref.key,
                Range=f"bytes={start}-{stop - 1}",
                IfMatch=f'"{self.ref.etag}"',
                **pin,
            )
            return bytes(answer["Body"].read())


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of an object, and what S3 says of it."""

    ref: ObjectRef
    first_bytes: bytes
    metadata: dict[str, str]


def head(account: Account, bucket: str, key: str, version_id: str | None, first_bytes: int) -> Head:
    """Return what S3 says of an object and its first bytes, in one request.

    Raises SourceGone where there is no such object or version.
    """
    client = account.client("s3")
    pin = {"VersionId": version_id} if version_id else {}
    with translated(f"reading the head of s3://{bucket}/{key}"):
        try:
            answer = client.get_object(Bucket=bucket, Key=key, Range=f"bytes=0-{first_bytes - 1}", **pin)
            size = int(answer["ContentRange"].rpartition("/")[2])
        except ClientError as error:
            if code(error) != "InvalidRange":  # what S3 answers for a range of an object of no bytes
                raise
            answer = client.get_object(Bucket=bucket, Key=key, **pin)
            size = answer["ContentLength"]
        body = answer["Body"].read()
    version = answer.get("VersionId")
    ref = ObjectRef(bucket, key, size, answer["ETag"].strip('"'), None if version == "null" else version)
    return Head(ref, body, answer.get("Metadata", {}))


@dataclass(frozen=True, slots=True)
class Listed:
    """An object as a listing names it."""

    key: str
    etag: str
    modified: datetime
    """To the second."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket that fanfold writes: small objects whole, outputs from pieces."""

    client: Any
    name: str

    def find(self, key: str) -> bytes | None:
        """Return an object's bytes, None where there is none."""
        with translated(f"reading s3://{self.name}/{key}"):
            try:
                return bytes(self.client.get_object(Bucket=self.name, Key=key)["Body"].read())
            except ClientError as error:
                if code(error) in MISSING:
                    return None
                raise

    def get(self, key: str) -> bytes:
        """Return an object's bytes; raise SourceGone where there is none."""
        with translated(f"reading s3://{self.name}/{key}"):
            return bytes(self.client.get_object(Bucket=self.name, Key=key)["Body"].read())

    def read(self, key: str, start: int, stop: int) -> bytes:
        """Return the bytes [start, stop) of an object; one request, none for an empty range."""
        if start >= stop:
            return b""
        with translated(f"reading s3://{self.name}/{key}"):
            answer = self.client.get_object(Bucket=self.name, Key=key, Range=f"bytes={start}-{stop - 1}")
            return bytes(answer["Body"].read())

    def lines(self, key: str) -> Iterator[bytes]:
        """Yield an object's lines as they arrive, of one request; raise SourceGone where there is none."""
        with translated(f"reading s3://{self.name}/{key}"):
            yield from self.client.get_object(Bucket=self.name, Key=key)["Body"].iter_lines(LINES_BLOCK_BYTES)

    def keys(self, prefix: str) -> list[str]:
        """Return all keys that begin with a prefix, sorted."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        with translated(f"listing s3://{self.name}/{prefix}"):
            return [found["Key"] for page in pages for found in page.get("Contents", ())]

    def listed(self, prefix: str, after: str = "", until: str = "") -> Iterator[Listed]:
        """Yield the objects right below a prefix, in the order of their keys, with keys in (after, until].

        What lies deeper, behind another slash, is left out. until: empty, to the end.
        """
        more = {"StartAfter": after} if after else {}
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.name, Prefix=prefix, Delimiter="/", **more
        )
        with translated(f"listing s3://{self.name}/{prefix}"):
            for page in pages:
                for found in page.get("Contents", ()):
                    if until and found["Key"] > until:
                        return
                    yield Listed(found["Key"], found["ETag"].strip('"'), found["LastModified"])

    def put(self, key: str, body: bytes | IO[bytes], content_type: str = "application/json") -> None:
        """Write one object whole."""
        with translated(f"writing s3://{self.name}/{key}"):
            self.client.put_object(Bucket=self.name, Key=key, Body=body, ContentType=content_type)

    def delete_all(self, keys: Sequence[str]) -> None:
        """Delete objects, 1,000 a request; one that is not there is no error."""
        for start in range(0, len(keys), DELETED_AT_ONCE):
            some = keys[start : start + DELETED_AT_ONCE]
            with translated(f"deleting s3://{self.name}/{some[0]} and what follows it"):
                asked = {"Objects": [{"Key": key} for key in some], "Quiet": True}
                for error in self.client.delete_objects(Bucket=self.name, Delete=asked).get("Errors", ()):
                    raise ClientError({"Error": error}, "DeleteObjects")

    def copy(self, key: str, piece: Copied, work: Bucket, content_type: str) -> None:
        """Make one object of a piece of an object in `work`, of whatever size, inside S3: none of its bytes pass here.

        Of a multipart upload the last part may be as small as it likes, and a copied part may be a range.
        """
        target = {"Bucket": self.name, "Key": key}
        with translated(f"writing s3://{self.name}/{key}"):
            upload = target | {
                "UploadId": self.client.create_multipart_upload(**target, ContentType=content_type)["UploadId"]
            }
            try:
                part = self._copy_part(upload, 1, piece, work)
                self.client.complete_multipart_upload(**upload, MultipartUpload={"Parts": [part]})
            except BaseException:
                self.client.abort_multipart_upload(**upload)
                raise

    def assemble(self, key: str, pieces: Sequence[Piece], work: Bucket, content_type: str) -> int:
        """Make one object of pieces of objects in `work`; return its size in bytes.

        Pieces of 5 MiB and more are copied inside S3 and never pass through here; what is smaller is
        read, joined until it is large enough, and written.
        """
        size = sum(_size(piece) for piece in pieces)
        if size < PART_MIN_BYTES:
            self.put(key, b"".join(work.piece(piece) for piece in pieces), content_type)
            return size
        with translated(f"writing s3://{self.name}/{key}"):
            target = {"Bucket": self.name, "Key": key}
            upload = target | {
                "UploadId": self.client.create_multipart_upload(**target, ContentType=content_type)["UploadId"]
            }
            try:
                with ThreadPoolExecutor(COPIES_AT_ONCE) as pool:
                    numbered = enumerate(upload_parts(pieces, size), start=1)
                    parts = list(pool.map(lambda part: self._upload_part(upload, part[0], part[1], work), numbered))
                self.client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
            except BaseException:
                # What was uploaded costs storage until it is aborted; the failure itself goes on.
                self.client.abort_multipart_upload(**upload)
                raise
        return size

    def _upload_part(
        self, upload: dict[str, str], number: int, pieces: list[Piece], work: Bucket
    ) -> dict[str, str | int]:
        match pieces:
            case [Copied(_, start, stop) as piece] if stop - start >= PART_MIN_BYTES:
                return self._copy_part(upload, number, piece, work)
        body = b"".join(work.piece(piece) for piece in pieces)
        answer = self.client.upload_part(**upload, PartNumber=number, Body=body)
        return {"PartNumber": number, "ETag": answer["ETag"]}

    def _copy_part(self, upload: dict[str, str], number: int, piece: Copied, work: Bucket) -> dict[str, str | int]:
        answer = self.client.upload_part_copy(
            **upload,
            PartNumber=number,
            CopySource={"Bucket": work.name, "Key": piece.key},
            CopySourceRange=f"bytes={piece.start}-{piece.stop - 1}",
        )
        return {"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]}

    def piece(self, piece: Piece) -> bytes:
        """Return the bytes of a piece of an object in this bucket."""
        return piece if isinstance(piece, bytes) else self.read(piece.key, piece.start, piece.stop)


def _size(piece: Piece) -> int:
    return len(piece) if isinstance(piece, bytes) else piece.stop - piece.start


def upload_parts(pieces: Sequence[Piece], size: int) -> Iterator[list[Piece]]:
    """Group pieces into the parts of a multipart upload: each of 5 MiB or more, but for the last.

    A part of one copied piece alone can be copied inside S3. A piece behind too few bytes to be a part
    lends them what they lack, so that at most 5 MiB of each large piece is read.
    """
    least = max(PART_MIN_BYTES, -(-size // (PARTS_MAX // 2)))
    small: list[Piece] = []
    held = 0
    for piece in pieces:
        for cut in _cut(piece):
            rest = cut
            if held and isinstance(rest, Copied) and _size(rest) >= 2 * least:
                lent = least - held
                small.append(Copied(rest.key, rest.start, rest.start + lent))
                rest = Copied(rest.key, rest.start + lent, rest.stop)
                yield small
                small, held = [], 0
            if not held and _size(rest) >= least:
                yield [rest]
                continue
            small.append(rest)
            held += _size(rest)
            if held >= least:
                yield small
                small, held = [], 0
    if held:
        yield small


def _cut(piece: Piece) -> Iterator[Piece]:
    """Cut what is larger than a part may be."""
    if isinstance(piece, bytes) or _size(piece) <= PART_MAX_BYTES:
        yield piece
        return
    for start in range(piece.start, piece.stop, PART_MAX_BYTES):
        yield Copied(piece.key, start, min(start + PART_MAX_BYTES, piece.stop))
