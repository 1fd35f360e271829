"""The processes that run functions."""

from __future__ import annotations


def end() -> None:
    """End all workers."""
    from ministack.core import lambda_runtime

    lambda_runtime.reset()
