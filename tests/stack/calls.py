"""The calls that functions make of AWS, as the actions and resources that their roles must allow."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any

from fanfold.aws.stores import Stores
from tests.stack import template

ACCOUNT = "us-east-1:123456789012"
MACHINE_ARNS = {kind: f"arn:aws:states:{ACCOUNT}:stateMachine:{kind}" for kind in ("image", "table", "video")}

NAMES = {
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::AccountId": "123456789012",
    "Uploads.Arn": "arn:aws:s3:::uploads",
    "Work.Arn": "arn:aws:s3:::work",
    "Work": "work",
    "Outputs.Arn": "arn:aws:s3:::outputs",
    "Jobs.Arn": f"arn:aws:dynamodb:{ACCOUNT}:table/jobs",
    "Records.Arn": f"arn:aws:dynamodb:{ACCOUNT}:table/records",
    "ImageMachine": MACHINE_ARNS["image"],
    "ImageMachine.Name": "image",
    "TableMachine": MACHINE_ARNS["table"],
    "TableMachine.Name": "table",
    "VideoMachine": MACHINE_ARNS["video"],
    "VideoMachine.Name": "video",
}
"""What the template's references stand for in the stores of the tests."""

SERVICES = {
    "s3": "s3",
    "dynamodb": "dynamodb",
    "stepfunctions": "states",
    "rekognition": "rekognition",
    "transcribe": "transcribe",
}

S3_ACTIONS = {
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "HeadObject": "GetObject",
}
"""Where the action has another name than the call.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html"""

Need = tuple[str, str]
"""An action, and the ARN that it is done to."""


def allowed(function: str) -> set[Need]:
    """Return what a function's role allows, every reference replaced by what it stands for in the tests."""
    return {(found.action, resolved(found.resource)) for found in template.statements(template.role_of(function))}


def resolved(resource: str) -> str:
    if resource in NAMES:
        return NAMES[resource]
    return re.sub(r"\$\{([\w.:]+)\}", lambda found: NAMES.get(found[1], found[0]), resource)


def needs(service: str, operation: str, params: dict[str, Any]) -> Iterator[Need]:
    """Yield what a call needs."""
    if service == "s3":
        if operation == "ListObjectsV2":
            yield "s3:ListBucket", f"arn:aws:s3:::{params['Bucket']}"
            return
        if operation == "DeleteObjects":
            for one in params["Delete"]["Objects"]:
                yield "s3:DeleteObject", f"arn:aws:s3:::{params['Bucket']}/{one['Key']}"
            return
        action = S3_ACTIONS.get(operation, operation)
        if operation == "UploadPartCopy":
            action = "PutObject"
            source = params["CopySource"]
            yield "s3:GetObject", f"arn:aws:s3:::{source['Bucket']}/{source['Key']}"
        if operation == "GetObject" and "VersionId" in params:
            action = "GetObjectVersion"
        yield f"s3:{action}", f"arn:aws:s3:::{params['Bucket']}/{params['Key']}"
    elif operation == "TransactWriteItems":
        for write in params["TransactItems"]:
            ((kind, item),) = write.items()
            yield f"dynamodb:{kind}Item", f"arn:aws:dynamodb:{ACCOUNT}:table/{item['TableName']}"
    elif service == "dynamodb":
        for table in params.get("RequestItems", [params.get("TableName")]):
            yield f"dynamodb:{operation}", f"arn:aws:dynamodb:{ACCOUNT}:table/{table}"
    elif operation == "StartTranscriptionJob":
        yield f"transcribe:{operation}", "*"
        # Done by Transcribe in the caller's name.
        yield "s3:GetObject", "arn:aws:s3:::" + params["Media"]["MediaFileUri"].removeprefix("s3://")
        folder, _, name = f"arn:aws:s3:::{params['OutputBucketName']}/{params['OutputKey']}".rpartition("/")
        yield from (("s3:PutObject", f"{folder}/{one}") for one in (name, ".write_access_check_file.temp"))
    elif service == "transcribe":
        yield (
            f"transcribe:{operation}",
            f"arn:aws:transcribe:{ACCOUNT}:transcription-job/{params['TranscriptionJobName']}",
        )
    elif service == "rekognition":
        yield f"rekognition:{operation}", "*"
    else:
        arn = next(params[name] for name in ("mapRunArn", "stateMachineArn", "executionArn") if name in params)
        yield f"states:{operation}", arn


class Watched:
    """Notes what is called through the clients of some stores, and by which function."""

    def __init__(self, stores: Stores) -> None:
        self.needed: dict[str, set[Need]] = {}
        self._function: str | None = None
        for service in SERVICES:
            events = stores.account.client(service).meta.events
            events.register(f"provide-client-params.{service}.*", self._note)
            events.register(f"provide-client-params.{SERVICES[service]}.*", self._note)
        stores.account.client("dynamodb").meta.events.register("before-send.dynamodb.*", self._note_sent)

    def _note(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        if self._function is not None:
            service = model.service_model.service_name
            self.needed.setdefault(self._function, set()).update(needs(service, model.name, params))

    def _note_sent(self, request: Any, **_: Any) -> None:
        """Take note of what goes past boto3's operations, over DynamoDB's own protocol."""
        if self._function is not None:
            target = request.headers["x-amz-target"]
            operation = (target.decode() if isinstance(target, bytes) else target).partition(".")[2]
            found = needs("dynamodb", operation, json.loads(request.body))
            self.needed.setdefault(self._function, set()).update(found)

    @contextmanager
    def as_function(self, name: str) -> Iterator[None]:
        """Count what is called meanwhile as called by a function, in whatever thread."""
        self._function = name
        try:
            yield
        finally:
            self._function = None

    def denied(self, function: str) -> set[Need]:
        """Return what the function needed and its role does not allow."""
        grants = allowed(function)
        return {
            (action, arn)
            for action, arn in self.needed.get(function, set())
            if not any(action == granted and fnmatchcase(arn, pattern) for granted, pattern in grants)
        }

    def idle(self, function: str) -> set[Need]:
        """Return what the role allows of these services, and the function never needed."""
        used = self.needed.get(function, set())
        return {
            (granted, pattern)
            for granted, pattern in allowed(function)
            if granted.partition(":")[0] in SERVICES.values()
            and not any(action == granted and fnmatchcase(arn, pattern) for action, arn in used)
        }
