"""Dead letters of every queue are looked at and sent again; what is refused stays, with the reason beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fanfold import replay, sending, watch
from fanfold.aws.stack import Stack
from tests.console.conftest import Console
from tests.console.jobs import MARKUP
from tests.engine.place import until


@pytest.fixture
def put(engine_stack: Stack) -> Iterator[Any]:
    """Return what puts letters into a queue; at the end it is emptied."""
    sqs, used = engine_stack.account.client("sqs"), set()

    def into(name: str, *bodies: Any) -> None:
        used.add(engine_stack.queues[name])
        for body in bodies:
            text = body if isinstance(body, str) else json.dumps(body)
            sqs.send_message(QueueUrl=engine_stack.queues[name], MessageBody=text)

    yield into
    for url in used:
        sqs.purge_queue(QueueUrl=url)


def looked_at(page: Any, console: Console, queue: str) -> Any:
    """Return the section of a queue, its letters looked at."""
    page.goto(f"{console.base}/dead-letters")
    section = page.locator(f"section:has(h2:text-is('{queue}'))")
    section.get_by_text("Look at them").click()
    section.locator("tbody tr").first.wait_for()
    return section


def test_an_upload_is_taken_in_again(console: Console, engine_stack: Stack, visit: Any, put: Any) -> None:
    engine_stack.account.client("s3").put_object(Bucket=engine_stack.uploads, Key="letters/again.csv", Body=b"a\n1\n")
    found = engine_stack.account.client("s3").head_object(Bucket=engine_stack.uploads, Key="letters/again.csv")
    detail = {
        "bucket": {"name": engine_stack.uploads},
        "object": {"key": "letters/again.csv", "size": 4, "etag": found["ETag"].strip('"'), "sequencer": "ff",
                   "version-id": found["VersionId"]},
    }  # fmt: skip
    put("IntakeDeadLetters", {"detail": detail}, MARKUP)
    page = visit(console)
    section = looked_at(page, console, "IntakeDeadLetters")
    for at in range(2):
        section.locator("summary").nth(at).click()
    assert MARKUP in section.inner_text()
    section.locator("tbody tr", has_not=page.locator("text=letters/again.csv")).locator("input").uncheck()
    section.get_by_text("Send them again to IntakeQueue").click()
    page.wait_for_url("**/dead-letters")
    assert section.locator("tbody tr").count() == 1
    jobs = engine_stack.stores.jobs
    until(lambda: jobs.of_object(engine_stack.uploads, "letters/again.csv").get("sequencer", "")[:2] == "FF")


def test_the_end_of_a_run_is_recorded_again(
    console: Console, engine_stack: Stack, visit: Any, put: Any, tmp_path: Path
) -> None:
    (tmp_path / "heard.csv").write_text("a\n1\n")
    job = sending.taken(engine_stack, sending.send(engine_stack, tmp_path / "heard.csv", None, None))["job"]
    item = replay.wait(engine_stack, job)
    event = watch.event_of(
        engine_stack.account.client("stepfunctions").describe_execution(executionArn=item["execution"])
    )
    event["detail"]["name"] = item["execution"].rpartition(":")[2]
    page = visit(console)
    put("WatchDeadLetters", event, MARKUP)
    section = looked_at(page, console, "WatchDeadLetters")
    # As if the end had never been heard of; no page that would ask for it is open.
    engine_stack.account.client("dynamodb").update_item(
        TableName=engine_stack.stores.jobs_table,
        Key={"pk": {"S": f"job#{job}"}, "sk": {"S": "job"}},
        UpdateExpression="SET #status = :running, #order = :least",
        ExpressionAttributeNames={"#status": "status", "#order": "order"},
        ExpressionAttributeValues={":running": {"S": "RUNNING"}, ":least": {"S": "0"}},
    )
    section.get_by_text("Send them again to Watch").click()
    until(lambda: engine_stack.stores.jobs.get(job)["status"] == "SUCCEEDED")
    left = section.locator("tbody tr")
    left.locator(".error").wait_for()
    assert left.count() == 1
    assert f"UnknownLetter {MARKUP!r} is no status of an execution" in left.inner_text()


def test_changes_are_added_up_again_each_once(console: Console, engine_stack: Stack, visit: Any, put: Any) -> None:
    dynamodb, table = engine_stack.account.client("dynamodb"), engine_stack.stores.records_table
    stream = engine_stack.account.client("dynamodbstreams")
    total = {"pk": {"S": "totals#letters"}, "sk": {"S": "by:n#x"}}

    def told() -> list[tuple[int, int]]:
        return [(int(one["sum"]), int(one["count"])) for one in engine_stack.stores.totals.read("letters")]

    for sk, amount in (("a", "5"), ("b", "7")):
        totals = {"L": [{"L": [{"S": "by:n"}, {"S": "x"}, {"N": amount}]}]}
        dynamodb.put_item(TableName=table, Item={"pk": {"S": "record#letters#k"}, "sk": {"S": sk}, "totals": totals})
    until(lambda: told() == [(12, 2)])
    arn = dynamodb.describe_table(TableName=table)["Table"]["LatestStreamArn"]
    [shard] = stream.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    place = {"StreamArn": arn, "ShardId": shard["ShardId"]}
    iterator, changes = stream.get_shard_iterator(**place, ShardIteratorType="TRIM_HORIZON")["ShardIterator"], []
    while page := stream.get_records(ShardIterator=iterator):
        changes += [one for one in page["Records"] if one["dynamodb"]["Keys"]["pk"]["S"] == "record#letters#k"]
        if len(changes) == 2 or not page["Records"]:
            break
        iterator = page["NextShardIterator"]
    first, last = (one["dynamodb"]["SequenceNumber"] for one in changes)
    batch = {"streamArn": arn, "shardId": shard["ShardId"], "startSequenceNumber": first, "endSequenceNumber": last}
    batch |= {"batchSize": 2, "approximateArrivalOfFirstRecord": "2026-11-27T10:00:00Z"}
    gone = {**batch, "startSequenceNumber": f"{1:030}", "approximateArrivalOfFirstRecord": "the day before"}
    strange = {**batch, "startSequenceNumber": "1", "approximateArrivalOfFirstRecord": "never"}
    put(
        "TotalsDeadLetters",
        {"DDBStreamBatchInfo": batch},
        {"DDBStreamBatchInfo": gone},
        {"DDBStreamBatchInfo": strange},
    )

    page = visit(console)
    section = looked_at(page, console, "TotalsDeadLetters")
    row = section.locator("tbody tr:has-text('2026-11-27T10:00:00Z')")
    old = section.locator("tbody tr:has-text('the day before')")
    # As if Totals had never taken the changes: their markers and what they added are away, and a total is no number.
    for one in changes:
        dynamodb.delete_item(TableName=table, Key={"pk": {"S": f"change#{one['eventID']}"}, "sk": {"S": "change"}})
    dynamodb.put_item(TableName=table, Item=total | {"sum": {"S": "none"}})
    section.get_by_text("Send them again to Totals").click()
    row.locator(".error").wait_for()
    assert "NotTaken" in row.inner_text()
    assert "ChangesGone" in old.inner_text()
    assert "keeps a change for 24 hours" in old.inner_text()
    assert "name the recipe anew" in old.inner_text(), "a remedy"
    assert "UnknownLetter" in section.locator("tbody tr:has-text('of never')").inner_text()
    assert not row.locator("input").is_checked(), "what was refused is not chosen again by itself"

    dynamodb.delete_item(TableName=table, Key=total)
    row.locator("input").check()
    section.get_by_text("Send them again to Totals").click()
    row.wait_for(state="detached")
    old.wait_for()  # the page comes anew
    assert old.count() == 1
    assert told() == [(12, 2)]
    put("TotalsDeadLetters", {"DDBStreamBatchInfo": batch})
    section = looked_at(page, console, "TotalsDeadLetters")
    row.wait_for()
    section.locator("tbody tr", has_not_text="2026-11-27T10:00:00Z").locator("input").first.uncheck()
    section.locator("tbody tr", has_not_text="2026-11-27T10:00:00Z").locator("input").last.uncheck()
    section.get_by_text("Send them again to Totals").click()
    row.wait_for(state="detached")
    assert told() == [(12, 2)], "twice is once"
