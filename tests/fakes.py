"""What stands in for AWS in tests of one function: buckets and tables by moto, and jobs to put in them."""

from __future__ import annotations

import json
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.validate import validate_parameters

from fanfold import recipes
from fanfold.aws.account import Account
from fanfold.aws.stores import Stores
from fanfold.job import Job
from fanfold.model import ObjectRef

REGION = "us-east-1"


def made_stores() -> Stores:
    """Return stores whose buckets and tables exist, keyed as in template.yaml."""
    account = Account(region=REGION)
    s3, dynamodb = account.client("s3"), account.client("dynamodb")
    for bucket in ("uploads", "work", "outputs"):
        s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket="uploads", VersioningConfiguration={"Status": "Enabled"})
    keys: dict[str, Any] = {
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    dynamodb.create_table(TableName="records", **keys)
    keys["AttributeDefinitions"] += [
        {"AttributeName": "listing", "AttributeType": "S"},
        {"AttributeName": "started", "AttributeType": "S"},
    ]
    listing = {
        "IndexName": "listing",
        "KeySchema": [
            {"AttributeName": "listing", "KeyType": "HASH"},
            {"AttributeName": "started", "KeyType": "RANGE"},
        ],
        "Projection": {"ProjectionType": "ALL"},
    }
    dynamodb.create_table(TableName="jobs", GlobalSecondaryIndexes=[listing], **keys)
    return Stores(account, "work", "outputs", "jobs", "records")


def table_recipe(**fields: Any) -> recipes.Recipe:
    """Return a table recipe with these fields, as recipes.yaml would give it."""
    return recipes.recipe({"table": fields})


def uploaded(stores: Stores, body: bytes, key: str = "orders/a.csv", sequencer: str = "01", **fields: Any) -> Job:
    """Upload an object and return the job of that version of it."""
    answer = stores.account.client("s3").put_object(Bucket="uploads", Key=key, Body=body)
    ref = ObjectRef("uploads", key, len(body), answer["ETag"].strip('"'), answer["VersionId"])
    return Job(ref, "orders", table_recipe(**fields), sequencer)


def rekognition_answer(*lines: str) -> dict[str, Any]:
    """Return what DetectText answers of lines of one height, one below the other, each as wide as the picture."""
    found: list[dict[str, Any]] = []
    for number, text in enumerate(lines):
        top, high = number / len(lines), 1 / len(lines)
        found.append(_detected("LINE", len(found), text, 0.0, top, 1.0, high))
        parent, words = found[-1]["Id"], text.split()
        for at, word in enumerate(words):
            one = _detected("WORD", len(found), word, at / len(words), top, 1 / len(words), high)
            found.append(one | {"ParentId": parent})
    return {"TextDetections": found, "TextModelVersion": "3.0"}


def _detected(
    kind: str, number: int, text: str, left: float, top: float, width: float, height: float
) -> dict[str, Any]:
    corners = ((left, top), (left + width, top), (left + width, top + height), (left, top + height))
    box = {"Left": left, "Top": top, "Width": width, "Height": height}
    geometry = {"BoundingBox": box, "Polygon": [{"X": x, "Y": y} for x, y in corners]}
    return {"DetectedText": text, "Type": kind, "Id": number, "Confidence": 99.0, "Geometry": geometry}


class FakeTranscribe:
    """Amazon Transcribe behind a client: jobs whose answers land in S3.

    What is sent has been validated by botocore, and what is answered is validated by the same model.
    """

    def __init__(self, stores: Stores) -> None:
        self.client = stores.account.client("transcribe")
        self._s3 = stores.account.client("s3")
        self._models = self.client.meta.service_model
        self.jobs: dict[str, dict[str, Any]] = {}
        self.started: list[dict[str, Any]] = []
        self.deleted: list[str] = []
        self.items: list[dict[str, Any]] = [heard("hallo", 0.25, 0.5)]
        self.room = 250
        """How many jobs more may begin."""
        self.busy = 0
        """How often a job is asked after in vain."""
        self.reason = ""
        """Why jobs fail; nothing, and they do not."""
        self.refused: tuple[str, int] | None = None
        """The error, and the status, that every request is answered with."""
        self.client.meta.events.register("before-send.transcribe.*", self._answer)

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        assert request.url.startswith("https://")
        target = request.headers["X-Amz-Target"]
        operation = (target.decode() if isinstance(target, bytes) else target).partition(".")[2]
        params = json.loads(request.body)
        status, said = getattr(self, operation)(params) if self.refused is None else _refused(*self.refused)
        if status == 200 and said:
            validate_parameters(said, self._models.operation_model(operation).output_shape)
        return _Answered(request.url, status, json.dumps(said).encode())

    def StartTranscriptionJob(self, params: dict[str, Any]) -> tuple[int, Any]:  # noqa: N802
        name = params["TranscriptionJobName"]
        if name in self.jobs:
            return _refused("ConflictException")
        if not self.room:
            return _refused("LimitExceededException")
        self.started.append(params)
        self.jobs[name] = params | {"left": self.busy}
        return 200, {"TranscriptionJob": {"TranscriptionJobName": name, "TranscriptionJobStatus": "IN_PROGRESS"}}

    def GetTranscriptionJob(self, params: dict[str, Any]) -> tuple[int, Any]:  # noqa: N802
        name = params["TranscriptionJobName"]
        if name not in self.jobs:
            return _refused("BadRequestException")
        job = self.jobs[name]
        said = {"TranscriptionJobName": name, "TranscriptionJobStatus": "IN_PROGRESS"}
        if job["left"]:
            job["left"] -= 1
        elif self.reason:
            said |= {"TranscriptionJobStatus": "FAILED", "FailureReason": self.reason}
        else:
            said["TranscriptionJobStatus"] = "COMPLETED"
            self.answer(job)
        return 200, {"TranscriptionJob": said}

    def DeleteTranscriptionJob(self, params: dict[str, Any]) -> tuple[int, Any]:  # noqa: N802
        name = params["TranscriptionJobName"]
        if name not in self.jobs:
            return _refused("BadRequestException")
        del self.jobs[name]
        self.deleted.append(name)
        return 200, {}

    def answer(self, job: dict[str, Any]) -> None:
        """Write what a job has heard."""
        said = {"jobName": job["TranscriptionJobName"], "status": "COMPLETED", "results": {"items": self.items}}
        self._s3.put_object(Bucket=job["OutputBucketName"], Key=job["OutputKey"], Body=json.dumps(said))


def heard(text: str, start_s: float, stop_s: float, confidence: float = 0.99) -> dict[str, Any]:
    """Return a word as Transcribe answers it: numbers are text."""
    said = {"confidence": str(confidence), "content": text}
    return {"type": "pronunciation", "start_time": str(start_s), "end_time": str(stop_s), "alternatives": [said]}


def mark(text: str) -> dict[str, Any]:
    """Return a punctuation mark as Transcribe answers it."""
    return {"type": "punctuation", "alternatives": [{"confidence": "0.0", "content": text}]}


def _refused(name: str, status: int = 400) -> tuple[int, Any]:
    return status, {"__type": name, "Message": f"{name}, it says"}


class _Answered(AWSResponse):
    def __init__(self, url: str, status: int, body: bytes) -> None:
        super().__init__(url, status, {"Content-Type": "application/x-amz-json-1.1"}, None)
        self._content = body
