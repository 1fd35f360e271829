"""Index: write the records of one certified part to DynamoDB."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from fanfold import steps
from fanfold.aws.stores import Stores

logger = Logger()
stores = Stores.from_environment()


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    logger.append_keys(job=event["job"], line=event["line"]["id"], attempt=event["attempt"])
    logger.info("index begins")
    answer = steps.index(event, stores)
    logger.info("index done", reused=answer["reused"])
    return answer
