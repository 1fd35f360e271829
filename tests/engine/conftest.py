"""The engines that the patches are tested on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fanfold import engine as engines
from fanfold.engine import deploy, process
from fanfold.engine.home import Home
from tests.engine.place import APP, Place


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """An engine, all patches applied, with the small app deployed."""
    with engines.session(tmp_path_factory.mktemp("place"), folder=APP) as running:
        yield Place(running)


@contextmanager
def engine_without(path: Path, *patches: str) -> Iterator[Place]:
    """Yield an engine that lacks some patches, with the small app deployed."""
    home = Home.at(path)
    arguments = [word for patch in patches for word in ("--without", patch)]
    with home.starting():
        running = process.start(home, arguments)
        try:
            s3, cloudformation = process.clients(running.record, "s3", "cloudformation")
            deploy.deploy(APP, engines.STACK, s3, cloudformation)
        except BaseException:
            process.leave(home, running)
            raise
    try:
        yield Place(engines.Engine(running.record["endpoint"], "us-east-1", engines.STACK, path, running.record["pid"]))
    finally:
        process.leave(home, running)
