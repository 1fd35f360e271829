"""The console beside an engine: a process of its own, which is asked for links and ends with the engine."""

from __future__ import annotations

import importlib.util
import json
import logging
import subprocess
import sys
import threading
from dataclasses import dataclass, field

NEEDED = ("jinja2", "starlette", "uvicorn")
END_S = 5.0

logger = logging.getLogger("fanfold.engine")


@dataclass
class Companion:
    """Starts the console when somebody first asks for it. Its standard input ends when this process does."""

    endpoint: str
    region: str
    stack: str
    _process: subprocess.Popen[str] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def link(self) -> str | None:
        """Return a link to the console that works once; None where the console is not installed or does not start."""
        if any(importlib.util.find_spec(name) is None for name in NEEDED):
            return None
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._process = self._start()
            asked, told = self._process.stdin, self._process.stdout
            assert asked
            assert told
            try:
                asked.write("\n")
                asked.flush()
                line = told.readline()
            except BrokenPipeError:
                line = ""
            if not line:
                logger.warning("the console did not start; what it said is above")
                return None
            return str(json.loads(line)["console"])

    def _start(self) -> subprocess.Popen[str]:
        place = ["--endpoint", self.endpoint, "--region", self.region, "--stack", self.stack]
        return subprocess.Popen(  # noqa: S603 - this very interpreter
            [sys.executable, "-P", "-m", "fanfold.console", *place],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def end(self) -> None:
        """End the console, and wait for that."""
        with self._lock:
            if self._process is None:
                return
            assert self._process.stdin
            self._process.stdin.close()
            try:
                self._process.wait(END_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
