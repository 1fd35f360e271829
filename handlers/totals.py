"""Totals: add each change of a record to the totals of its recipe."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from fanfold.aws.stores import Stores

logger = Logger()
stores = Stores.from_environment()
processor = BatchProcessor(event_type=EventType.DynamoDBStreams)


def apply(record: DynamoDBRecord) -> None:
    stores.totals.apply(record.raw_event["eventID"], record.raw_event["dynamodb"])


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    return process_partial_response(event, apply, processor, context)
