"""The wire: what is sent is what boto3 would send, and what comes back means what it would mean there."""

from __future__ import annotations

import json
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from fanfold.aws import records as records_module
from fanfold.aws.account import Account
from fanfold.aws.records import Records
from fanfold.aws.wire import CONTENT_TYPE, Signer
from fanfold.errors import AccessDenied, TransientError
from fanfold.job import Job
from fanfold.model import ObjectRef, Record
from tests.aws.endpoint import Answer, Endpoint, serving, tunnelling
from tests.fakes import table_recipe

JOB = Job(ObjectRef("uploads", "orders/a.csv", 1, "e"), "orders", table_recipe(), "01")
words = st.text("abcdefghijklmnopqrstuvwxyz0123456789/+=", min_size=1, max_size=60)


@given(words, words, st.none() | words, st.binary(max_size=500), st.integers(0, 2**32))
def test_a_signature_is_the_one_that_botocore_makes(
    access: str, secret: str, token: str | None, body: bytes, now: int
) -> None:
    """For any credentials, with a session token and without, any body and any second."""
    host, target = "dynamodb.eu-central-1.amazonaws.com", "DynamoDB_20120810.BatchWriteItem"
    credentials = Credentials(access, secret, token)
    made = Signer("eu-central-1", host).headers(credentials, target, body, now)
    request = AWSRequest(
        "POST", f"https://{host}/", headers={"Content-Type": CONTENT_TYPE, "X-Amz-Target": target}, data=body
    )
    at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    request.context["timestamp"] = at
    signer = SigV4Auth(credentials, "dynamodb", "eu-central-1")
    request.headers["X-Amz-Date"] = at
    if token:
        request.headers["X-Amz-Security-Token"] = token
    expected = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    assert made["authorization"].endswith(f"Signature={expected}")
    assert f"SignedHeaders={signer.signed_headers(signer.headers_to_sign(request))}," in made["authorization"]
    assert made.get("x-amz-security-token") == token


def account(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> Account:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", endpoint.url)
    for name, value in (("ACCESS_KEY_ID", "AK"), ("SECRET_ACCESS_KEY", "SK"), ("SESSION_TOKEN", "a-token")):
        monkeypatch.setenv(f"AWS_{name}", value)
    return Account(region="eu-central-1")


def table(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> Records:
    found = account(endpoint, monkeypatch)
    monkeypatch.setattr(records_module, "PAUSE_S", 0.001)
    return Records(found.client("dynamodb"), "records", found.wire())


def some(count: int) -> list[Record]:
    return [Record("p", None, number, {"n": number}) for number in range(count)]


def sent(endpoint: Endpoint) -> list[list[int]]:
    """Return the ordinals of the items of each request."""
    requests = [json.loads(body)["RequestItems"]["records"] for _, body in endpoint.asked]
    return [[int(one["PutRequest"]["Item"]["ordinal"]["N"]) for one in request] for request in requests]


def test_a_request_names_the_region_the_token_and_the_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as endpoint:
        account(endpoint, monkeypatch).wire().call("BatchWriteItem", b"{}")
        [(headers, body)] = endpoint.asked
    assert body == b"{}"
    assert headers["x-amz-security-token"] == "a-token"
    assert headers["x-amz-target"] == "DynamoDB_20120810.BatchWriteItem"
    assert "/eu-central-1/dynamodb/aws4_request" in headers["authorization"]
    assert headers["host"] == endpoint.url.removeprefix("http://")


def test_credentials_that_are_renewed_sign_the_next_request(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as endpoint:
        wire = account(endpoint, monkeypatch).wire()
        frozen = iter([Credentials("FIRST", "s", "t1"), Credentials("SECOND", "s", "t2")])

        class Renewing:
            def get_frozen_credentials(self) -> Credentials:
                return next(frozen)

        monkeypatch.setattr(wire, "_credentials", Renewing())
        for _ in range(2):
            wire.call("BatchWriteItem", b"{}")
        tokens = [headers["x-amz-security-token"] for headers, _ in endpoint.asked]
        keys = [headers["authorization"].split("=")[1].split("/")[0] for headers, _ in endpoint.asked]
    assert (tokens, keys) == (["t1", "t2"], ["FIRST", "SECOND"])


def test_an_event_handler_of_the_client_sees_the_request_and_may_answer_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in for AWS in a test, or records calls, holds for the wire too."""
    from botocore.awsrequest import AWSResponse

    with serving() as endpoint:
        found = account(endpoint, monkeypatch)
        seen: list[Any] = []

        class Raw:
            def stream(self, **_: Any) -> Any:
                yield b'{"from": "handler"}'

        def answer(request: Any, **_: Any) -> AWSResponse:
            seen.append(request)
            return AWSResponse(request.url, 200, {}, Raw())

        found.client("dynamodb").meta.events.register("before-send.dynamodb.BatchWriteItem", answer)
        assert found.wire().call("BatchWriteItem", b"{}") == {"from": "handler"}
        assert endpoint.asked == []
    assert seen[0].body == b"{}"


PUT = [{"PutRequest": {"Item": {"ordinal": {"N": str(number)}}}} for number in (3, 7)]


@pytest.mark.parametrize(
    "refusal",
    [
        Answer({"__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"}, 400),
        Answer({"__type": "com.amazon.coral.availability#ThrottlingException", "message": "slow"}, 400),
        Answer({"__type": "com.amazonaws.dynamodb.v20120810#InternalServerError"}, 500),
        Answer({}, 503),
        Answer({"UnprocessedItems": {}}, checksum=1),
        Answer(hangs_up=True),
    ],
)
def test_what_was_refused_for_a_passing_reason_is_sent_again(refusal: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A throttled call, a broken server, a damaged answer, a lost connection."""
    with serving(refusal, refusal) as endpoint:
        assert table(endpoint, monkeypatch).write(JOB, some(10)) == 10
        assert sent(endpoint) == [list(range(10))] * 3


def test_only_what_was_not_processed_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Answer({"UnprocessedItems": {"records": PUT}})) as endpoint:
        table(endpoint, monkeypatch).write(JOB, some(10))
        assert sent(endpoint) == [list(range(10)), [3, 7]]


def test_a_table_that_never_takes_them_is_a_transient_error(monkeypatch: pytest.MonkeyPatch) -> None:
    refusals = [Answer({"UnprocessedItems": {"records": PUT}})] * records_module.ATTEMPTS
    with serving(*refusals) as endpoint, pytest.raises(TransientError, match=r"10 records .* 12 attempts"):
        table(endpoint, monkeypatch).write(JOB, some(10))


@pytest.mark.parametrize(
    ("name", "wanted"), [("AccessDeniedException", AccessDenied), ("ValidationException", ClientError)]
)
def test_what_can_never_succeed_is_not_tried_again(
    name: str, wanted: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = Answer({"__type": f"com.amazonaws.dynamodb.v20120810#{name}", "Message": "a reason"}, 400)
    with serving(answer) as endpoint:
        with pytest.raises(wanted, match="a reason") as raised:
            table(endpoint, monkeypatch).write(JOB, some(2))
        assert len(endpoint.asked) == 1
    assert "ordinal" not in str(raised.value)


def test_a_batch_has_25_items_and_every_item_is_sent_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as endpoint:
        table(endpoint, monkeypatch).write(JOB, some(1030))
        batches = sent(endpoint)
    assert sorted(number for batch in batches for number in batch) == list(range(1030))
    assert max(map(len, batches)) == 25


def test_nothing_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as endpoint:
        wire = account(endpoint, monkeypatch).wire()
    with pytest.raises(TransientError, match="did not answer BatchWriteItem"):
        wire.call("BatchWriteItem", b"{}")


def certified(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Return a server's side of TLS at 127.0.0.1, and the certificate that a client is to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(
            name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(hours=1)
        )
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    trusted, kept = folder / "trusted.pem", folder / "key.pem"
    trusted.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    kept.write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted, kept)
    return context, trusted


def test_over_tls_the_server_must_have_a_certificate_that_the_caller_trusts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, trusted = certified(tmp_path)
    with serving(tls=context) as endpoint:
        with pytest.raises(TransientError, match="CERTIFICATE_VERIFY_FAILED"):
            account(endpoint, monkeypatch).wire().call("BatchWriteItem", b"{}")
        monkeypatch.setenv("AWS_CA_BUNDLE", str(trusted))
        assert account(endpoint, monkeypatch).wire().call("BatchWriteItem", b"{}") == {}
        assert len(endpoint.asked) == 1


def test_a_proxy_is_told_the_whole_address(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        assert account(Endpoint("http://dynamodb.invalid"), monkeypatch).wire().call("BatchWriteItem", b"{}") == {}
        [(headers, _)] = proxy.asked
    assert headers["host"] == "dynamodb.invalid"


def test_through_a_proxy_tls_reaches_to_the_endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, trusted = certified(tmp_path)
    with serving(tls=context) as endpoint, tunnelling() as (proxy, joined):
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("AWS_CA_BUNDLE", str(trusted))
        wire = account(endpoint, monkeypatch).wire()
        assert [wire.call("BatchWriteItem", b"{}") for _ in range(2)] == [{}, {}]
        assert joined == [endpoint.url.removeprefix("https://")]


def test_many_requests_are_on_their_way_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of these answers comes before the last request did."""
    gate = threading.Barrier(3, timeout=30)
    with serving(*(Answer({"number": number}, gate=gate) for number in range(3))) as endpoint:
        wire = account(endpoint, monkeypatch).wire()
        waiting = [wire.send("BatchWriteItem", b"{}") for _ in range(3)]
        assert sorted(wait()["number"] for wait in reversed(waiting)) == [0, 1, 2]
