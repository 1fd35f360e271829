"""The embedded engine: a stand-in for AWS on this machine, with the project's stack deployed to it.

MiniStack, pinned and mended (`patches/`), in a process of its own that answers on 127.0.0.1 alone. Its state lives
in a home folder, so that checkouts and test runs do not meet. It lives while a command holds a lease on it, or, after
`up`, until `down`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fanfold.engine import process
from fanfold.engine.home import Home

__all__ = ["STACK", "Engine", "console", "down", "find", "session", "up"]

STACK = "fanfold"


@dataclass(frozen=True, slots=True)
class Engine:
    """Where a running engine answers."""

    endpoint: str
    region: str
    stack: str
    """The name of the CloudFormation stack."""
    home: Path
    pid: int


@contextmanager
def session(home: Path | None = None, *, folder: Path | None = None) -> Iterator[Engine]:
    """Yield the engine for one command: the one `up` left running, else one that ends with this command.

    Its end is clean and its state saved also when this process is killed. `folder` has the template to deploy; without
    it, the project's own. Raises EngineError when the engine or the stack does not come up.
    """
    place = Home.at(home)
    running = _running(place, folder)
    try:
        yield _engine(place, running)
    finally:
        process.leave(place, running)


def up(home: Path | None = None, *, folder: Path | None = None) -> Engine:
    """Start an engine that stays when this process ends, or make the running one stay; deploy; return it."""
    place = Home.at(home)
    running = _running(place, folder)
    running.lease.say("keep")
    process.leave(place, running)
    return _engine(place, running)


def console(home: Path | None = None) -> str | None:
    """Return a link to the console of the engine that runs, which works once; None where it has none.

    The console is started when it is first asked for, and ends with the engine.
    """
    place = Home.at(home)
    running = process.join(place)
    if running is None:
        return None
    answer = running.lease.say("console") or {}
    process.leave(place, running)
    return answer.get("console")


def down(home: Path | None = None) -> bool:
    """Stop the engine, its state saved; True if one was running."""
    return process.stop(Home.at(home))


def find(home: Path | None = None) -> Engine | None:
    """Return the engine that is running, without starting one."""
    place = Home.at(home)
    record = place.read()
    return None if record is None else Engine(record["endpoint"], record["region"], STACK, place.path, record["pid"])


def _engine(place: Home, running: process.Running) -> Engine:
    record = running.record
    return Engine(record["endpoint"], record["region"], STACK, place.path, record["pid"])


def _running(place: Home, folder: Path | None) -> process.Running:
    """Return an engine with the stack deployed as `folder` has it now."""
    from fanfold.engine import deploy

    with place.starting():
        running = process.join(place) or process.start(place)
        try:
            folder = folder or deploy.stack_folder()
            digest = deploy.digest(folder)
            if running.known.get("deployed") != digest:
                s3, cloudformation = process.clients(running.record, "s3", "cloudformation")
                deploy.deploy(folder, STACK, s3, cloudformation)
                running.lease.say("deployed", digest=digest)
        except BaseException:
            process.leave(place, running)
            raise
    return running
