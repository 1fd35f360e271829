"""A snapshot is all of one moment, whatever goes on meanwhile."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fanfold.engine.bodies import Store
from fanfold.engine.snapshot import Snapshots
from fanfold.errors import EngineError


@pytest.mark.parametrize(("left_out", "status"), [([], 0), (["live-states"], 1)])
def test_a_state_that_changes_is_read_with_the_patch_and_is_not_without(left_out: list[str], status: int) -> None:
    ended = subprocess.run([sys.executable, "-m", "tests.engine.live_states", *left_out], check=False, timeout=60)
    assert ended.returncode == status


def snapshots(folder: Path, version: str = "1", endpoint: str = "http://127.0.0.1:1") -> Snapshots:
    return Snapshots(folder / "state", Store(folder / "objects"), {"ministack": version}, endpoint, {})


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    made = snapshots(tmp_path)
    made.load()
    body = made.store.keep(b"x" * 100_000)
    state: dict[str, Any] = {"body": body, "short": b"\0\xff", "set": {"b", "a"}, "none": None}
    made.known["deployed"] = "digest"
    made.save({"s3": lambda: state, "empty": lambda: None})
    again = snapshots(tmp_path)
    found = again.load()
    assert again.known == {"deployed": "digest"}
    assert set(found) == {"s3"}
    assert bytes(found["s3"].pop("body")) == b"x" * 100_000
    state.pop("body")
    assert found["s3"] == state


def test_a_new_snapshot_takes_the_place_of_the_old(tmp_path: Path) -> None:
    made = snapshots(tmp_path)
    made.load()
    for number in range(3):
        made.save({"s3": lambda number=number: {"number": number}})
    assert snapshots(tmp_path).load() == {"s3": {"number": 2}}
    assert {path.name for path in (tmp_path / "state").iterdir()} == {"current", "00000003"}


def test_a_snapshot_that_fails_leaves_the_last_one(tmp_path: Path) -> None:
    made = snapshots(tmp_path)
    made.load()
    made.save({"s3": lambda: {"number": 1}})
    with pytest.raises(TypeError):
        made.save({"s3": lambda: {"number": 2}, "sqs": lambda: object()})
    assert snapshots(tmp_path).load() == {"s3": {"number": 1}}


def test_an_address_that_has_changed_changes_in_the_queues(tmp_path: Path) -> None:
    made = snapshots(tmp_path, endpoint="http://127.0.0.1:1111")
    made.load()
    state = {"http://127.0.0.1:1111/000000000000/q": {"url": "http://127.0.0.1:1111/000000000000/q"}}
    made.save({"sqs": lambda: state, "s3": lambda: {"user's": "http://127.0.0.1:1111"}})
    found = snapshots(tmp_path, endpoint="http://127.0.0.1:2222").load()
    assert found["sqs"] == {"http://127.0.0.1:2222/000000000000/q": {"url": "http://127.0.0.1:2222/000000000000/q"}}
    assert found["s3"] == {"user's": "http://127.0.0.1:1111"}


def test_another_version_is_refused(tmp_path: Path) -> None:
    made = snapshots(tmp_path, version="1")
    made.load()
    made.save({})
    with pytest.raises(EngineError, match=r"was written by ministack 1, and this is ministack 2"):
        snapshots(tmp_path, version="2").load()
