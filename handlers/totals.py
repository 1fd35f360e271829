"""Totals: add the changes of records to the totals of their recipes."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.typing import LambdaContext

from fanfold.aws.stores import Stores
from fanfold.aws.totals import ChangeProcessor

logger = Logger()
stores = Stores.from_environment()
processor = ChangeProcessor()


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    answer = process_partial_response(event, stores.totals.apply, processor, context)
    why = sorted({str(error) for _, error, _ in processor.exceptions})
    logger.info("totals done", records=len(event["Records"]), refused=len(answer["batchItemFailures"]), why=why)
    return answer
