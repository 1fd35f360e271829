"""Where a stack keeps things: its buckets and tables, as one caller reaches them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property

from fanfold.aws.account import Account
from fanfold.aws.jobs import Jobs
from fanfold.aws.objects import Bucket, S3Source
from fanfold.aws.records import Records
from fanfold.aws.totals import Totals
from fanfold.model import ObjectRef


@dataclass(frozen=True)
class Stores:
    """The buckets and tables of a stack. Only what is asked for is needed: a function has what its role may use."""

    account: Account
    work_bucket: str = ""
    outputs_bucket: str = ""
    jobs_table: str = ""
    records_table: str = ""

    @classmethod
    def from_environment(cls) -> Stores:
        """Return the stores that the template names in a function's environment."""
        return cls(
            Account(),
            work_bucket=os.environ.get("WORK_BUCKET", ""),
            outputs_bucket=os.environ.get("OUTPUTS_BUCKET", ""),
            jobs_table=os.environ.get("JOBS_TABLE", ""),
            records_table=os.environ.get("RECORDS_TABLE", ""),
        )

    @cached_property
    def work(self) -> Bucket:
        return Bucket(self.account.client("s3"), self.work_bucket)

    @cached_property
    def outputs(self) -> Bucket:
        return Bucket(self.account.client("s3"), self.outputs_bucket)

    @cached_property
    def jobs(self) -> Jobs:
        return Jobs(self.account.client("dynamodb"), self.jobs_table)

    @cached_property
    def records(self) -> Records:
        return Records(self.account.client("dynamodb"), self.records_table, self.account.wire())

    @cached_property
    def totals(self) -> Totals:
        return Totals(self.account.client("dynamodb"), self.records_table)

    def open(self, ref: ObjectRef) -> S3Source:
        """Return ranged reads of one version of an object."""
        return S3Source(self.account.client("s3"), ref)
