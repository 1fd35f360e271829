"""Intake has no codec: telling a table from what is none needs the standard library alone."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys

class NotThere:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"pyarrow", "orjson", "numpy"}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, NotThere())
from fanfold import kinds
assert kinds.sniff(b"a,b\\n1,2\\n", "x") == "table"
assert kinds.sniff(b"\\x89PNG", "x.csv") is None
"""


def test_sniff_needs_no_codec() -> None:
    """The package imports and sniffs without pyarrow, orjson and numpy."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_numpy_is_never_there() -> None:
    """pyarrow runs without it, as it does in the functions' package."""
    program = (
        PROGRAM.replace('{"pyarrow", "orjson", "numpy"}', '{"numpy"}')
        + """
from fanfold.kinds.table.recipe import TableRecipe
from tests.kinds.driver import run
for output in ("jsonl", "csv", "parquet"):
    run(kinds.get("table"), b"a,b\\n1,2012-01-01\\n,x\\n", TableRecipe(output=output, chunk=8))
"""
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_to_split_needs_no_arrow() -> None:
    """A splitter starts cold for every object: it loads what it needs to plan."""
    program = (
        PROGRAM.replace('{"pyarrow", "orjson", "numpy"}', '{"pyarrow"}')
        + """
from fanfold.kinds.table.recipe import TableRecipe
from tests.kinds.driver import CountingSource
for data in (b"a,b\\n1,2012-01-01\\n", b'[{"a": 1}]', b'{"a": 1}\\n'):
    assert kinds.get("table").plan(CountingSource(data), TableRecipe(output="parquet")).lines
"""
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
