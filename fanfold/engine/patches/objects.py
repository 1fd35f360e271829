"""S3: objects on disk, kept with their versions, read by range, and told of by events that name their version."""

from __future__ import annotations

from typing import Any

from ministack import app
from ministack.services import s3

from fanfold.engine.bodies import Body, Store
from fanfold.engine.mend import Original, Patch

MODULE = "ministack.services.s3"
STATES = "ministack.services.stepfunctions"
PUT = Original(MODULE, "_put_object", "cf5861e4d9999243")
PART = Original(MODULE, "_upload_part", "e27ecd53f1de3dbd")
PART_COPY = Original(MODULE, "_upload_part_copy", "890950db69f20539")
COMPLETE = Original(MODULE, "_complete_multipart_upload", "9e2d6452dfe128a0")
GET = Original(MODULE, "_get_object", "64ad7071ef0ec45a")
CODE = Original(MODULE, "_get_object_data", "8735d1f5e3313076")
CHECKSUM = Original(MODULE, "_compute_s3_checksum", "54107acfb75c8dac")
STATE = Original(MODULE, "get_state", "999bd282f36ce23f")
RESTORE = Original(MODULE, "_restore_state", "1ee11336adcf4299")
SEND = Original("ministack.app", "_send_response", "316290fa1412913f")
TEXT = Original(STATES, "_s3_object_text", "9351030b682220e3")
FIRE = Original(MODULE, "_fire_s3_event", "2ab38cfade76bf2e")

KEPT = {
    "objects": s3._buckets,
    "versions": s3._object_versions,
    "tags": s3._object_tags,
    "acls": s3._object_acl,
    "uploads": s3._multipart_uploads,
}


async def send(send_message: Any, status: int, headers: dict[str, Any], body: Any, *, head: bool = False) -> None:
    """Send a response whose body is on disk, a piece at a time."""
    if not isinstance(body, Body):
        await _sending(send_message, status, headers, body, head=head)
        return
    headers["Content-Length"] = str(len(body))
    start = {"type": "http.response.start", "status": status, "headers": app._asgi_header_list(headers)}
    await send_message(start)
    for piece in body.pieces():
        await send_message({"type": "http.response.body", "body": piece, "more_body": True})
    await send_message({"type": "http.response.body", "body": b"", "more_body": False})


_sending = SEND.value()


def _md5(body: bytes | Body) -> str:
    return body.md5() if isinstance(body, Body) else str(s3.md5_hash(body))


def _on_disk(store: Store) -> None:
    PUT.amend(
        (
            """    etag = f'"{md5_hash(body)}"'\n""",
            """    etag = f'"{md5_hash(body)}"'\n    body = _keep(body)\n""",
        ),
        _keep=store.keep,
    )
    PART.amend(('"body": body,', '"body": _keep(body),'), _keep=store.keep)
    PART_COPY.amend(("md5_hash(src_body)", "_md5_of(src_body)"), _md5_of=_md5)
    COMPLETE.amend(
        ('hashlib.md5(stored["body"]).digest()', """bytes.fromhex(stored["etag"].strip('"'))"""),
        ('b"".join(combined_parts)', "_join(combined_parts)"),
        _join=store.join,
    )
    SEND.replace(send)
    # The few that need all bytes at once: the package of a function, a plan, and a checksum for a copy.
    loading = CODE.value()
    CODE.replace(lambda *given, **named: _bytes(loading(*given, **named)))
    checking = CHECKSUM.value()
    CHECKSUM.replace(lambda algorithm, body: checking(algorithm, _bytes(body)))
    TEXT.amend(("isinstance(body, (bytes, bytearray))", 'hasattr(body, "decode")'))


def _bytes(body: Any) -> Any:
    return bytes(body) if isinstance(body, Body) else body


def _survive() -> None:
    state = STATE.value()
    restore = RESTORE.value()
    STATE.replace(lambda: {**state(), **{f"fanfold_{name}": kept for name, kept in KEPT.items()}})

    def restored(data: Any) -> None:
        restore(data)
        for name, kept in KEPT.items():
            kept._data.update((data or {}).get(f"fanfold_{name}", s3.AccountScopedDict())._data)
        for upload in s3._multipart_uploads._data.values():
            # JSON has made text of the numbers.
            upload["parts"] = {int(number): part for number, part in upload["parts"].items()}

    RESTORE.replace(restored)


def ranged(headers: dict[str, str], answer: dict[str, Any], body: Any, bucket: str, key: str) -> tuple[int, Any, Any]:
    """Answer a GET of a version: all of it, or the range that was asked for."""
    wanted = headers.get("range")
    if not wanted:
        return 200, answer, body
    found = s3._parse_range(wanted, len(body))
    if found is None:
        refusal = {"Content-Type": "application/xml", "Content-Range": f"bytes */{len(body)}"}
        return 416, refusal, s3._xml_body(s3._range_error_xml(bucket, key))
    start, last = found
    for name in [name for name in answer if name.lower().startswith("x-amz-checksum-")]:
        del answer[name]
    answer |= {"Content-Length": str(last + 1 - start), "Content-Range": f"bytes {start}-{last}/{len(body)}"}
    return 206, answer, body[start : last + 1]


def _ranges() -> None:
    GET.amend(
        (
            "                return 200, resp_headers, body\n",
            "                return _ranged(headers, resp_headers, body, bucket_name, key)\n",
        ),
        _ranged=ranged,
    )


def _events() -> None:
    FIRE.amend(
        (
            '"sequencer": sequencer or "0"},',
            '"sequencer": sequencer or "0", **({"version-id": version_id} if version_id else {})},',
        ),
    )


def patches(store: Store) -> list[Patch]:
    """Return the patches of S3, whose bodies go to `store`."""
    return [
        Patch(
            "bodies-on-disk",
            "Every object is in memory, twice while it is read, and a range costs as much as the whole.",
            (PUT, PART, PART_COPY, COMPLETE, SEND, CODE, CHECKSUM, TEXT),
            lambda: _on_disk(store),
        ),
        Patch(
            "objects-kept",
            "Objects, their versions and unfinished uploads are lost when the engine ends.",
            (STATE, RESTORE),
            _survive,
        ),
        Patch("version-ranges", "A GET of a range of a version answers all of it.", (GET,), _ranges),
        Patch("event-versions", "The Object Created event of a versioned bucket names no version.", (FIRE,), _events),
    ]
