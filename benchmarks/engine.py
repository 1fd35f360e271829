"""Time the embedded engine: a 100 KB table from the command line, cold and warm, and trivial chunks a second."""

from __future__ import annotations

import csv
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from fanfold import engine as engines
from fanfold.aws.account import Account
from fanfold.aws.stack import Stack

WARM_RUNS = 5
CHUNKS = 1000
NOOP = "def handler(event, context):\n    return 1\n"


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def table(path: Path, seed: int) -> Path:
    """Write a CSV of 100 KB."""
    with path.open("w", newline="") as made:
        writer = csv.writer(made)
        writer.writerow(["id", "city", "amount"])
        for number in range(3300):
            writer.writerow([f"{seed}-{number}", "Washington, D.C.", number * 1.25])
    return path


def fanfold(home: Path, *words: str) -> None:
    environment = os.environ | {"FANFOLD_HOME": str(home)}
    command = [sys.executable, "-c", "from fanfold.cli import main; main()", *words]
    subprocess.run(command, check=True, capture_output=True, env=environment)


def in_one_process(path: Path) -> None:
    rows = csv.DictReader(io.StringIO(path.read_text(), newline=""))
    path.with_suffix(".jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def chunks_a_second(home: Path) -> tuple[float, float]:
    """Return trivial chunks a second through a Distributed Map, and direct invocations a second."""
    engine = engines.up(home)
    stack = Stack.find(Account(region=engine.region, endpoint=engine.endpoint), engine.stack)
    functions, machines = stack.account.client("lambda"), stack.account.client("stepfunctions")
    iam = stack.account.client("iam")
    services = ["lambda.amazonaws.com", "states.amazonaws.com"]
    trust = {"Effect": "Allow", "Principal": {"Service": services}, "Action": "sts:AssumeRole"}
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    role = iam.create_role(RoleName="trivial", AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))["Role"][
        "Arn"
    ]
    iam.put_role_policy(RoleName="trivial", PolicyName="all", PolicyDocument=json.dumps({"Statement": [everything]}))
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("noop.py", NOOP)
    made = functions.create_function(
        FunctionName="noop",
        Runtime="python3.13",
        Role=role,
        Handler="noop.handler",
        Code={"ZipFile": package.getvalue()},
    )
    work = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": made["FunctionArn"]},
        "End": True,
    }
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "Work",
        "States": {"Work": work},
    }
    state = {
        "Type": "Map",
        "Items": "{% [1..$states.input.n] %}",
        "MaxConcurrency": 40,
        "ItemProcessor": processor,
        "Output": "done",
        "End": True,
    }
    definition = {"QueryLanguage": "JSONata", "StartAt": "Map", "States": {"Map": state}}
    machine = machines.create_state_machine(name="trivial", definition=json.dumps(definition), roleArn=role)

    def run(count: int) -> None:
        started = machines.start_execution(
            stateMachineArn=machine["stateMachineArn"], input=json.dumps({"n": count}), name=f"n{count}"
        )
        while True:
            found = machines.describe_execution(executionArn=started["executionArn"])
            if found["status"] != "RUNNING":
                assert found["status"] == "SUCCEEDED", found
                return
            time.sleep(0.02)

    run(50)
    mapped = CHUNKS / seconds(lambda: run(CHUNKS))
    direct = 200 / seconds(lambda: [functions.invoke(FunctionName="noop") for _ in range(200)])
    return mapped, direct


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        files = [table(here / f"t{number}.csv", number) for number in range(WARM_RUNS + 2)]
        alone = statistics.median(seconds(lambda path=path: in_one_process(path)) for path in files)
        cold = seconds(lambda: fanfold(here / "cold", "run", str(files[0]), "--out", str(here / "o")))
        home = here / "warm"
        fanfold(home, "up")
        try:
            fanfold(home, "run", str(files[1]), "--out", str(here / "o"))
            warm = statistics.median(
                seconds(lambda path=path: fanfold(home, "run", str(path), "--out", str(here / "o")))
                for path in files[2:]
            )
            mapped, direct = chunks_a_second(home)
        finally:
            fanfold(home, "down")
    print(f"100 KB table, one process, csv.reader    {alone:8.3f} s")
    print(f"100 KB table, cold engine                {cold:8.3f} s    {cold / alone:6.0f} x")
    print(f"100 KB table, warm engine, median of {WARM_RUNS}   {warm:8.3f} s    {warm / alone:6.0f} x")
    print(f"one function invoked directly            {direct:8.0f} a second")
    print(f"trivial chunks through a Map             {mapped:8.0f} a second    {mapped / direct:6.1f} x")


if __name__ == "__main__":
    main()
