"""A dead letter reaches who it was for, all of it, before it is deleted; where it does not, it stays."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain
from typing import Any

import pytest
from aws_lambda_powertools.utilities.batch import process_partial_response
from boto3.dynamodb.types import TypeSerializer
from botocore.exceptions import ClientError

from fanfold.aws import resending, streams
from fanfold.aws.dead_letters import DeadLetters
from fanfold.aws.stack import Stack
from fanfold.aws.stores import Stores
from fanfold.aws.totals import ChangeProcessor
from fanfold.errors import ChangesGone, NotTaken, TransientError, UnknownLetter
from tests.stack.template import resources

STREAM = "arn:aws:dynamodb:us-east-1:123456789012:table/records/stream/2026"
EVENT = {"detail": {"name": "run", "status": "SUCCEEDED", "executionArn": "arn:run"}}

_write = TypeSerializer().serialize


@dataclass
class Lambda:
    """Lambda as a caller sees it, with one function."""

    function: Callable[[dict[str, Any]], Any]
    calls: list[dict[str, Any]] = field(default_factory=list)

    def invoke(self, **asked: Any) -> dict[str, Any]:
        self.calls.append(asked)
        if asked.get("InvocationType") == "Event":
            return {"StatusCode": 202}
        try:
            told, failed = self.function(json.loads(asked["Payload"])), {}
        except ZeroDivisionError as error:
            told, failed = (
                {"errorType": type(error).__name__, "errorMessage": str(error)},
                {"FunctionError": "Unhandled"},
            )
        return {"StatusCode": 200, "Payload": io.BytesIO(json.dumps(told).encode())} | failed


class Shard:
    """A shard of a stream, page by page, as GetRecords gives them."""

    def __init__(self, *pages: list[dict[str, Any]], closed: bool = False, error: str = "") -> None:
        self.pages, self.closed, self.error = pages, closed, error

    def get_shard_iterator(self, **asked: Any) -> dict[str, Any]:
        if self.error:
            raise ClientError({"Error": {"Code": self.error, "Message": ""}}, "GetShardIterator")
        return {"ShardIterator": "0"}

    def get_records(self, *, ShardIterator: str) -> dict[str, Any]:  # noqa: N803 - AWS's name
        at = int(ShardIterator)
        records = self.pages[at] if at < len(self.pages) else []
        last = self.closed and at + 1 >= len(self.pages)
        return {"Records": records} | ({} if last else {"NextShardIterator": str(at + 1)})


def change(number: int, key: str = "record#orders#a", **more: Any) -> dict[str, Any]:
    told = {"Keys": {"pk": {"S": key}, "sk": {"S": "1"}}, "SequenceNumber": f"{number:021}"}
    return {"eventID": f"e{number}", "dynamodb": told | more}


def letter(first: int, last: int, stream: str = STREAM) -> str:
    batch = {"shardId": "shard", "startSequenceNumber": f"{first:021}", "endSequenceNumber": f"{last:021}"}
    return json.dumps({"DDBStreamBatchInfo": batch | {"streamArn": stream, "batchSize": last - first + 1}})


def numbers(calls: list[dict[str, Any]]) -> list[list[int]]:
    return [
        [int(record["dynamodb"]["SequenceNumber"]) for record in json.loads(call["Payload"])["Records"]]
        for call in calls
    ]


def totals(shard: Any, function: Callable[[dict[str, Any]], Any], table: str = "records") -> resending.Totals:
    return resending.Totals(Lambda(function), "Totals", shard, table)


def takes(event: dict[str, Any]) -> dict[str, Any]:
    return {"batchItemFailures": []}


@pytest.fixture
def queue(stores: Stores) -> DeadLetters:
    sqs = stores.account.client("sqs")
    return DeadLetters(sqs, sqs.create_queue(QueueName="letters")["QueueUrl"])


# ---- every queue


def test_every_queue_of_dead_letters_has_a_receiver(stores: Stores) -> None:
    queues = [name for name in resources("SQS::Queue") if name.endswith("DeadLetters")]
    outputs = {"IntakeQueue": "url", "WatchFunction": "f", "TotalsFunction": "f", "WorkBucket": "", "OutputsBucket": ""}
    stack = Stack(stores.account, "fanfold", outputs | {"JobsTable": "jobs", "RecordsTable": "records"})
    assert {name: resending.receiver(stack, name).name for name in queues} == {
        "IntakeDeadLetters": "IntakeQueue",
        "WatchDeadLetters": "Watch",
        "TotalsDeadLetters": "Totals",
    }


def test_a_letter_is_deleted_once_it_is_taken_and_no_sooner(queue: DeadLetters) -> None:
    queue.client.send_message(QueueUrl=queue.url, MessageBody="letter")
    [found] = queue.look(10)

    class Full:
        name = "Full"

        def take(self, body: str) -> None:
            raise TransientError(f"{body} is not taken")

    with pytest.raises(TransientError, match="letter is not taken"):
        queue.send_again(found, Full())
    assert queue.count() == 1
    target = queue.client.create_queue(QueueName="target")["QueueUrl"]
    queue.send_again(found, resending.Intake(queue.client, target))
    assert queue.count() == 0
    [message] = queue.client.receive_message(QueueUrl=target)["Messages"]
    assert message["Body"] == "letter"


# ---- Watch


@pytest.mark.parametrize("body", [EVENT, {"requestPayload": EVENT, "requestContext": {}}])
def test_watch_is_told_the_event_of_a_dead_letter_queue_and_of_a_destination(body: dict[str, Any]) -> None:
    function = Lambda(takes)
    resending.Watch(function, "Watch").take(json.dumps(body))
    [call] = function.calls
    assert (call["FunctionName"], call["InvocationType"], json.loads(call["Payload"])) == ("Watch", "Event", EVENT)


@pytest.mark.parametrize("body", ["", "no JSON", "[]", "1", "{}", '{"detail": 1}', '{"detail": {"bucket": {}}}'])
def test_watch_is_told_nothing_that_is_no_status(body: str) -> None:
    function = Lambda(takes)
    with pytest.raises(UnknownLetter, match="is no status of an execution"):
        resending.Watch(function, "Watch").take(body)
    assert function.calls == []


# ---- Totals


def test_changes_are_read_from_the_first_to_the_last_over_pages_and_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "PAUSE_S", 0)
    shard = Shard([change(3), change(4, "totals#orders")], [], [change(7), change(9)], [change(10)])
    found = totals(shard, takes)
    found.take(letter(3, 9))
    assert numbers(found.client.calls) == [[3, 7, 9]], "what totals write is no change of a record"
    found.take(letter(3, 8))
    assert numbers(found.client.calls[1:]) == [[3, 7]]


def test_totals_get_no_more_at_once_than_from_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    shard = Shard([change(at) for at in range(250)])
    found = totals(shard, takes)
    found.take(letter(0, 249))
    assert [len(call) for call in numbers(found.client.calls)] == [100, 100, 50]
    assert list(chain(*numbers(found.client.calls))) == list(range(250))
    monkeypatch.setattr(resending, "BATCH_BYTES", 1000)
    heavy = totals(Shard([change(at, NewImage={"a": {"S": "é" * 200}}) for at in range(7)]), takes)
    heavy.take(letter(0, 6))
    assert list(chain(*numbers(heavy.client.calls))) == list(range(7))
    assert all(len(call["Payload"]) < 1100 for call in heavy.client.calls)


def test_a_change_is_told_as_an_event_tells_it() -> None:
    at = datetime(2026, 11, 27, tzinfo=UTC)
    told = change(1, NewImage={"b": {"B": b"\xff"}, "l": {"L": [{"B": b"a"}]}}, ApproximateCreationDateTime=at)
    told["userIdentity"] = {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}
    [found] = streams.changes(Shard([told]), streams.Batch.of(letter(1, 1)))
    assert found["dynamodb"]["NewImage"] == {"b": {"B": "/w=="}, "l": {"L": [{"B": "YQ=="}]}}
    assert found["dynamodb"]["ApproximateCreationDateTime"] == at.timestamp()
    assert found["userIdentity"] == {"principalId": "dynamodb.amazonaws.com", "type": "Service"}
    assert found["eventSourceARN"] == STREAM


@pytest.mark.parametrize("answer", ["TrimmedDataAccessException", "ResourceNotFoundException"])
def test_changes_that_are_older_than_a_day_are_gone(answer: str) -> None:
    found = totals(Shard(error=answer), takes)
    with pytest.raises(ChangesGone, match=r"^the changes 0+1 to 0+2 of records are no longer in its stream"):
        found.take(letter(1, 2))
    assert found.client.calls == []


@pytest.mark.parametrize("shard", [Shard([change(1)], closed=True), Shard([change(1)])])
def test_a_shard_that_ends_before_the_last_change_is_no_success(shard: Shard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "PAUSE_S", 0)
    with pytest.raises(NotTaken, match=r"did not come to the change 0+2$"):
        totals(shard, takes).take(letter(1, 2))


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"DDBStreamBatchInfo": {}}', letter(1, 2).replace('"0', '"x')])
def test_a_letter_that_names_no_batch_is_told_to_nobody(body: str) -> None:
    with pytest.raises(UnknownLetter):
        totals(Shard(), takes).take(body)


def test_the_stream_of_another_table_is_not_read() -> None:
    with pytest.raises(UnknownLetter, match="is not the stream of others"):
        totals(Shard([change(1)]), takes, "others").take(letter(1, 1))


def test_what_totals_did_not_take_is_told() -> None:
    def some(event: dict[str, Any]) -> dict[str, Any]:
        left = [{"itemIdentifier": record["dynamodb"]["SequenceNumber"]} for record in event["Records"][1:]]
        return {"batchItemFailures": left}

    def none(event: dict[str, Any]) -> None:
        raise ZeroDivisionError("it breaks")

    shard = Shard([change(1), change(2), change(3)])
    with pytest.raises(NotTaken, match=r"took 1 of 3 changes, and not the change 0+2$"):
        totals(shard, some).take(letter(1, 3))
    with pytest.raises(NotTaken, match="Totals failed: ZeroDivisionError: it breaks"):
        totals(shard, none).take(letter(1, 3))


def test_totals_are_right_however_often_a_letter_is_sent(stores: Stores, queue: DeadLetters) -> None:
    """Over the stream that moto plays, with Totals as it is: first it fails half-way, then twice not at all."""
    dynamodb = stores.account.client("dynamodb")
    dynamodb.update_table(
        TableName="records", StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    )
    amounts = range(1, 13)
    for at, amount in enumerate(amounts):
        key = {"pk": f"record#orders{at // 6}#k", "sk": f"{at}"}
        item = key | {"totals": [["by:n", f"v{at}", Decimal(amount)]]}
        dynamodb.put_item(TableName="records", Item={name: _write(value) for name, value in item.items()})
    stream = stores.account.client("dynamodbstreams")
    arn = dynamodb.describe_table(TableName="records")["Table"]["LatestStreamArn"]
    [shard] = stream.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    first = int(shard["SequenceNumberRange"]["StartingSequenceNumber"])
    batch = {"shardId": shard["ShardId"], "streamArn": arn, "startSequenceNumber": str(first)}
    batch["endSequenceNumber"] = str(first + len(amounts) - 1)
    queue.client.send_message(QueueUrl=queue.url, MessageBody=json.dumps({"DDBStreamBatchInfo": batch}))
    plain, tries = stores.totals.client.transact_write_items, iter(range(1, 100))

    def unreliable(**sent: Any) -> Any:
        if next(tries) == 2:
            raise ClientError({"Error": {"Code": "ThrottlingException", "Message": ""}}, "TransactWriteItems")
        return plain(**sent)

    def function(event: dict[str, Any]) -> Any:
        return process_partial_response(event, stores.totals.apply, ChangeProcessor())

    def sums() -> dict[str, Decimal]:
        recipes = ("orders0", "orders1")
        return {one["value"]: one["sum"] for recipe in recipes for one in stores.totals.read(recipe)}

    [found] = queue.look(10)
    to = resending.Totals(Lambda(function), "Totals", stream, "records")
    stores.totals.client.transact_write_items = unreliable
    with pytest.raises(NotTaken, match=r"took \d+ of 12 changes"):
        queue.send_again(found, to)
    assert 0 < len(sums()) < 12
    assert queue.count() == 1
    queue.send_again(found, to)
    wanted = {f"v{at}": Decimal(amount) for at, amount in enumerate(amounts)}
    assert sums() == wanted
    assert queue.count() == 0
    to.take(found.body)
    assert sums() == wanted
