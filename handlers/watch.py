"""Watch: keep the Jobs table true to the status of the executions."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from fanfold import watch
from fanfold.aws.stores import Stores

logger = Logger()
stores = Stores.from_environment()


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    recorded = watch.observe(event, stores)
    logger.info("execution %s", event["detail"]["status"], execution=event["detail"]["name"], recorded=recorded)
