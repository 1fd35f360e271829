"""Steps over a fake AWS, with the toy kind in the place of tables."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws

from fanfold import kinds
from fanfold.aws.stores import Stores
from tests.fakes import made_stores
from tests.steps import toy


@pytest.fixture
def stores(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stores]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setattr(kinds, "get", lambda name: toy)
    toy.processed.clear()
    with mock_aws():
        yield made_stores()
