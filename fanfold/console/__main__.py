"""`python -m fanfold.console --endpoint URL --region NAME --stack NAME`: the console that belongs to an engine."""

from __future__ import annotations

import argparse
import logging
import os

from fanfold.aws.account import Account
from fanfold.aws.stack import Stack
from fanfold.console.serve import attend, serve


def main() -> None:
    """Serve until standard input ends; each line of it is answered with a link."""
    parser = argparse.ArgumentParser()
    for name in ("--endpoint", "--region", "--stack"):
        parser.add_argument(name, required=True)
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    stack = Stack.find(Account(region=given.region, endpoint=given.endpoint), given.stack)
    serve(stack, 0, attend)
    os._exit(0)  # threads that wait for the engine, which ends too, are not waited for


if __name__ == "__main__":
    main()
