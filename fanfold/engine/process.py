"""Start an engine, find a running one, and stop it: the side of the commands."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

from fanfold.engine.home import Home
from fanfold.engine.lease import Lease
from fanfold.errors import EngineError

START_S = 60.0
STOP_S = 60.0

FOREIGN = ("AWS_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy", "LAMBDA_")
"""What a person's shell may say about AWS or a proxy is not for the engine and its functions."""

SLOW = ("PYTHONDONTWRITEBYTECODE",)
"""Without compiled modules each start of the engine takes two seconds more, and each cold function half a second."""


@dataclass(frozen=True, slots=True)
class Running:
    """A living engine and this process's lease on it."""

    record: dict[str, Any]
    lease: Lease
    known: dict[str, Any]


def join(home: Home) -> Running | None:
    """Take a lease on the engine that runs at `home`; None when there is none, or it is about to stop."""
    record = home.read()
    if record is None:
        return None
    try:
        lease = Lease.connect(record["lease_port"], record["secret"])
    except OSError:
        return None
    known = lease.say("hold")
    if known is None:
        lease.close()
        return None
    return Running(record, lease, known)


def start(home: Home, arguments: list[str] | None = None) -> Running:
    """Start an engine at `home` and take the first lease on it. The caller holds `home.starting()`.

    Raises EngineError when it does not come up: what it says is in the message, the rest in its log.
    """
    if importlib.util.find_spec("ministack") is None:
        raise EngineError("MiniStack is not installed: pip install 'fanfold[all]'")
    await_end(home)
    home.wipe()
    ours, theirs = socket.socketpair()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN + SLOW)}
    with theirs, home.log.open("ab") as log:
        log.seek(0, os.SEEK_END)
        if log.tell() > 10_000_000:
            log.truncate(0)
        command = [sys.executable, "-P", "-m", "fanfold.engine.serve", str(home.path), str(theirs.fileno())]
        # A session of its own: the terminal's Ctrl-C is for the command, which then lets go of its lease.
        process = subprocess.Popen(  # noqa: S603 - this very interpreter
            command + (arguments or []),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
            env=environment,
        )
    ours.settimeout(START_S)
    lease = Lease(ours)
    try:
        answer = lease.hear()
    except TimeoutError:
        process.kill()
        process.wait()
        raise EngineError(f"the engine did not start within {START_S:.0f} s: see {home.log}") from None
    if answer is None or "error" in answer:
        process.wait()
        lease.close()
        raise EngineError(answer["error"] if answer else f"the engine ended as it started: see {home.log}")
    ours.settimeout(STOP_S)
    # The engine outlives this object; nobody waits for it here, and Python must not warn of that.
    process.returncode = 0
    return Running(answer["record"], lease, answer)


def leave(home: Home, running: Running) -> None:
    """Give the lease back; wait for the engine's end when it was the last."""
    answer = running.lease.say("bye")
    running.lease.close()
    if answer is None or answer["stopping"]:
        await_end(home)
        _reap(running.record["pid"])


def stop(home: Home) -> bool:
    """Stop the engine at `home`, its state saved; True if one ran. One that does not listen any more is killed."""
    pid = home.holder()
    if pid is None:
        home.wipe()
        return False
    running = join(home)
    if running is not None:
        running.lease.say("stop")
        running.lease.close()
    else:
        # It starts, or it hangs; a clean end is still tried first.
        os.kill(pid, signal.SIGTERM)
    if not _ended(home, STOP_S):
        # It leads a session of its own, so this takes its workers too.
        os.killpg(pid, signal.SIGKILL)
        await_end(home)
        home.wipe()
    _reap(pid)
    return True


def await_end(home: Home) -> None:
    """Wait until no engine lives at `home`; raise EngineError when one will not end."""
    if not _ended(home, STOP_S):
        raise EngineError(f"the engine at {home.path} did not end within {STOP_S:.0f} s")


def _ended(home: Home, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while home.is_claimed():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _reap(pid: int) -> None:
    """Collect the engine if it is a child of this process, so that no zombie is left."""
    try:
        os.waitpid(pid, 0)
    except ChildProcessError:
        return


def clients(record: dict[str, Any], *services: str) -> list[Any]:
    """Return boto3 clients of an engine's administrator, whatever this process's environment says of AWS."""
    import boto3
    from botocore.config import Config

    key, secret = record["keys"]
    session: Any = boto3.Session(key, secret, region_name=record["region"])
    config = Config(proxies={}, retries={"mode": "standard", "total_max_attempts": 5})
    return [session.client(service, endpoint_url=record["endpoint"], config=config) for service in services]
