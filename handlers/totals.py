"""Totals: add the changes of records to the totals of their recipes."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from fanfold.aws.stores import Stores

logger = Logger()
stores = Stores.from_environment()


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    refused = stores.totals.apply(event["Records"])
    logger.info("totals done", records=len(event["Records"]), refused=refused)
    # The stream delivers again from the first change that is named.
    return {"batchItemFailures": [{"itemIdentifier": refused}] if refused else []}
