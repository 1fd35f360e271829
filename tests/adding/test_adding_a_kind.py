"""A kind is a folder of `fanfold/kinds`, its functions in the template, and a page; nothing else knows of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.adding import checkout

PAGE = (checkout.ROOT / "docs/adding-a-kind.md").read_text()

TEXT = "It was the best of times, it was the worst of times\n" * 40


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkout.made(tmp_path_factory.mktemp("project"))


def ran(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the checkout's library, and of no other."""
    environment = os.environ | {"PYTHONPATH": f"{project}", "FANFOLD_HOME": str(project / "home")}
    command = [sys.executable, *words]
    return subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def test_the_page_shows_the_files_that_are_tested() -> None:
    shown = dict(
        re.findall(r"^`fanfold/kinds/words/(\w+\.py)`.*?\n\n```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    )
    assert shown == {path.name: path.read_text() for path in checkout.ADDED.glob("*.py")}


def test_any_chunk_gives_what_the_whole_gives(project: Path) -> None:
    """And as `re` counts in one go; the driver is the one of the other kinds."""
    program = f"""
import json, re, sys
sys.path.append({str(checkout.ROOT)!r})
from collections import Counter
from fanfold import kinds
from tests.kinds.driver import run
text = {TEXT!r}
wanted = Counter(re.findall("[a-z]+", text.lower()))
assert "words" in kinds.NAMES
for chunk in (1, 2, 3, 5, 7, 50, 1000, 10_000):
    made = run(kinds.get("words"), text.encode(), kinds.recipe("words")(chunk=chunk), seed=chunk)
    assert Counter(json.loads(made.outputs["words.json"])) == wanted, chunk
    assert made.records[0].attributes == {{"words": wanted.total(), "different": len(wanted)}}
"""
    done = ran(project, "-c", program)
    assert done.returncode == 0, done.stderr


def test_a_stack_with_the_kind_runs_it(project: Path) -> None:
    """From the command line through intake, state machine and functions to outputs and record."""
    (project / "a.txt").write_text(TEXT)
    (project / "recipes.yaml").write_text("version: 1\nrecipes:\n  counts: {words: {chunk: 100B}}\n")
    cli = ("-c", "from fanfold.cli import main; main()")
    try:
        done = ran(project, *cli, "run", "a.txt", "--recipe", "counts", "--recipes", "recipes.yaml", "--json")
        assert done.returncode == 0, done.stderr + done.stdout
        found = json.loads(done.stdout)
        asked = ran(project, *cli, "query", "counts", "--key", "counts/a.txt", "--json")
    finally:
        ran(project, *cli, "down")
    counts = Counter(re.findall("[a-z]+", TEXT.lower()))
    chunks = -(-len(TEXT) // 100)
    assert (found["status"], found["kind"], found["chunks"]["processed"]) == ("SUCCEEDED", "words", chunks)
    assert found["stats"] == {"words": counts.total(), "different": len(counts)}
    assert Counter(json.loads((project / "out/words.json").read_text())) == counts
    assert json.loads(asked.stdout) == found["stats"]
