"""A fake AWS in this process: S3 and DynamoDB as moto plays them, with the tables that the template makes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws

from fanfold.aws.stores import Stores
from tests.fakes import made_stores


@pytest.fixture
def stores(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stores]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield made_stores()
