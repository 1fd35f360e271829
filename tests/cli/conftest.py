"""A stack whose buckets and tables moto plays in this process; nothing in it takes uploads."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws

from fanfold.aws.stack import Stack
from tests.fakes import made_stores


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        outputs = {
            "UploadsBucket": "uploads",
            "WorkBucket": "work",
            "OutputsBucket": "outputs",
            "JobsTable": "jobs",
            "RecordsTable": "records",
        }
        yield Stack(made_stores().account, "fanfold", outputs)
