"""Time the writing of records to DynamoDB: client CPU per 1,000 items of twelve attributes, against `batch_writer`.

The server is a stub in a process of its own, which takes everything: what is measured is this side's work alone.
Ours begins with a block of a certified part, lines of JSON, as the index worker finds it in the work bucket.
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import random
import socket
import statistics
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import boto3

from fanfold.aws.account import Account
from fanfold.aws.records import Records
from fanfold.job import Job
from fanfold.kinds import table
from fanfold.kinds.table.recipe import TableRecipe
from fanfold.model import Line, ObjectRef, PartObject
from fanfold.recipes import recipe

ITEMS = 20_000
ITEMS_OF_PEER = 4_000
RUNS = 3


def answer(connection: socket.socket) -> None:
    """Take requests, and say that nothing was left unprocessed."""
    body = b'{"UnprocessedItems":{}}'
    head = f"HTTP/1.1 200 OK\r\nx-amz-crc32: {zlib.crc32(body)}\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    buffer = b""
    while True:
        while b"\r\n\r\n" not in buffer:
            if not (read := connection.recv(1 << 18)):
                return
            buffer += read
        end = buffer.index(b"\r\n\r\n") + 4
        length = int(buffer[:end].lower().split(b"content-length:")[1].split(b"\r\n")[0])
        while len(buffer) < end + length:
            buffer += connection.recv(1 << 18)
        buffer = buffer[end + length :]
        connection.sendall(head.encode() + body)


def serve(listening: socket.socket) -> None:
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=answer, args=(connection,), daemon=True).start()


def rows() -> Iterator[dict[str, Any]]:
    chance = random.Random(7)
    for number in range(ITEMS):
        yield {
            "order_id": f"o{number:09}",
            "customer": f"c{chance.randrange(10**6)}",
            "placed_at": f"2026-01-{1 + number % 28:02}T03:04:05",
            "country": chance.choice(["DE", "FR", "US"]),
            "city": "Washington, D.C.",
            "amount": chance.randrange(10**6) / 100,
            "quantity": chance.randrange(100),
            "paid": bool(chance.randrange(2)),
            "sku": f"ABC-{chance.randrange(10**5)}",
            "weight": chance.randrange(10**4) / 1000,
            "status": "shipped",
            "note": "left at the door, rang twice",
        }


class Block:
    """What the index worker reads its block from."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def note(self, facts: Any) -> None:
        raise AssertionError("an index worker takes no notes")

    def write(self, name: str, data: Any) -> None:
        raise AssertionError("an index worker writes no object")

    def read(self, part_object: PartObject, start: int = 0, stop: int | None = None) -> bytes:
        return self.data[start:stop]


def cpu_s(work: Callable[[], object]) -> float:
    gc.collect()
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> None:
    listening = socket.create_server(("127.0.0.1", 0), backlog=64)
    server = multiprocessing.get_context("fork").Process(target=serve, args=(listening,), daemon=True)
    server.start()
    endpoint = f"http://127.0.0.1:{listening.getsockname()[1]}"
    found = list(rows())
    block = Block("".join(json.dumps(row, separators=(",", ":")) + "\n" for row in found).encode())
    body = TableRecipe(index={"partition": "order_id"}, totals=[{"by": "country", "sum": "amount"}])  # type: ignore[arg-type]
    job = Job(ObjectRef("uploads", "orders/a.csv", 1, "e"), "orders", recipe({"table": body.model_dump(mode="json")}))
    line = Line("1-00000", "index", {"key": "k", "bytes": len(block.data), "first": 0, "rows": len(found)})
    account = Account(region="us-east-1", endpoint=endpoint)
    records = Records(account.client("dynamodb"), "records", account.wire())

    def ours() -> None:
        assert records.write(job, table.records(body, {}, line, block)) == ITEMS

    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    peer = boto3.resource("dynamodb", endpoint_url=endpoint, **keys).Table("records")

    def batch_writer() -> None:
        with peer.batch_writer() as batch:
            for row in found[:ITEMS_OF_PEER]:
                item = {name: Decimal(repr(cell)) if isinstance(cell, float) else cell for name, cell in row.items()}
                batch.put_item(Item={"pk": row["order_id"], "sk": "0", "row": item})

    measured: dict[str, list[float]] = {"ours": [], "batch_writer": []}
    walls: list[float] = []
    ours(), batch_writer()
    for _ in range(RUNS):
        began = time.perf_counter()
        measured["ours"].append(cpu_s(ours) / ITEMS * 1e6)
        walls.append(ITEMS / (time.perf_counter() - began))
        measured["batch_writer"].append(cpu_s(batch_writer) / ITEMS_OF_PEER * 1e6)
    server.terminate()
    best, peers = (statistics.median(measured[name]) for name in ("ours", "batch_writer"))
    print(f"{os.cpu_count()} cores, {ITEMS:,} items of 12 attributes, median of {RUNS}, client CPU per 1,000 items")
    print(f"boto3's batch_writer, a thread           {peers:8.1f} ms")
    print(f"fanfold, from a block of JSON lines      {best:8.1f} ms    {best / peers:6.2f} x")
    print(f"fanfold, items a second, one process     {statistics.median(walls):8.0f}")


if __name__ == "__main__":
    main()
