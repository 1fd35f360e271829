"""The engine that the patches are tested on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fanfold import engine as engines
from tests.engine.place import APP, Place


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """An engine, all patches applied, with the small app deployed."""
    with engines.session(tmp_path_factory.mktemp("place"), folder=APP) as running:
        yield Place(running)
