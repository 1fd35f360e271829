"""The engine that asks Amazon Transcribe: one job for each sound, whose answer goes to the work bucket.

Job and objects are named by what is to be heard. So whoever asks again, another attempt, a replay, another recipe,
finds the job on its way or its answer, and pays for it once while the work bucket keeps it.

API: https://docs.aws.amazon.com/transcribe/latest/APIReference/API_StartTranscriptionJob.html
Form of the answer: https://docs.aws.amazon.com/transcribe/latest/dg/how-input.html#how-it-works-output
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import time
import wave
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from botocore.exceptions import ClientError

from fanfold.aws.account import Account
from fanfold.aws.faults import code, translated
from fanfold.aws.objects import Bucket
from fanfold.errors import PermanentError, TranscriptionFailed, TransientError
from fanfold.speech import RATE, SAMPLE_BYTES, Transcriber, Word

FOLDER = "jobs/transcribe/"
"""Where sounds and answers lie, and the `.write_access_check_file.temp` by which Transcribe sees that it may write;
they expire with the jobs' own objects."""

LEAST_BYTES = RATE * SAMPLE_BYTES
"""One second: shorter sound, of which less than half a second is refused, is sent with silence behind it."""

WAIT_S = 780.0
"""How long one attempt waits: less than the 900 seconds that a function has. The next one finds the same job."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 20.0
"""Between two questions, growing: 250 jobs at once are asked after 13 times a second, of the 30 that are answered."""

_UNKNOWN = {"400", "404", "UnknownOperationException"}
"""What an endpoint answers that has no Transcribe; one that stands in for AWS may give no code but the HTTP status."""

_GONE = {"BadRequestException", "NotFoundException"}
"""What is answered of a job that is not there: the reference says the one, the service the other."""

_WAITING = {"TranscriptionJobStatus": "QUEUED"}


class Transcribe:
    """Starts a job where there is none, waits for it, reads its answer and deletes it."""

    def __init__(
        self,
        client: Any,
        work: Bucket,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._work = work
        self._sleep, self._clock = sleep, clock

    def words(self, sound: bytes, language: str) -> list[Word]:
        """Return what Transcribe hears. Raises TransientError, TranscriptionFailed, AccessDenied, PermanentError."""
        sound = sound.ljust(LEAST_BYTES, b"\0")
        digest = hashlib.sha256(language.encode() + b"\n" + sound).hexdigest()[:32]
        # The name of the bucket is the stack's own, and so are jobs that begin with it.
        name, key = f"{self._work.name}.{digest}", f"{FOLDER}{digest}"
        answer = self._work.find(f"{key}.json")
        if answer is None:
            self._work.put(f"{key}.wav", _wav(sound), "audio/wav")
            self._finish(name, key, language)
            answer = self._work.get(f"{key}.json")
        self._delete(name)
        return list(_words(json.loads(answer)["results"]["items"]))

    def _finish(self, name: str, key: str, language: str) -> None:
        """See to it that the answer is there."""
        until = self._clock() + WAIT_S
        pause = FIRST_PAUSE_S
        is_started = False
        while True:
            is_started = is_started or self._start(name, key, language)
            match self._job(name) if is_started else _WAITING:
                case {"TranscriptionJobStatus": "COMPLETED"}:
                    return
                case {"TranscriptionJobStatus": "FAILED", **told}:
                    self._delete(name)
                    raise TranscriptionFailed(
                        f"Amazon Transcribe gave up: {told.get('FailureReason', 'it says not why')}"
                    )
                case None:
                    # Whoever heard the same sound has deleted the job: behind its answer, or because it failed.
                    if self._work.find(f"{key}.json"):
                        return
                    is_started = False
            if self._clock() + pause > until:
                raise TransientError(f"Amazon Transcribe has not answered within {WAIT_S:.0f} s")
            self._sleep(pause)
            pause = min(1.5 * pause, LONGEST_PAUSE_S)

    def _start(self, name: str, key: str, language: str) -> bool:
        """Start the job; return whether there is one: False where as many run already as may."""
        try:
            self._asked(
                "start_transcription_job",
                TranscriptionJobName=name,
                LanguageCode=language,
                MediaFormat="wav",
                MediaSampleRateHertz=RATE,
                Media={"MediaFileUri": f"s3://{self._work.name}/{key}.wav"},
                OutputBucketName=self._work.name,
                OutputKey=f"{key}.json",
            )
        except ClientError as error:
            match code(error):
                case "ConflictException":
                    return True
                case "LimitExceededException":
                    return False
                case "BadRequestException":
                    raise TranscriptionFailed(f"Amazon Transcribe refuses the sound: {_message(error)}") from error
            raise
        return True

    def _job(self, name: str) -> dict[str, Any] | None:
        """Return what is known of a job, None if there is none."""
        try:
            found: dict[str, Any] = self._asked("get_transcription_job", TranscriptionJobName=name)["TranscriptionJob"]
        except ClientError as error:
            if code(error) in _GONE:
                return None
            if code(error) == "LimitExceededException":
                return _WAITING
            raise
        return found

    def _delete(self, name: str) -> None:
        try:
            self._asked("delete_transcription_job", TranscriptionJobName=name)
        except ClientError as error:
            if code(error) not in _GONE:
                raise

    def _asked(self, operation: str, **params: Any) -> Any:
        try:
            with translated(f"asking Amazon Transcribe to {operation.replace('_', ' ')}"):
                return getattr(self._client, operation)(**params)
        except ClientError as error:
            if code(error) in _UNKNOWN:
                raise PermanentError(
                    f"there is no Amazon Transcribe at {self._client.meta.endpoint_url} ({code(error)}): "
                    "use `engine: embedded`, or a region of AWS that has it"
                ) from error
            raise


@cache
def transcriber() -> Transcriber:
    """Return the engine, for the account, region and work bucket of the environment."""
    account = Account()
    return Transcribe(account.client("transcribe"), Bucket(account.client("s3"), os.environ["WORK_BUCKET"]))


def _message(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Message", code(error)))


def _wav(sound: bytes) -> bytes:
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(SAMPLE_BYTES)
        file.setframerate(RATE)
        file.writeframes(sound)
    return made.getvalue()


def _words(items: list[dict[str, Any]]) -> Iterator[Word]:
    """Yield words, each with the marks that follow it."""
    held: Word | None = None
    for item in items:
        said = item["alternatives"][0]
        if item["type"] == "punctuation":
            held = held and held._replace(text=held.text + said["content"])
            continue
        if held:
            yield held
        start, stop = (round(float(item[name]) * 1000) for name in ("start_time", "end_time"))
        held = Word(said["content"], start, stop, float(said["confidence"]))
    if held:
        yield held
