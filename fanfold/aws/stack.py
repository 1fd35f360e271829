"""A deployed stack, found by its name: what CloudFormation says it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from botocore.exceptions import ClientError

from fanfold.aws.account import Account
from fanfold.aws.executions import Executions
from fanfold.aws.faults import code, translated
from fanfold.aws.stores import Stores
from fanfold.errors import UsageError

DEFAULT_NAME = "fanfold"


@dataclass(frozen=True)
class Stack:
    """One deployment of template.yaml."""

    account: Account
    name: str
    outputs: dict[str, str]

    @classmethod
    def find(cls, account: Account, name: str = DEFAULT_NAME) -> Stack:
        """Return the stack called `name`; raise UsageError where there is none."""
        client = account.client("cloudformation")
        with translated(f"reading the stack {name}"):
            try:
                found = client.describe_stacks(StackName=name)["Stacks"][0]
            except ClientError as error:
                if code(error) != "ValidationError":
                    raise
                raise UsageError(
                    f"there is no stack called {name!r} in {client.meta.region_name}: "
                    "deploy it with `sam build && sam deploy --guided`, or name yours with --stack"
                ) from error
        return cls(account, name, {item["OutputKey"]: item["OutputValue"] for item in found.get("Outputs", [])})

    @cached_property
    def stores(self) -> Stores:
        outputs = self.outputs
        return Stores(
            self.account,
            work_bucket=outputs["WorkBucket"],
            outputs_bucket=outputs["OutputsBucket"],
            jobs_table=outputs["JobsTable"],
            records_table=outputs["RecordsTable"],
        )

    @cached_property
    def executions(self) -> Executions:
        return Executions(self.account.client("stepfunctions"))

    @property
    def uploads(self) -> str:
        """The bucket to upload to."""
        return self.outputs["UploadsBucket"]

    @property
    def machines(self) -> dict[str, str]:
        """The ARN of each kind's state machine, by the kind's name."""
        return {name.removesuffix("Machine").lower(): arn for name, arn in self._ending("Machine")}

    @property
    def functions(self) -> dict[str, str]:
        """The functions' names, by their names in the template."""
        return {name.removesuffix("Function"): value for name, value in self._ending("Function")}

    @property
    def queues(self) -> dict[str, str]:
        """The queues' URLs, by their names in the template."""
        return {name: value for name, value in self.outputs.items() if name.endswith(("Queue", "DeadLetters"))}

    def _ending(self, suffix: str) -> list[tuple[str, str]]:
        return [(name, value) for name, value in self.outputs.items() if name.endswith(suffix)]
