"""Queues and streams that feed functions, and the tables behind them, as on AWS."""

from __future__ import annotations

import json
import uuid

import pytest
from botocore.exceptions import ClientError

from tests.engine.place import Place, until


def test_letters_that_a_function_did_not_take_come_again_and_end_dead(place: Place) -> None:
    """Partial batch responses: the good are gone after one delivery, the bad after `maxReceiveCount`."""
    run = uuid.uuid4().hex
    sqs, queue = place.client("sqs"), place.outputs["Letters"]
    bodies = [f"{run}-good-{number}" for number in range(4)] + [f"{run}-poison"]
    entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]
    sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    dead = place.outputs["DeadLetters"]

    def died() -> bool:
        received = sqs.receive_message(QueueUrl=dead, MaxNumberOfMessages=10).get("Messages", [])
        for message in received:
            sqs.delete_message(QueueUrl=dead, ReceiptHandle=message["ReceiptHandle"])
        return f"{run}-poison" in [message["Body"] for message in received]

    until(died)
    for body in bodies[:-1]:
        assert len(place.keys(f"letters/{body}/")) == 1
    assert len(place.keys(f"letters/{run}-poison/")) == 2


def test_a_stream_brings_only_what_its_filter_wants(place: Place) -> None:
    run = uuid.uuid4().hex
    table = place.outputs["Table"]
    for name in (f"total#{run}", f"record#{run}"):
        place.client("dynamodb").put_item(TableName=table, Item={"pk": {"S": name}, "sk": {"S": "1"}})
    until(lambda: place.keys(f"changes/record#{run}/"))
    assert place.keys(f"changes/total#{run}/") == []


def test_a_change_that_fails_holds_up_no_other_for_good(place: Place) -> None:
    run = uuid.uuid4().hex
    items = [{"pk": {"S": f"record#{run}-{name}"}, "sk": {"S": "1"}} for name in ("a", "poison", "b")]
    for item in items:
        place.client("dynamodb").put_item(TableName=place.outputs["Table"], Item=item)
    until(lambda: place.keys(f"changes/record#{run}-poison/"))
    assert len(place.keys(f"changes/record#{run}-a/")) == 1


def test_conditional_writes_and_transactions(place: Place) -> None:
    client, table = place.client("dynamodb"), place.outputs["Table"]
    name = uuid.uuid4().hex
    key = {"pk": {"S": name}, "sk": {"S": "1"}}
    client.put_item(TableName=table, Item=key, ConditionExpression="attribute_not_exists(pk)")
    with pytest.raises(ClientError, match="ConditionalCheckFailedException"):
        client.put_item(TableName=table, Item=key, ConditionExpression="attribute_not_exists(pk)")
    marker = {"pk": {"S": name}, "sk": {"S": "marker"}}
    once = {"Put": {"TableName": table, "Item": marker, "ConditionExpression": "attribute_not_exists(pk)"}}
    add = {
        "Update": {
            "TableName": table,
            "Key": key,
            "UpdateExpression": "ADD #n :n SET #o = if_not_exists(#o, :o)",
            "ExpressionAttributeNames": {"#n": "n", "#o": "o"},
            "ExpressionAttributeValues": {":n": {"N": "12345678901234567890.5"}, ":o": {"S": "first"}},
        }
    }
    client.transact_write_items(TransactItems=[once, add])
    with pytest.raises(ClientError, match="TransactionCanceledException") as refused:
        client.transact_write_items(TransactItems=[once, add])
    reasons = refused.value.response["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["ConditionalCheckFailed", "None"]
    item = client.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]
    assert (item["n"], item["o"]) == ({"N": "12345678901234567890.5"}, {"S": "first"})


def test_an_index_is_read_newest_first_page_by_page(place: Place) -> None:
    client, table = place.client("dynamodb"), place.outputs["Table"]
    run = uuid.uuid4().hex
    for number in range(5):
        item = {"pk": {"S": f"{run}{number}"}, "sk": {"S": f"2026-{number}"}, "listing": {"S": run}}
        client.put_item(TableName=table, Item=item)
    pages = client.get_paginator("query").paginate(
        TableName=table,
        IndexName="listing",
        KeyConditionExpression="listing = :l",
        ExpressionAttributeValues={":l": {"S": run}},
        ScanIndexForward=False,
        PaginationConfig={"PageSize": 2},
    )
    assert [item["sk"]["S"] for page in pages for item in page["Items"]] == [f"2026-{n}" for n in (4, 3, 2, 1, 0)]


def test_a_batch_is_written_and_read_whole(place: Place) -> None:
    client, table = place.client("dynamodb"), place.outputs["Table"]
    run = uuid.uuid4().hex
    puts = [{"PutRequest": {"Item": {"pk": {"S": run}, "sk": {"S": f"{number:02}"}}}} for number in range(25)]
    assert client.batch_write_item(RequestItems={table: puts})["UnprocessedItems"] == {}
    found = client.query(
        TableName=table, KeyConditionExpression="pk = :p", ExpressionAttributeValues={":p": {"S": run}}
    )
    assert [item["sk"]["S"] for item in found["Items"]] == [f"{number:02}" for number in range(25)]


def test_what_a_function_logs_is_found_by_its_text(place: Place) -> None:
    text = uuid.uuid4().hex
    lines = [f"line {number} {text}" for number in range(300)]
    place.invoke(do="log", text="\n".join(lines))
    pages = (
        place.client("logs")
        .get_paginator("filter_log_events")
        .paginate(logGroupName=f"/aws/lambda/{place.outputs['Probe']}", filterPattern=f'"{text}"')
    )
    assert [event["message"] for page in pages for event in page["events"]] == lines


def test_a_failure_and_its_traceback_are_logged(place: Place) -> None:
    text = uuid.uuid4().hex
    place.invoke(do=text)
    found = place.client("logs").filter_log_events(
        logGroupName=f"/aws/lambda/{place.outputs['Probe']}", filterPattern=f'"{text}"'
    )["events"]
    assert any(f"KeyError: '{text}'" in event["message"] for event in found)


def test_a_function_may_wait_for_another_while_all_workers_are_busy(place: Place) -> None:
    """Each of many callers holds a worker and asks its own function, whose turns are all taken, and then another."""
    state = {
        "Type": "Map",
        "Items": list(range(12)),
        "MaxConcurrency": 12,
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "INLINE"},
            "StartAt": "Ask",
            "States": {
                "Ask": {
                    **place.task(),
                    "Arguments": {
                        "FunctionName": place.outputs["Asker"],
                        "Payload": {"do": "sleep", "seconds": 0.1, "itself": 1},
                    },
                }
            },
        },
        "End": True,
    }
    told = place.run({"All": state})
    assert json.loads(told["output"]) == ["slept"] * 12


def test_a_function_that_takes_too_long_is_ended(place: Place) -> None:
    kind, answer = place.invoke(do="sleep", seconds=30)
    assert kind == "Unhandled"
    assert answer["errorType"] == "Sandbox.Timedout"
    assert "Task timed out after 3" in answer["errorMessage"]
    assert place.invoke(do="echo", value=1) == (None, 1)
