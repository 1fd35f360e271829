"""Least privilege on the engine, which enforces the roles: the main job passes, and nothing passes beyond it."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fanfold import engine as engines
from fanfold import intake, replay
from fanfold.aws.account import Account
from fanfold.aws.stack import Stack
from fanfold.engine import deploy, process
from fanfold.engine.home import Home

RECIPES = b"""
version: 1
recipes:
  orders:
    table:
      chunk: 1KiB
      columns: {id: text, city: text, amount: "decimal(9,2)"}
      output: parquet
      index: {partition: id}
      totals: [{by: city, sum: amount}]
  sorted: {table: {chunk: 1KiB, columns: text, index: {partition: city, sort: id}}}
"""

PROBE = """
import boto3

def handler(event, context):
    try:
        getattr(boto3.client(event["service"]), event["action"])(**event["arguments"])
    except Exception as error:
        return getattr(error, "response", {}).get("Error", {}).get("Code", repr(error))
    return "allowed"
"""

# One action that each function's policy has not, and that another's has or might have.
BEYOND = {
    "Intake": ("s3", "put_object", {"Bucket": "$work", "Key": "recipes/recipes.yaml", "Body": b""}),
    "TableSplit": ("s3", "put_object", {"Bucket": "$outputs", "Key": "x", "Body": b""}),
    "TableRows": ("dynamodb", "delete_item", {"TableName": "$jobs", "Key": {"pk": {"S": "a"}, "sk": {"S": "b"}}}),
    "TableIndex": ("s3", "get_object", {"Bucket": "$uploads", "Key": "orders/a.csv"}),
    "TableMerge": ("dynamodb", "put_item", {"TableName": "$records", "Item": {"pk": {"S": "a"}, "sk": {"S": "b"}}}),
    "Watch": ("s3", "get_object", {"Bucket": "$work", "Key": "recipes/recipes.yaml"}),
    "Totals": ("dynamodb", "delete_item", {"TableName": "$records", "Key": {"pk": {"S": "a"}, "sk": {"S": "b"}}}),
}
WITHIN = {
    "Intake": ("s3", "get_object", {"Bucket": "$work", "Key": "recipes/recipes.yaml"}),
    "TableSplit": ("s3", "put_object", {"Bucket": "$work", "Key": "jobs/x", "Body": "x"}),
    "TableRows": ("s3", "put_object", {"Bucket": "$work", "Key": "jobs/x", "Body": "x"}),
    "TableIndex": ("s3", "get_object", {"Bucket": "$work", "Key": "jobs/x"}),
    "TableMerge": ("s3", "put_object", {"Bucket": "$outputs", "Key": "x", "Body": "x"}),
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with engines.session(tmp_path_factory.mktemp("enforced")) as engine:
        made = Stack.find(Account(region=engine.region, endpoint=engine.endpoint), engine.stack)
        made.stores.work.put(intake.RECIPES_KEY, RECIPES)
        yield made


def ran(stack: Stack, key: str, body: bytes) -> dict[str, Any]:
    version = stack.account.client("s3").put_object(Bucket=stack.uploads, Key=key, Body=body)["VersionId"]
    deadline = time.monotonic() + 30
    while (known := stack.stores.jobs.of_object(stack.uploads, key)).get("version") != version:
        assert time.monotonic() < deadline, f"{key} was not taken"
        time.sleep(0.05)
    return replay.wait(stack, known["job"])


@pytest.mark.parametrize("recipe", ["orders", "sorted"])
def test_the_main_job_passes_with_the_roles_enforced(stack: Stack, recipe: str) -> None:
    rows = [(f"k{number}", "ABC"[number % 3], number) for number in range(200)]
    body = "id,city,amount\n" + "".join(f"{key},{city},{amount}.50\n" for key, city, amount in rows)
    item = ran(stack, f"{recipe}/a.csv", body.encode())
    assert item["status"] == "SUCCEEDED", item
    assert item["stats"]["rows"] == 200
    if recipe == "orders":
        [row] = stack.stores.records.query(stack.stores.jobs, "orders", "k7")
        assert (row["city"], str(row["amount"])) == ("B", "7.5")
        deadline = time.monotonic() + 20
        while sum(total["count"] for total in stack.stores.totals.read("orders")) < 200:
            assert time.monotonic() < deadline, "the totals did not follow"
            time.sleep(0.1)
    else:
        assert [row["id"] for row in stack.stores.records.query(stack.stores.jobs, "sorted", "A")] == sorted(
            key for key, city, _ in rows if city == "A"
        )


def test_of_rows_with_one_key_the_last_one_stands_and_of_versions_too(stack: Stack) -> None:
    """Rows of one key lie in chunks that any worker may be the first to be done with."""

    def stands() -> dict[str, str]:
        found = [row for city in "ABC" for row in stack.stores.records.query(stack.stores.jobs, "sorted", city)]
        assert len(found) == len({row["id"] for row in found})
        return {row["id"]: row["amount"] for row in found}

    for keys, count in ((90, 900), (40, 300)):
        rows = [(f"n{number % keys}", "ABC"[number % keys % 3], str(number)) for number in range(count)]
        body = "id,city,amount\n" + "".join(",".join(row) + "\n" for row in rows)
        item = ran(stack, "sorted/a.csv", body.encode())
        assert item["status"] == "SUCCEEDED", item
        assert item["chunks"]["planned"] > 2
        assert stands() == {key: amount for key, _, amount in rows}


def test_a_failing_job_is_recorded_with_the_roles_enforced(stack: Stack) -> None:
    item = ran(stack, "orders/bad.csv", b'id,city,amount\n1,"never closed')
    assert (item["status"], item["error"]["name"]) == ("FAILED", "UnclosedQuote")


def probed(stack: Stack, function: str, probe: tuple[str, str, dict[str, Any]]) -> str:
    """Return what a function is answered that does one action with its own role."""
    service, action, arguments = probe
    names = {
        "$work": stack.stores.work.name,
        "$outputs": stack.stores.outputs.name,
        "$uploads": stack.uploads,
        "$jobs": stack.stores.jobs.table,
        "$records": stack.stores.records.table,
    }
    given = {name: names.get(value, value) if isinstance(value, str) else value for name, value in arguments.items()}
    given = {name: value.decode() if isinstance(value, bytes) else value for name, value in given.items()}
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("probe.py", PROBE)
    client = stack.account.client("lambda")
    role = client.get_function_configuration(FunctionName=stack.functions[function])["Role"]
    name = f"probe-{function}"
    if not any(found["FunctionName"] == name for found in client.list_functions()["Functions"]):
        client.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=role,
            Handler="probe.handler",
            Timeout=30,
            Code={"ZipFile": package.getvalue()},
        )
    payload = {"service": service, "action": action, "arguments": given}
    return str(json.loads(client.invoke(FunctionName=name, Payload=json.dumps(payload))["Payload"].read()))


@pytest.mark.parametrize("function", BEYOND)
def test_each_function_is_denied_what_is_beyond_its_policy(stack: Stack, function: str) -> None:
    if function in WITHIN:
        assert probed(stack, function, WITHIN[function]) in ("allowed", "NoSuchKey")
    assert probed(stack, function, BEYOND[function]) in ("AccessDenied", "AccessDeniedException")


ODD = ("s3", "put_object", {"Bucket": "$work", "Key": "jobs/new\nline", "Body": "x"})


def test_a_wildcard_covers_a_key_of_several_lines(stack: Stack) -> None:
    assert probed(stack, "TableRows", ODD) == "allowed"


@pytest.mark.parametrize(("patch", "probe"), [("secure-transport", WITHIN["TableRows"]), ("wildcards", ODD)])
def test_without_its_patch_the_engine_denies_a_function_its_own_work(
    tmp_path: Path, patch: str, probe: tuple[str, str, dict[str, Any]]
) -> None:
    home = Home.at(tmp_path)
    with home.starting():
        running = process.start(home, ["--without", patch])
        try:
            deploy.deploy(
                deploy.stack_folder(), engines.STACK, *process.clients(running.record, "s3", "cloudformation")
            )
            bare = Stack.find(Account(region="us-east-1", endpoint=running.record["endpoint"]), engines.STACK)
            assert probed(bare, "TableRows", probe) == "AccessDenied"
        finally:
            process.leave(home, running)
