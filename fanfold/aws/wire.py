"""DynamoDB's JSON protocol itself, for the calls that are made by the thousand.

Of the time that boto3 takes to write a batch of records, nine tenths go into validating, serialising and signing
it. What is left out here is that; the client's endpoint, region, credentials, proxies, certificates and
`before-send` events hold as for any other call.
"""

from __future__ import annotations

import hashlib
import hmac
import time
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import urllib3
from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import ClientError, NoCredentialsError
from botocore.hooks import first_non_none_response
from botocore.httpsession import create_urllib3_context, get_cert_path
from botocore.utils import get_environ_proxies

from fanfold.errors import TransientError

VERSION = "DynamoDB_20120810"
CONTENT_TYPE = "application/x-amz-json-1.0"

_NO_DELAY = [(6, 1, 1)]
"""TCP_NODELAY: else the kernel keeps the body back until the server has acknowledged the headers."""


@lru_cache(maxsize=4)
def _key(secret: str, scope: str) -> bytes:
    """Return the key that signs the requests of one day to one service of one region."""
    key = f"AWS4{secret}".encode()
    for word in scope.split("/"):
        key = hmac.digest(key, word.encode(), "sha256")
    return key


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs requests to DynamoDB (https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html)."""

    region: str
    host: str

    def headers(self, credentials: Any, target: str, body: bytes, now: float) -> dict[str, str]:
        """Return the headers of a request, its signature among them; `now` in seconds of the epoch."""
        at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        signed = {"content-type": CONTENT_TYPE, "host": self.host, "x-amz-date": at}
        if credentials.token:
            signed["x-amz-security-token"] = credentials.token
        signed["x-amz-target"] = target
        names = ";".join(signed)
        listed = "".join(f"{name}:{value}\n" for name, value in signed.items())
        request = f"POST\n/\n\n{listed}\n{names}\n{hashlib.sha256(body).hexdigest()}"
        scope = f"{at[:8]}/{self.region}/dynamodb/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        signature = hmac.digest(_key(credentials.secret_key, scope), text.encode(), "sha256").hex()
        credential = f"{credentials.access_key}/{scope}"
        signed["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"
        )
        return signed


class Wire:
    """Calls of DynamoDB, from bytes to bytes. Threads may share it."""

    def __init__(self, client: Any, credentials: Any, ca_bundle: str | None = None) -> None:
        """client: boto3's, for DynamoDB. credentials: botocore's, which renew themselves; None where there are none."""
        url = urlsplit(client.meta.endpoint_url)
        default_port = {"http": 80, "https": 443}[url.scheme]
        host = url.hostname if url.port in (None, default_port) else f"{url.hostname}:{url.port}"
        self._url = f"{url.scheme}://{host}/"
        self._client = client
        self._credentials = credentials
        self._signer = Signer(client.meta.region_name, str(host))
        self._agent = client.meta.config.user_agent
        self._pool, self._target = _pool(self._url, client.meta.config, ca_bundle)

    def call(self, operation: str, body: bytes) -> Any:
        """Do one operation; return what the answer's JSON says.

        Raises botocore's ClientError with DynamoDB's code, as boto3 would, and TransientError where no answer, or no
        whole one, came.
        """
        import orjson

        if self._credentials is None:
            raise NoCredentialsError
        headers = self._signer.headers(
            self._credentials.get_frozen_credentials(), f"{VERSION}.{operation}", body, time.time()
        )
        headers["user-agent"] = self._agent
        status, answered, data = self._send(operation, headers, body)
        checksum = answered.get("x-amz-crc32")
        if checksum is not None and int(checksum) != zlib.crc32(data):
            raise TransientError(f"DynamoDB's answer to {operation} was damaged on its way")
        if status == 200:
            return orjson.loads(data)
        raise ClientError(_error(status, data), operation)

    def _send(self, operation: str, headers: Any, body: bytes) -> tuple[int, Any, bytes]:
        request = AWSPreparedRequest("POST", self._url, headers, body, False)
        told = self._client.meta.events.emit(f"before-send.dynamodb.{operation}", request=request)
        answer = first_non_none_response(told)
        if answer is not None:
            return answer.status_code, answer.headers, answer.content
        try:
            found = self._pool.urlopen(
                "POST", self._target, body=body, headers=headers, retries=False, assert_same_host=False
            )
        except urllib3.exceptions.HTTPError as error:
            raise TransientError(f"DynamoDB did not answer {operation}: {error}") from error
        return found.status, found.headers, found.data


def _pool(url: str, config: Any, ca_bundle: Any) -> tuple[Any, str]:
    """Return a pool of connections to an endpoint, and how a request names the endpoint on them."""
    is_tls = url.startswith("https:")
    settings: dict[str, Any] = {
        "maxsize": config.max_pool_connections,
        "block": True,
        "timeout": urllib3.Timeout(connect=config.connect_timeout, read=config.read_timeout),
        "socket_options": _NO_DELAY,
    }
    if is_tls:
        settings |= {
            "ssl_context": create_urllib3_context(),
            "cert_reqs": "CERT_REQUIRED",
            "ca_certs": get_cert_path(ca_bundle or True),
        }
    proxy = get_environ_proxies(url).get("https" if is_tls else "http")
    manager = urllib3.ProxyManager(proxy, **settings) if proxy else urllib3.PoolManager(**settings)
    # A proxy of plain HTTP is told the whole address; a tunnel of TLS, and the endpoint itself, only the path.
    return manager.connection_from_url(url), url if proxy and not is_tls else "/"


def _error(status: int, data: bytes) -> Any:
    """Return an error answer as botocore tells it: its code and message, and nothing of what was sent."""
    import orjson

    try:
        said = orjson.loads(data)
    except orjson.JSONDecodeError:
        said = {}
    said = said if isinstance(said, dict) else {}
    code = str(said.get("__type", status)).rpartition("#")[2]
    message = said.get("message") or said.get("Message") or ""
    return {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
