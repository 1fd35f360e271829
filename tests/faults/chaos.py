"""Wraps the real handlers, counts calls, parts made and records asked for, and fails as objects in S3 tell it to.

Goes into the functions' package beside `handlers/`: nothing of it is in the product.

`chaos/faults/<step>/<line>` holds {"do": "kill" | "raise", "write": n, "after": bool, "error": name, "times": k}:
at the nth write (0: before any) of that step on that line, the process is killed or the error raised, k times.
"""

from __future__ import annotations

import importlib
import json
import os
import threading
import uuid
from typing import Any

from fanfold import errors
from fanfold.aws.objects import Bucket
from fanfold.aws.stores import Stores
from fanfold.parts import PartDesk

stores = Stores.from_environment()
plain_put = Bucket.put
plain_find = Bucket.find
plain_finish = PartDesk.finish
CHAOS = "jobs/chaos/"
"""Below `jobs/`, where every function's role may read and write."""


def _take(step: str, line: str) -> dict[str, Any] | None:
    key = f"{CHAOS}faults/{step}/{line}"
    found = plain_find(stores.work, key)
    if not found:
        return None
    fault = dict(json.loads(found))
    fault["times"] -= 1
    plain_put(stores.work, key, json.dumps(fault).encode() if fault["times"] else b"")
    return fault


def _count(what: str, job: str, call: str) -> None:
    plain_put(stores.work, f"{CHAOS}{what}/{job}/{call}/{uuid.uuid4().hex}", b"")


def _strike(fault: dict[str, Any]) -> None:
    if fault["do"] == "kill":
        os._exit(1)
    raise getattr(errors, fault["error"])("struck by a test")


def _run(step: str, event: dict[str, Any], context: Any) -> Any:
    line = event["line"]["id"] if "line" in event else str(event.get("round", 0))
    _count("calls", event["job"], f"{step}/{line}")
    fault = _take(step, f"{event['job']}/{line}") or _take(step, f"any/{line}")
    written, counting = 0, threading.Lock()

    def write(plain: Any, *arguments: Any, **named: Any) -> Any:
        nonlocal written
        with counting:  # Merge writes several outputs at once
            written += 1
            strikes = fault is not None and written == fault["write"]
        if fault and strikes and not fault["after"]:
            _strike(fault)
        answer = plain(*arguments, **named)
        if fault and strikes and fault["after"]:
            _strike(fault)
        return answer

    def finish(*arguments: Any) -> Any:
        answer = plain_finish(*arguments)
        _count("made", event["job"], f"{step}/{line}")
        return answer

    def find(bucket: Bucket, key: str) -> bytes | None:
        if "/parts/" in key:
            _count("asked", event["job"], f"{step}/{line}")
        return plain_find(bucket, key)

    if fault and fault["write"] == 0:
        _strike(fault)
    Bucket.put = lambda *arguments, **named: write(plain_put, *arguments, **named)  # type: ignore[method-assign]
    Bucket.find = find  # type: ignore[method-assign]
    PartDesk.finish = finish  # type: ignore[method-assign]
    try:
        return importlib.import_module(f"handlers.{step}").handler(event, context)
    finally:
        Bucket.put = plain_put  # type: ignore[method-assign]
        Bucket.find = plain_find  # type: ignore[method-assign]
        PartDesk.finish = plain_finish  # type: ignore[method-assign]


def split(event: dict[str, Any], context: Any) -> Any:
    return _run("split", event, context)


def work(event: dict[str, Any], context: Any) -> Any:
    return _run("work", event, context)


def index(event: dict[str, Any], context: Any) -> Any:
    return _run("index", event, context)


def merge(event: dict[str, Any], context: Any) -> Any:
    return _run("merge", event, context)
