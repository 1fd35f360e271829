"""Intake: take the uploads that wait in the queue, and start an execution for each that is work."""

import json
import os
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from fanfold import intake
from fanfold.aws.stores import Stores

logger = Logger()
stores = Stores.from_environment()
processor = BatchProcessor(event_type=EventType.SQS)
machines = json.loads(os.environ["MACHINES"])


def receive(record: SQSRecord) -> None:
    decision = intake.receive(record.json_body, stores, machines)
    logger.info("upload %s", decision.outcome, job=decision.job, reason=decision.reason)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    return process_partial_response(event, receive, processor, context)
