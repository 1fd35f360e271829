"""DynamoDB's JSON protocol itself, for the calls that are made by the thousand.

Of the time that boto3 takes to write a batch of records, nine tenths go into validating, serialising and signing
it. What is left out here is that; the client's endpoint, region, credentials, proxies, certificates and
`before-send` events hold as for any other call.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import time
import weakref
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, NoReturn
from urllib.parse import urlsplit

import urllib3
from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import ClientError, NoCredentialsError
from botocore.hooks import first_non_none_response
from botocore.httpsession import create_urllib3_context, get_cert_path
from botocore.utils import get_environ_proxies
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import HTTPResponse

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


_NO_ANSWER = (OSError, http.client.HTTPException, urllib3.exceptions.HTTPError)


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
        self._line = Line(self._url, client.meta.config, ca_bundle)

    def call(self, operation: str, body: bytes) -> Any:
        """Do one operation; return what the answer's JSON says.

        Raises botocore's ClientError with DynamoDB's code, as boto3 would, and TransientError where no answer, or no
        whole one, came.
        """
        return self.send(operation, body)()

    def send(self, operation: str, body: bytes) -> Callable[[], Any]:
        """Send a request; return what waits for its answer, and returns or raises what `call` would.

        Many may be on their way at once, without a thread for each: handing the interpreter from thread to thread
        took more time than the requests themselves.
        """
        if self._credentials is None:
            raise NoCredentialsError
        headers: Any = self._signer.headers(
            self._credentials.get_frozen_credentials(), f"{VERSION}.{operation}", body, time.time()
        )
        headers["user-agent"] = self._agent
        request = AWSPreparedRequest("POST", self._url, headers, body, False)
        told = self._client.meta.events.emit(f"before-send.dynamodb.{operation}", request=request)
        answer = first_non_none_response(told)
        if answer is not None:
            return lambda: _meaning(operation, answer.status_code, answer.headers, answer.content)
        try:
            connection = self._line.send(body, headers)
        except _NO_ANSWER as error:
            return partial(_unanswered, operation, error)
        return lambda: self._answer(operation, connection)

    def _answer(self, operation: str, connection: HTTPConnection) -> Any:
        try:
            found = self._line.answer(connection)
        except _NO_ANSWER as error:
            _unanswered(operation, error)
        return _meaning(operation, found.status, found.headers, found.data)


class Line:
    """Connections to one endpoint that are used again and again, as many as there are requests on their way."""

    def __init__(self, url: str, config: Any, ca_bundle: Any) -> None:
        self._url = urlsplit(url)
        self._is_tls = self._url.scheme == "https"
        self._timeouts_s = config.connect_timeout, config.read_timeout
        self._trusted = get_cert_path(ca_bundle or True) if self._is_tls else None
        proxy = get_environ_proxies(url).get(self._url.scheme)
        self._proxy = urllib3.ProxyManager(proxy) if proxy else None
        # A proxy of plain HTTP is told the whole address; a tunnel of TLS, and the endpoint itself, only the path.
        self._target = url if proxy and not self._is_tls else "/"
        self._open: set[HTTPConnection] = set()
        self._idle: list[HTTPConnection] = []
        weakref.finalize(self, _close_all, self._open)

    def send(self, body: bytes, headers: dict[str, str]) -> HTTPConnection:
        """Send a request; return the connection that its answer will come on."""
        connection = self._idle_one() or self._new()
        try:
            connection.request("POST", self._target, body=body, headers=headers)
        except _NO_ANSWER:
            self._close(connection)
            raise
        return connection

    def answer(self, connection: HTTPConnection) -> HTTPResponse:
        """Wait for the answer to what was sent on a connection."""
        try:
            found = connection.getresponse()
        except _NO_ANSWER:
            self._close(connection)
            raise
        self._idle.append(connection)
        return found

    def _close(self, connection: HTTPConnection) -> None:
        connection.close()
        self._open.discard(connection)

    def _idle_one(self) -> HTTPConnection | None:
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # another thread was faster
                return None
            if connection.is_connected:
                return connection
            self._close(connection)
        return None

    def _new(self) -> HTTPConnection:
        url, proxy = self._url, self._proxy
        host, port = url.hostname, url.port
        settings: dict[str, Any] = {"timeout": self._timeouts_s[0], "socket_options": _NO_DELAY}
        if proxy and proxy.proxy:
            host, port = proxy.proxy.host, proxy.proxy.port
            settings |= {"proxy": proxy.proxy, "proxy_config": proxy.proxy_config}
        if self._is_tls:
            context = create_urllib3_context()
            settings |= {"ssl_context": context, "cert_reqs": "CERT_REQUIRED", "ca_certs": self._trusted}
        made = (HTTPSConnection if self._is_tls else HTTPConnection)(str(host), port, **settings)
        self._open.add(made)
        if proxy and proxy.proxy and self._is_tls:
            made.set_tunnel(str(url.hostname), url.port or 443, proxy.proxy_headers, str(proxy.proxy.scheme))
        try:
            made.connect()
        except _NO_ANSWER:
            self._close(made)
            raise
        made.timeout = self._timeouts_s[1]
        return made


def _close_all(connections: set[HTTPConnection]) -> None:
    for connection in connections:
        connection.close()


def _unanswered(operation: str, error: Exception) -> NoReturn:
    raise TransientError(f"DynamoDB did not answer {operation}: {error}") from error


def _meaning(operation: str, status: int, headers: Any, data: bytes) -> Any:
    import orjson

    checksum = headers.get("x-amz-crc32")
    if checksum is not None and int(checksum) != zlib.crc32(data):
        raise TransientError(f"DynamoDB's answer to {operation} was damaged on its way")
    if status == 200:
        return orjson.loads(data)
    raise ClientError(_error(status, data), operation)


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
