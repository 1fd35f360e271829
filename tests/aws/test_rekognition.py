"""Rekognition as an engine: what is sent, what comes of the answers, and of AWS's errors."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.stub import ANY, Stubber
from PIL import Image

from fanfold.aws.account import Account
from fanfold.aws.rekognition import Rekognition
from fanfold.errors import AccessDenied, PermanentError, TransientError
from fanfold.recognition import FACES, TEXT, Face, Picture, Word
from tests.fakes import REGION, rekognition_answer

LIMIT_BYTES = 5_000_000


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Rekognition, Stubber]]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    client = Account(region=REGION).client("rekognition")
    with Stubber(client) as stub:
        yield Rekognition(client), stub
        stub.assert_no_pending_responses()


def noise(width: int, height: int) -> Picture:
    return Picture(width, height, random.Random(1).randbytes(3 * width * height))


def sent_by(engine: Rekognition, stub: Stubber, picture: Picture) -> Image.Image:
    """Return the picture that is sent."""
    kept: list[bytes] = []
    events = engine._client.meta.events
    events.register("provide-client-params.rekognition.*", lambda params, **_: kept.append(params["Image"]["Bytes"]))
    stub.add_response("detect_text", {"TextDetections": []}, {"Image": {"Bytes": ANY}})
    engine.recognise(picture, [TEXT])
    assert len(kept[0]) < LIMIT_BYTES
    return Image.open(io.BytesIO(kept[0]))


def test_the_largest_piece_is_sent_unchanged_within_the_limit(engine: tuple[Rekognition, Stubber]) -> None:
    """Noise is the worst that can be: nothing of it can be packed."""
    picture = noise(1024, 1024)
    sent = sent_by(*engine, picture)
    assert (sent.format, sent.size, sent.tobytes()) == ("PNG", (1024, 1024), picture.rgb)


def test_a_piece_that_is_too_small_is_sent_on_white(engine: tuple[Rekognition, Stubber]) -> None:
    picture = noise(100, 3)
    sent = sent_by(*engine, picture)
    assert sent.size == (100, 80)
    assert sent.crop((0, 0, 100, 3)).tobytes() == picture.rgb
    assert sent.crop((0, 3, 100, 80)).getextrema() == ((255, 255),) * 3


def test_answers_are_lines_with_their_words_and_faces_in_pixels(engine: tuple[Rekognition, Stubber]) -> None:
    rekognition, stub = engine
    stub.add_response("detect_text", rekognition_answer("Pizza 9.50", "closed"))
    box = {"Left": 0.25, "Top": 0.5, "Width": 0.25, "Height": 0.25}
    stub.add_response("detect_faces", {"FaceDetails": [{"BoundingBox": box, "Confidence": 98.5}]})
    found = rekognition.recognise(noise(200, 100), [TEXT, FACES])
    assert [text.text for text in found.texts] == ["Pizza 9.50", "closed"]
    first = found.texts[0]
    assert (first.score, first.box) == (0.99, (0, 0, 200, 50))
    assert first.words == (Word("Pizza", (0, 0, 100, 50)), Word("9.50", (100, 0, 200, 50)))
    assert found.faces == [Face(0.985, (50, 50, 100, 75))]
    assert not found.is_full


def test_only_what_is_asked_for_is_paid_for(engine: tuple[Rekognition, Stubber]) -> None:
    rekognition, stub = engine
    stub.add_response("detect_faces", {"FaceDetails": []})
    assert rekognition.recognise(noise(90, 90), [FACES]).faces == []


def test_an_answer_of_a_hundred_words_may_not_be_all(engine: tuple[Rekognition, Stubber]) -> None:
    """https://docs.aws.amazon.com/rekognition/latest/dg/text-detection.html"""
    rekognition, stub = engine
    for count in (99, 100):
        stub.add_response("detect_text", rekognition_answer(*["word"] * count))
        assert rekognition.recognise(noise(90, 90), [TEXT]).is_full == (count == 100)


@pytest.mark.parametrize(
    ("code", "status", "error", "says"),
    [
        ("ProvisionedThroughputExceededException", 400, TransientError, "asking Rekognition to detect text"),
        ("ThrottlingException", 400, TransientError, "ThrottlingException"),
        ("InternalServerError", 500, TransientError, "InternalServerError"),
        ("AccessDeniedException", 400, AccessDenied, "no right"),
        ("400", 400, PermanentError, "use `engine: embedded`"),
        ("UnknownOperationException", 400, PermanentError, "there is no Rekognition at"),
    ],
)
def test_errors_of_aws_are_ours(
    engine: tuple[Rekognition, Stubber], code: str, status: int, error: type[Exception], says: str
) -> None:
    rekognition, stub = engine
    answer: dict[str, Any] = {"service_error_code": code, "service_message": "no right", "http_status_code": status}
    stub.add_client_error("detect_text", **answer)
    with pytest.raises(error, match=says):
        rekognition.recognise(noise(90, 90), [TEXT])
