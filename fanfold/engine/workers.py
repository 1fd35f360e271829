"""The processes that run functions: forked by a zygote where that is safe, else started one by one."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import Any

FORKS = sys.platform == "linux"
"""Forking a process that has used the frameworks of macOS is not safe."""

START_S = 30.0

logger = logging.getLogger("fanfold.engine")


class Worker:
    """A process that a zygote forked; what is used of it is what `subprocess.Popen` has."""

    def __init__(self, stdin: Any, stdout: Any, stderr: Any) -> None:
        self.stdin, self.stdout, self.stderr = stdin, stdout, stderr
        self.pid = 0
        self.returncode: int | None = None
        self.ended = threading.Event()

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status; raise TimeoutExpired when the process still runs after `timeout` seconds."""
        if not self.ended.wait(timeout):
            raise subprocess.TimeoutExpired(["worker", str(self.pid)], timeout or 0)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Zygote:
    """The engine's end of a zygote. It starts at once, and has its imports done when the first worker is needed."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - this very interpreter
                [sys.executable, "-P", "-m", "fanfold.engine.zygote", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        self._started: queue.Queue[int | None] = queue.Queue()
        self._workers: dict[int, Worker] = {}
        self._early: dict[int, int] = {}
        """The statuses of workers that ended before it was known that they had started."""
        self._lock = threading.Lock()
        self._ordering = threading.Lock()
        threading.Thread(target=self._listen, name="fanfold-zygote", daemon=True).start()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def _listen(self) -> None:
        while True:
            try:
                message = self._socket.recv(4096)
            except OSError:
                message = b""
            if not message:
                break
            told = json.loads(message)
            if "started" in told:
                self._started.put(told["started"])
                continue
            with self._lock:
                worker = self._workers.pop(told["ended"], None)
                if worker is None:
                    self._early[told["ended"]] = told["status"]
            if worker:
                _end(worker, told["status"])
        self._started.put(None)
        with self._lock:
            orphans, self._workers = self._workers, {}
        for worker in orphans.values():
            _end(worker, -signal.SIGKILL)

    def fork(self, script: str, folder: str, environment: dict[str, str]) -> Worker:
        """Start a worker; raise OSError when the zygote has gone."""
        pipes = [os.pipe() for _ in range(3)]
        theirs = [pipes[0][0], pipes[1][1], pipes[2][1]]
        ours = [pipes[0][1], pipes[1][0], pipes[2][0]]
        order = json.dumps({"script": script, "folder": folder, "environment": environment})
        with self._ordering:
            try:
                socket.send_fds(self._socket, [order.encode()], theirs)
                pid = self._started.get(timeout=START_S)
            except (OSError, queue.Empty) as error:
                for file in ours:
                    os.close(file)
                raise ConnectionError("the zygote does not answer") from error
            finally:
                for file in theirs:
                    os.close(file)
        if pid is None:
            raise ConnectionError("the zygote has gone")
        worker = Worker(_text(ours[0], "w"), _text(ours[1], "r"), _text(ours[2], "r"))
        worker.pid = pid
        with self._lock:
            status = self._early.pop(pid, None)
            if status is None:
                self._workers[pid] = worker
        if status is not None:
            _end(worker, status)
        return worker

    def end(self) -> None:
        """End it; workers of its that still live see that it has gone."""
        self._process.kill()
        self._process.wait()


def _end(worker: Worker, status: int) -> None:
    worker.returncode = status
    worker.ended.set()


def _text(file: int, mode: str) -> Any:
    return io.open(file, mode, buffering=1, encoding="utf-8", errors="replace")  # noqa: UP020 - of a number


_zygote: Zygote | None = None
_changing = threading.Lock()


def begin() -> None:
    """Start the zygote: its imports go on while the engine does other things."""
    global _zygote
    if FORKS:
        with _changing:
            _zygote = Zygote()


def launch(arguments: list[str], **options: Any) -> Any:
    """Start a worker as `subprocess.Popen` would, with the arguments that MiniStack gives it."""
    zygote = _zygote
    if zygote and zygote.alive and arguments[0] == sys.executable:
        try:
            return zygote.fork(arguments[1], str(options["cwd"]), dict(options["env"]))
        except ConnectionError as error:
            logger.warning("%s: workers start by themselves", error)
    return subprocess.Popen(arguments, **options)  # noqa: S603 - MiniStack's choice of interpreter and script


def renew() -> None:
    """Let no worker that has imported the code of before take another call: the code was deployed anew."""
    from ministack.core import lambda_runtime

    global _zygote
    with _changing:
        old, _zygote = _zygote, Zygote() if _zygote else None
    with lambda_runtime._lock:
        pools = list(lambda_runtime._workers.values())
        lambda_runtime._workers.clear()
    workers = [worker for pool in pools for worker in pool]
    threading.Thread(target=_retire, args=(workers, old), name="fanfold-retire", daemon=True).start()


def _retire(workers: list[Any], zygote: Zygote | None) -> None:
    """End workers once they have done what they do."""
    from ministack.core import lambda_runtime

    while workers:
        idle = [worker for worker in workers if not worker.in_use]
        workers = [worker for worker in workers if worker.in_use]
        lambda_runtime.kill_workers(idle)
        time.sleep(0.1)
    if zygote:
        zygote.end()


def end() -> None:
    """End all workers."""
    from ministack.core import lambda_runtime

    lambda_runtime.reset()
    if _zygote:
        _zygote.end()
