"""`up` serves the console and `down` ends it; `console` serves it for as long as it runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.engine.place import until
from tests.engine.test_process import family

COMMAND = [sys.executable, "-c", "from fanfold.cli import main; main()"]


def fanfold(home: Path, *words: str) -> dict[str, Any]:
    environment = os.environ | {"FANFOLD_HOME": str(home)}
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, env=environment, timeout=120, check=True)
    return dict(json.loads(done.stdout))


def status(url: str) -> int:
    try:
        with urllib.request.build_opener(urllib.request.HTTPCookieProcessor()).open(url, timeout=20) as answer:
            assert b"<h1>Runs</h1>" in answer.read()
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_up_serves_it_and_down_leaves_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    try:
        url = fanfold(home, "up", "--json")["console"]
        assert status(url) == 200
        assert status(url) == 403, "a link works once"
        again = fanfold(home, "up", "--json")["console"]
        assert again.split("?")[0] == url.split("?")[0], "one console an engine"
        assert status(again) == 200
        pid = json.loads((home / "engine.json").read_text())["pid"]
        assert any("fanfold.console" in Path(f"/proc/{one}/cmdline").read_text() for one in family(pid))
    finally:
        fanfold(home, "down", "--json")
    assert family(pid) == []
    with pytest.raises(urllib.error.URLError):
        status(url)
    url = fanfold(home, "up", "--json")["console"]
    pid = json.loads((home / "engine.json").read_text())["pid"]
    os.kill(pid, signal.SIGKILL)
    until(lambda: not family(pid))
    with pytest.raises(urllib.error.URLError):
        status(url)
    assert fanfold(home, "down", "--json") == {"stopped": False}


def test_console_serves_until_it_is_interrupted(engine: Any, tmp_path: Path) -> None:
    environment = os.environ | {"FANFOLD_HOME": str(engine.home)}
    words = [*COMMAND, "console", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout
        url = json.loads(process.stdout.readline())["console"]
        assert status(url) == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(20) in (0, 130, -signal.SIGINT)
