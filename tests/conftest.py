"""The engine that tests share: the project's own stack, deployed once a test run to a home of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fanfold import engine as engines
from fanfold.engine import Engine


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The engine with template.yaml deployed. It ends with the test run, however that ends."""
    with engines.session(tmp_path_factory.mktemp("engine")) as running:
        yield running
