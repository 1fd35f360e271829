"""What stands in for AWS in tests of one function: buckets and tables by moto, and jobs to put in them."""

from __future__ import annotations

from typing import Any

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
