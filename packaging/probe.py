"""Import every handler from a pruned package, and run each format through what pruning touched.

Usage: python -I -S probe.py DIRECTORY HANDLER..., the package built for the machine and Python that run this. With
-I and -S nothing outside the package can stand in for what was pruned.
"""

import importlib
import io
import os
import pkgutil
import sys
from pathlib import Path

ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "MACHINES": "{}",
    "POWERTOOLS_SERVICE_NAME": "fanfold",
}

CLIENTS = ["dynamodb", "s3", "stepfunctions"]


def import_all(package: str) -> None:
    """Import a package and every module in it."""
    for found in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        importlib.import_module(found.name)


def make_clients() -> None:
    """Make a client of every service that the handlers speak to, its paginators included."""
    import boto3

    for service in CLIENTS:
        boto3.client(service)
    boto3.client("dynamodb").get_paginator("query")
    boto3.client("stepfunctions").get_paginator("list_map_runs")


def sniff() -> None:
    """Tell a table by its first bytes, as Intake does: whatever codecs a kind has must wait for its workers."""
    from fanfold import kinds

    assert kinds.sniff(b"id,price\n1,2\n", "orders.csv") == "table"


def round_trip() -> None:
    """Take a small table through each format, and through the kernels that cast and clean."""
    import orjson
    import pyarrow
    import pyarrow.compute
    import pyarrow.csv
    import pyarrow.json
    import pyarrow.parquet

    table = pyarrow.csv.read_csv(io.BytesIO(b"id,at,price\n1,2026-01-01,1.50\n2,2026-01-02,\n"))
    assert table.num_rows == 2
    trimmed = pyarrow.compute.utf8_trim_whitespace(pyarrow.array([" 1.50 ", "2"]))
    assert trimmed.cast(pyarrow.decimal128(10, 2)).type == pyarrow.decimal128(10, 2)
    for compression in ("snappy", "zstd", "gzip", "none"):
        file = io.BytesIO()
        pyarrow.parquet.write_table(table, file, compression=compression)
        file.seek(0)
        assert pyarrow.parquet.read_table(file).equals(table)
    written = io.BytesIO()
    pyarrow.csv.write_csv(table, written)
    assert written.getvalue().startswith(b'"id"')
    assert pyarrow.json.read_json(io.BytesIO(orjson.dumps({"a": 1}))).to_pylist() == [{"a": 1}]


if __name__ == "__main__":
    root, handlers = sys.argv[1], sys.argv[2:]
    sys.path.insert(0, root)
    os.environ.update(ENVIRONMENT)
    for handler in handlers:
        importlib.import_module(f"handlers.{handler}")
    make_clients()
    sniff()
    if (Path(root) / "pyarrow").is_dir():
        import_all("fanfold.kinds")
        round_trip()
    print(f"{root}: handlers {', '.join(handlers)} import and run")
