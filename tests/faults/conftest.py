"""An engine of its own whose functions fail on request: the real stack, its steps wrapped by chaos.py."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fanfold import engine as engines
from fanfold import intake
from fanfold.aws.account import Account
from fanfold.aws.stack import Stack

HERE = Path(__file__).parent
STEPS = {"TableSplit": "split", "TableRows": "work", "TableIndex": "index", "TableMerge": "merge"}
CHAOS = "jobs/chaos/"

RECIPES = b"""
version: 1
recipes:
  strict: {table: {chunk: 1KiB, columns: text, output: jsonl}}
  lenient: {table: {chunk: 1KiB, columns: text, output: jsonl, tolerate: 10%}}
  indexed: {table: {chunk: 1KiB, columns: text, output: jsonl, index: {partition: id}}}
"""


@dataclass
class Lab:
    """A stack to run jobs on, and the switches for its faults."""

    stack: Stack
    home: Path

    def fault(self, step: str, line: str, job: str = "any", **what: Any) -> None:
        fault = {"do": "raise", "write": 0, "after": False, "error": "InvalidInput", "times": 1000} | what
        self.stack.stores.work.put(f"{CHAOS}faults/{step}/{job}/{line}", json.dumps(fault).encode())

    def mend(self) -> None:
        """Take every fault away."""
        client = self.stack.account.client("s3")
        listed = client.list_objects_v2(Bucket=self.stack.stores.work.name, Prefix=f"{CHAOS}faults/")
        for found in listed.get("Contents", []):
            client.delete_object(Bucket=self.stack.stores.work.name, Key=found["Key"])

    def calls(self, job: str) -> Counter[str]:
        """Return how often each step was invoked for each line: `work/0-00003`."""
        return self._counted("calls", job)

    def made(self, job: str) -> Counter[str]:
        """Return how often the part of each line was made, and not found done: `work/0-00003`."""
        return self._counted("made", job)

    def asked(self, job: str) -> Counter[str]:
        """Return for how many records of parts each call of a step asked, one by one: `merge/0`, of round 0."""
        return self._counted("asked", job)

    def settled(self, job: str, struck: str, seconds: float = 30) -> None:
        """Wait for the workers that a failed Map left running, as it does on AWS: all but the struck line's finish."""
        deadline, looked = time.monotonic() + seconds, None
        while time.monotonic() < deadline:
            calls, made = self.calls(job), self.made(job)
            works = {call for call in calls if call.startswith("work/")} - {struck}
            if works == set(made) and looked == calls:
                return
            looked = calls
            time.sleep(0.3)
        raise AssertionError(f"workers of {job} still run after {seconds} s: {calls - made}")

    def _counted(self, what: str, job: str) -> Counter[str]:
        client = self.stack.account.client("s3")
        pages = client.get_paginator("list_objects_v2").paginate(
            Bucket=self.stack.stores.work.name, Prefix=f"{CHAOS}{what}/{job}/"
        )
        keys = [found["Key"].split("/") for page in pages for found in page.get("Contents", [])]
        return Counter("/".join(key[4:6]) for key in keys)

    def upload(self, key: str, body: bytes) -> str:
        """Upload an object; return its job's id once an execution has it."""
        answer = self.stack.account.client("s3").put_object(Bucket=self.stack.uploads, Key=key, Body=body)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            found = self.stack.stores.jobs.of_object(self.stack.uploads, key)
            if found.get("version") == answer.get("VersionId"):
                return str(found["job"])
            time.sleep(0.05)
        raise AssertionError(f"{key} was not taken")

    def ended(self, job: str, seconds: float = 90) -> dict[str, Any]:
        """Return the job's item once it is neither pending nor running."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            item = self.stack.stores.jobs.get(job)
            if item.get("status", "PENDING") not in ("PENDING", "RUNNING"):
                return item
            time.sleep(0.05)
        raise AssertionError(f"{job} still runs after {seconds} s: {item}")

    def run(self, key: str, body: bytes) -> dict[str, Any]:
        return self.ended(self.upload(key, body))

    def output(self, key: str, name: str = "rows.jsonl") -> bytes | None:
        return self.stack.stores.outputs.find(f"{key.partition('/')[0]}/{key}/{name}")


def package() -> bytes:
    """Return the functions' package with chaos.py in it."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.write(HERE / "chaos.py", "chaos.py")
        for handler in (HERE.parents[1] / "handlers").glob("*.py"):
            archive.write(handler, f"handlers/{handler.name}")
    return made.getvalue()


def connect(engine: engines.Engine, home: Path) -> Lab:
    return Lab(Stack.find(Account(region=engine.region, endpoint=engine.endpoint), engine.stack), home)


def allow_chaos(lab: Lab, role: str) -> None:
    """Let a function's role read and write what chaos.py keeps: the engine enforces the roles."""
    objects = f"arn:aws:s3:::{lab.stack.stores.work.name}/{CHAOS}*"
    allowed = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": objects}
    lab.stack.account.client("iam").put_role_policy(
        RoleName=role.rpartition("/")[2],
        PolicyName="chaos",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allowed]}),
    )


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    home = tmp_path_factory.mktemp("faults")
    made = connect(engines.up(home), home)
    try:
        client = made.stack.account.client("lambda")
        for logical, step in STEPS.items():
            name = made.stack.functions[logical]
            client.update_function_code(FunctionName=name, ZipFile=package())
            client.update_function_configuration(FunctionName=name, Handler=f"chaos.{step}")
            allow_chaos(made, client.get_function_configuration(FunctionName=name)["Role"])
        made.stack.stores.work.put(intake.RECIPES_KEY, RECIPES)
        yield made
    finally:
        engines.down(home)


@pytest.fixture(autouse=True)
def _mended(lab: Lab) -> Iterator[None]:
    yield
    lab.mend()
