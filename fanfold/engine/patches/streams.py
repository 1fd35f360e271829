"""DynamoDB streams: what a function did not take is tried again, split, and in the end sent to a queue.

(https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html)
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from ministack.core.responses import AccountRegionScopedDict
from ministack.services import dynamodb, lambda_svc

from fanfold.engine.mend import Original, Patch

POLL = Original("ministack.services.lambda_svc", "_poll_dynamodb_streams", "2b2460e933a9f3c3")
STATE = Original("ministack.services.dynamodb", "get_state", "ce90690a6033950f")
RESTORE = Original("ministack.services.dynamodb", "_restore_state", "a5aba16053a2e1da")

PAUSE_S = 1.0
"""How long a mapping rests after a failure."""

Record = dict[str, Any]


@dataclass
class Shard:
    """What one event source mapping remembers of its failures."""

    first: str = ""
    """The sequence number of the record that it has tried, `attempts` times."""
    attempts: int = 0
    limit: int | None = None
    """How many records it takes at a time, after a batch was split."""


@dataclass
class Judge:
    """Decides how far a stream advances after a function was given a batch of it."""

    shards: dict[str, Shard] = field(default_factory=dict)

    def size(self, mapping: Record) -> int:
        """Return how many records to give to the function next."""
        limit = self.shards.setdefault(mapping["UUID"], Shard()).limit
        return int(limit or mapping.get("BatchSize", 100))

    def advance(
        self, mapping: Record, function: Record, given: list[Record], raw: list[Record], arn: str, result: Record
    ) -> int:
        """Return by how many of the `raw` records to advance, when the function was `given` those that match."""
        shard = self.shards.setdefault(mapping["UUID"], Shard())
        failed = _failed_at(mapping, given, result)
        if failed is None:
            self.shards[mapping["UUID"]] = Shard()
            mapping["LastProcessingResult"] = f"OK - {len(given)} records"
            return len(raw)
        mapping["LastProcessingResult"] = "FAILED"
        first = _number(given[failed])
        shard.attempts = shard.attempts + 1 if shard.first == first else 1
        shard.first = first
        left = given[failed:]
        if mapping.get("BisectBatchOnFunctionError") and len(left) > 1:
            # Half a batch is a new batch: only one that cannot be split uses up its attempts.
            shard.limit, shard.attempts = max(1, len(left) // 2), 0
        elif 0 <= int(mapping.get("MaximumRetryAttempts", -1)) < shard.attempts:
            lambda_svc._send_ddb_stream_failure_record(mapping, function, left, arn, result, "RetryAttemptsExhausted")
            self.shards[mapping["UUID"]] = Shard()
            return len(raw)
        lambda_svc._esm_backoff_until[mapping["UUID"]] = time.time() + PAUSE_S
        return next(place for place, record in enumerate(raw) if _number(record) == first)


def _number(record: Record) -> str:
    return str(record["dynamodb"]["SequenceNumber"])


def _failed_at(mapping: Record, given: list[Record], result: Record) -> int | None:
    """Return the place of the first record that the function did not take; None when it took all."""
    if result.get("error"):
        return 0
    body = result.get("body")
    if "ReportBatchItemFailures" not in mapping.get("FunctionResponseTypes", []) or not isinstance(body, dict):
        return None
    failures = [failure.get("itemIdentifier") for failure in body.get("batchItemFailures") or []]
    if not failures:
        return None
    places = {_number(record): place for place, record in enumerate(given)}
    # An identifier of no record means that nothing is known of any.
    return min(places.get(failure, 0) for failure in failures)


def _failures() -> None:
    judge = Judge()
    POLL.amend(
        ('            batch_size = esm.get("BatchSize", 100)\n', "            batch_size = _judge.size(esm)\n"),
        ("            raw_len = len(batch)\n", "            raw_len = len(batch)\n            raw_batch = batch\n"),
        (
            "            result = _execute_function(func_rec, event)\n",
            """            result = _execute_function(func_rec, event)
            advance = _judge.advance(esm, func_rec, batch, raw_batch, source_arn, result)
            with _dynamodb_stream_positions_lock:
                _dynamodb_stream_positions[esm_id] = pos + advance
            processed_any = processed_any or advance > 0
            continue
""",
        ),
        _judge=judge,
    )


def _state(state: Record) -> Record:
    """Add to the state of DynamoDB what its streams hold that some function has not seen."""
    records, trimmed = AccountRegionScopedDict(), AccountRegionScopedDict()
    for (account, region, table), found in list(dynamodb._stream_records._data.items()):
        start = dynamodb._stream_trimmed.get_scoped(account, region, table, 0)
        seen = [
            lambda_svc._dynamodb_stream_positions.get_scoped(account, region, mapping["UUID"], start)
            for owner, place, mapping in lambda_svc._iter_all_esms()
            if (owner, place) == (account, region) and f":table/{table}/stream/" in mapping.get("EventSourceArn", "")
        ]
        drop = max(0, min(seen, default=start) - start)
        records.set_scoped(account, region, table, found[drop:])
        trimmed.set_scoped(account, region, table, start + drop)
    number = dynamodb._stream_seq_counter
    return state | {"fanfold_streams": {"records": records, "trimmed": trimmed, "number": number}}


def _kept() -> None:
    state = STATE.value()
    restore = RESTORE.value()
    STATE.replace(lambda: _state(state()))

    def restored(data: Any) -> None:
        restore(data)
        streams = (data or {}).get("fanfold_streams")
        if streams:
            dynamodb._stream_records.update(streams["records"])
            dynamodb._stream_trimmed.update(streams["trimmed"])
            dynamodb._stream_seq_counter = streams["number"]

    RESTORE.replace(restored)


PATCHES = [
    Patch(
        "stream-failures",
        "A function's batchItemFailures, MaximumRetryAttempts and BisectBatchOnFunctionError are ignored for streams.",
        (POLL,),
        _failures,
    ),
    Patch(
        "streams-kept",
        "A stream forgets its records at a restart but not how far they were read, and skips as many new ones.",
        (STATE, RESTORE),
        _kept,
    ),
]
