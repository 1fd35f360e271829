"""Uploads: a file that was dropped on the page goes to S3 as it comes in, a part at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from fanfold.aws.faults import translated
from fanfold.aws.objects import PARTS_MAX
from fanfold.aws.stack import Stack
from fanfold.errors import UsageError
from fanfold.intake import CHUNK_METADATA
from fanfold.sending import Upload

PART_BYTES = 8 << 20
"""What is held at a time, and the least that is sent as a part."""

KEY_LIMIT_BYTES = 1024


def key_of(name: str, recipe: str) -> str:
    """Return the key of a file that is uploaded for a recipe; raise UsageError for a name that is none."""
    name = name.replace("\\", "/").rpartition("/")[2]
    key = f"{recipe}/{name}" if recipe else name
    if not name or len(key.encode("utf-8", "surrogatepass")) > KEY_LIMIT_BYTES:
        raise UsageError(f"{name[:40]!r} cannot be the name of an upload: a key has 1 to {KEY_LIMIT_BYTES} bytes")
    return key


async def take(request: Request, stack: Stack, key: str, chunk: str, size_bytes: int) -> Upload:
    """Write a request's body to the bucket of uploads; return what it is there.

    A body that ends early leaves nothing behind, and raises UsageError.
    """
    target = {"Bucket": stack.uploads, "Key": key}
    made = target | ({"Metadata": {CHUNK_METADATA: chunk}} if chunk else {})
    s3 = stack.account.client("s3")
    part_bytes = max(PART_BYTES, -(-size_bytes // PARTS_MAX))
    blocks = _blocks(request, part_bytes)
    first = await anext(blocks, b"")
    with translated(f"uploading {key}"):
        if len(first) < part_bytes:
            _check(len(first), size_bytes)
            answer = await run_in_threadpool(s3.put_object, **made, Body=first)
            return _upload(target, answer)
        upload = target | {"UploadId": (await run_in_threadpool(s3.create_multipart_upload, **made))["UploadId"]}
        parts: list[dict[str, Any]] = []
        try:
            sent, block = 0, first
            while block:
                number = len(parts) + 1
                answer = await run_in_threadpool(s3.upload_part, **upload, PartNumber=number, Body=block)
                parts.append({"PartNumber": number, "ETag": answer["ETag"]})
                sent += len(block)
                block = await anext(blocks, b"")
            _check(sent, size_bytes)
            answer = await run_in_threadpool(s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": parts})
        except BaseException:
            # What was uploaded costs storage until it is aborted; the failure itself goes on.
            s3.abort_multipart_upload(**upload)
            raise
    return _upload(target, answer)


async def _blocks(request: Request, block_bytes: int) -> AsyncIterator[bytes]:
    """Yield a body in blocks of one size, the last one shorter."""
    held = bytearray()
    try:
        async for data in request.stream():
            held += data
            while len(held) >= block_bytes:
                yield bytes(held[:block_bytes])
                del held[:block_bytes]
    except ClientDisconnect as gone:
        raise UsageError("the upload was broken off") from gone
    if held:
        yield bytes(held)


def _check(sent: int, wanted: int) -> None:
    if sent != wanted:
        raise UsageError(f"the upload ended after {sent} of {wanted} bytes")


def _upload(target: dict[str, str], answer: dict[str, Any]) -> Upload:
    version = answer.get("VersionId") or answer["ETag"].strip('"')
    return Upload(Path(target["Key"]), target["Bucket"], target["Key"], version)
