"""AWS's errors as ours: what may be tried again, what was denied, what is not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from fanfold.errors import AccessDenied, SourceChanged, SourceGone, TransientError

# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
PASSING = {
    "InternalError",
    "InternalServerError",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestTimeout",
    "RequestTimeTooSkewed",
    "ServiceUnavailable",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TransactionConflictException",
}
DENIED = {"AccessDenied", "AccessDeniedException", "AllAccessDisabled", "403", "UnauthorizedOperation"}
MISSING = {"NoSuchKey", "NoSuchVersion", "404", "NotFound"}
# S3 answers 412 to If-Match, and 409 where a write met another one.
CHANGED = {"PreconditionFailed", "412", "ConditionalRequestConflict"}


def code(error: ClientError) -> str:
    """Return AWS's code, or the HTTP status where a HEAD left no body to carry one."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise our error for AWS's, `what` saying what was tried; any other code passes through as it is.

    Raises TransientError, AccessDenied, SourceGone (404) or SourceChanged (412).
    """
    try:
        yield
    except ClientError as error:
        name = code(error)
        if name in PASSING or _status(error) >= 500:
            raise TransientError(f"{what}: {name}") from error
        if name in DENIED:
            raise AccessDenied(f"{what}: {error.response.get('Error', {}).get('Message', name)}") from error
        if name in MISSING:
            raise SourceGone(f"{what}: there is no such object or version") from error
        if name in CHANGED:
            raise SourceChanged(f"{what}: the object is no longer the planned version") from error
        raise
    except (ConnectionError, HTTPClientError) as error:
        raise TransientError(f"{what}: {error}") from error
