"""Amazon Transcribe as an engine: what is sent, what is waited for, what is left behind, and what of errors."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterator

import pytest
from moto import mock_aws

from fanfold.aws.stores import Stores
from fanfold.aws.transcribe import FIRST_PAUSE_S, LONGEST_PAUSE_S, WAIT_S, Transcribe
from fanfold.errors import AccessDenied, PermanentError, TranscriptionFailed, TransientError
from fanfold.speech import ENGINES, Word
from tests.fakes import FakeTranscribe, heard, made_stores, mark

SOUND = bytes(range(256)) * 500


class Clock:
    """Time that passes where somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.pauses.append(seconds)


@pytest.fixture
def stores(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stores]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    # What the client itself waits before it asks again.
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with mock_aws():
        yield made_stores()


@pytest.fixture
def service(stores: Stores) -> FakeTranscribe:
    return FakeTranscribe(stores)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def engine(stores: Stores, service: FakeTranscribe, clock: Clock) -> Transcribe:
    return Transcribe(service.client, stores.work, clock.sleep, lambda: clock.now)


def test_words_have_their_times_their_confidence_and_the_marks_behind_them(
    stores: Stores, service: FakeTranscribe, engine: Transcribe
) -> None:
    service.items = [heard("Hello", 0.04, 0.48, 0.875), mark(","), heard("you", 0.5, 1.239), mark("."), mark('"')]
    assert engine.words(SOUND, "en-US") == [Word("Hello,", 40, 480, 0.875), Word('you."', 500, 1239, 0.99)]
    [sent] = service.started
    assert sent["LanguageCode"] == "en-US"
    assert sent["TranscriptionJobName"].startswith("work.")
    assert sent["OutputBucketName"] == "work"
    with wave.open(io.BytesIO(stores.work.get(sent["Media"]["MediaFileUri"].removeprefix("s3://work/")))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, sent["MediaSampleRateHertz"])
        assert file.readframes(file.getnframes()) == SOUND
    assert service.deleted == [sent["TranscriptionJobName"]]


def test_silence_is_no_word_and_a_sound_that_is_too_short_is_sent_with_silence_behind_it(
    stores: Stores, service: FakeTranscribe, engine: Transcribe
) -> None:
    service.items = []
    assert engine.words(b"\1\0", "en-US") == []
    [sent] = service.started
    with wave.open(io.BytesIO(stores.work.get(sent["Media"]["MediaFileUri"].removeprefix("s3://work/")))) as file:
        assert file.getnframes() == file.getframerate()


def test_a_job_is_waited_for_with_pauses_that_grow(service: FakeTranscribe, engine: Transcribe, clock: Clock) -> None:
    service.busy = 9
    assert engine.words(SOUND, "de-DE")
    assert len(clock.pauses) == 9
    assert clock.pauses == sorted(clock.pauses)
    assert (clock.pauses[0], clock.pauses[-1]) == (FIRST_PAUSE_S, LONGEST_PAUSE_S)


def test_an_attempt_that_waits_in_vain_may_be_repeated_and_finds_the_job(
    service: FakeTranscribe, engine: Transcribe, clock: Clock
) -> None:
    service.busy = 60
    with pytest.raises(TransientError, match="within 780 s"):
        engine.words(SOUND, "de-DE")
    assert clock.now <= WAIT_S
    assert len(engine.words(SOUND, "de-DE")) == 1
    assert len(service.started) == len(service.deleted) == 1


def test_what_was_heard_once_is_not_paid_for_again(service: FakeTranscribe, engine: Transcribe) -> None:
    first = engine.words(SOUND, "de-DE")
    service.items = []
    assert engine.words(SOUND, "de-DE") == first
    assert len(service.started) == 1
    assert engine.words(SOUND, "de-CH") == []
    assert len(service.started) == 2
    assert not service.jobs


def test_an_attempt_that_died_before_it_could_read_leaves_its_answer_to_the_next(
    service: FakeTranscribe, engine: Transcribe
) -> None:
    engine.words(SOUND, "de-DE")
    [sent] = service.started
    service.jobs[sent["TranscriptionJobName"]] = sent
    assert engine.words(SOUND, "de-DE")
    assert len(service.started) == 1
    assert not service.jobs


def test_two_who_hear_the_same_sound_share_a_job(
    service: FakeTranscribe, engine: Transcribe, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one reads the answer and deletes the job, while this one waits."""
    service.busy = 9

    def other(seconds: float) -> None:
        [job] = service.jobs.values()
        service.answer(job)
        service.jobs.clear()

    monkeypatch.setattr(engine, "_sleep", other)
    assert engine.words(SOUND, "de-DE")
    assert len(service.started) == 1


def test_a_job_that_fails_says_why_and_a_replay_begins_another(service: FakeTranscribe, engine: Transcribe) -> None:
    service.reason = "Unsupported media format"
    with pytest.raises(TranscriptionFailed, match="gave up: Unsupported media format") as error:
        engine.words(SOUND, "de-DE")
    assert "`engine: embedded`" in error.value.remedy
    assert not service.jobs
    service.reason = ""
    assert engine.words(SOUND, "de-DE")
    assert len(service.started) == 2


def test_where_as_many_jobs_run_as_may_one_waits(service: FakeTranscribe, engine: Transcribe, clock: Clock) -> None:
    service.room = 0
    sleep, pauses = clock.sleep, clock.pauses

    def another_ends(seconds: float) -> None:
        sleep(seconds)
        service.room = int(len(pauses) == 3)

    engine._sleep = another_ends
    assert engine.words(SOUND, "de-DE")
    assert len(pauses) == 3
    service.room = 0
    with pytest.raises(TransientError):
        engine.words(SOUND + b"\1\0", "de-DE")


@pytest.mark.parametrize(
    ("code", "status", "error", "says"),
    [
        ("ThrottlingException", 400, TransientError, "asking Amazon Transcribe to start transcription job"),
        ("InternalFailureException", 500, TransientError, "InternalFailureException"),
        ("AccessDeniedException", 400, AccessDenied, "it says"),
        ("BadRequestException", 400, TranscriptionFailed, "refuses the sound: BadRequestException, it says"),
        ("UnknownOperationException", 400, PermanentError, "there is no Amazon Transcribe at https"),
    ],
)
def test_errors_of_aws_are_ours(
    service: FakeTranscribe, engine: Transcribe, code: str, status: int, error: type[Exception], says: str
) -> None:
    service.refused = (code, status)
    with pytest.raises(error, match=says):
        engine.words(SOUND, "de-DE")


def test_every_language_is_one_that_the_service_knows(service: FakeTranscribe) -> None:
    known = set(service.client.meta.service_model.shape_for("LanguageCode").enum)
    assert ENGINES["transcribe"].languages <= known
