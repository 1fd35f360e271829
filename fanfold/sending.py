"""From a file to a job: upload it, and find the job of exactly that upload."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fanfold.errors import FileChanged, PermanentError, UsageError

if TYPE_CHECKING:
    from fanfold.aws.stack import Stack

WHOLE_BYTES = 8 << 20
"""A file up to this size is sent in one request."""

TAKEN_S = 120
"""How long an upload may wait until Intake has it."""

LIST_EVERY_S = 1.0
LISTED = 1000
"""How often, and among how many of the latest jobs, that of an upload is looked for once a newer upload has come."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was uploaded."""

    path: Path
    bucket: str
    key: str
    version: str

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


class SteadyFile(io.BufferedReader):
    """A file that raises FileChanged as soon as what was read of it may not be one state of it."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self._path = path
        self._before = self._state()

    def _state(self) -> tuple[int, int]:
        found = os.fstat(self.fileno())
        return found.st_size, found.st_mtime_ns

    @property
    def size_bytes(self) -> int:
        return self._before[0]

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if self._state() != self._before:
            raise FileChanged(f"{self._path} was written to while it was uploaded")
        return data


def send(stack: Stack, path: Path, recipe: str | None, chunk: str | None) -> Upload:
    """Upload a file; return where it lies. Raises FileChanged, and then nothing has been uploaded."""
    from fanfold import intake
    from fanfold.aws.faults import translated

    key = f"{recipe}/{path.name}" if recipe else path.name
    more = {"Metadata": {intake.CHUNK_METADATA: chunk}} if chunk else {}
    client = stack.account.client("s3")
    try:
        opened = SteadyFile(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    with opened as file, translated(f"uploading {path}"), _versions_made(client) as versions:
        if file.size_bytes <= WHOLE_BYTES:
            client.put_object(Bucket=stack.uploads, Key=key, Body=file.read(), **more)
        else:
            client.upload_fileobj(file, stack.uploads, key, ExtraArgs=more)
    return Upload(path, stack.uploads, key, versions[-1])


@contextmanager
def _versions_made(client: Any) -> Iterator[list[str]]:
    """Collect the versions that writes of whole objects make, which boto3's transfers do not return.

    In a bucket without versions, the ETags: jobs know their sources by the one or the other.
    """
    made: list[str] = []

    def note(parsed: dict[str, Any], **_: Any) -> None:
        if "ETag" in parsed:
            made.append(parsed.get("VersionId") or parsed["ETag"].strip('"'))

    events = [f"after-call.s3.{operation}" for operation in ("PutObject", "CompleteMultipartUpload")]
    for event in events:
        client.meta.events.register(event, note)
    try:
        yield made
    finally:
        for event in events:
            client.meta.events.unregister(event, note)


def taken(stack: Stack, upload: Upload) -> dict[str, Any]:
    """Return the item of an upload's job once Intake has it; raise PermanentError when it does not come to that."""
    jobs = stack.stores.jobs
    deadline = time.monotonic() + TAKEN_S
    listed = time.monotonic()
    pause = 0.02
    while time.monotonic() < deadline:
        known = jobs.of_object(upload.bucket, upload.key)
        if known.get("version") == upload.version and (item := jobs.get(known["job"])):
            return item
        if known and time.monotonic() - listed > LIST_EVERY_S:
            # Perhaps a newer upload of the same key was taken before this one could be seen.
            listed = time.monotonic()
            for item in islice(jobs.newest(), LISTED):
                source = item["source"]
                if (source["bucket"], source["key"]) == (upload.bucket, upload.key) and upload.version in (
                    source["version"],
                    source["etag"],
                ):
                    return item
        time.sleep(pause)
        pause = min(0.2, pause * 1.3)
    raise PermanentError(f"{upload.uri} was uploaded, and Intake did not take it within {TAKEN_S} s")
