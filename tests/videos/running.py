"""One job for each file, in a process of its own: so a library that crashes is seen to, and a hang ends."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from fanfold import kinds
from fanfold.errors import FanfoldError
from fanfold.kinds.video.laying import dividing
from fanfold.kinds.video.recipe import VideoRecipe
from tests.kinds.driver import Result, run
from tests.memory import peak_bytes
from tests.videos.comparing import Differs, check

RECIPE = {
    "segment": "1s",
    "renditions": [{"name": "web", "height": 48}, {"name": "copy"}, {"name": "live", "format": "hls"}],
    "scenes": True,
    "posters": {"every": "2s", "width": 64},
    "subtitles": "vtt",
}

SHARES = 3
"""In how many shares at least an object is laid out that is large enough."""

SAID_CHARACTERS = 500
"""How much of what a process said at its end is told."""

ROOM_BYTES = 6 << 30
"""What a process may map at most: more than any job does, so that the machine lives."""


@dataclass(frozen=True)
class Ended:
    """How a job ended."""

    how: str
    """`outputs`, the name of an error of ours, or what must not be."""
    is_named: bool
    says: str = ""
    seconds: float = 0.0
    grown_bytes: int = 0
    """By how much the process grew at most, and what the largest ffmpeg that it ran held."""
    frames: int = 0
    segments: int = 0


def context() -> multiprocessing.context.ForkServerContext:
    """Return what starts processes that have loaded what a job loads."""
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(["tests.videos.running", "fanfold.kinds.video.working", "fanfold.kinds.video.merging"])
    return found


def made_of(data: bytes, asked: dict[str, object]) -> Result:
    """Run a job; where it is large enough an object that is no MP4 is laid out in several shares."""
    dividing.SHARE_BYTES = min(dividing.SHARE_BYTES, max(1, len(data) // SHARES))
    return run(kinds.get("video"), data, VideoRecipe.model_validate(asked))


Job = Callable[[bytes, dict[str, object]], Result]


def end_of(path: Path, asked: dict[str, object], limit_s: float, *, is_sound: bool = True, job: Job = made_of) -> Ended:
    """Run a job for a file, then compare; each may take the limit."""
    ours, theirs = context().Pipe()
    with tempfile.TemporaryDirectory() as folder, ours:
        said = Path(folder) / "said"
        process = context().Process(target=_run, args=(job, path, asked, is_sound, Path(folder), said, theirs))
        process.start()
        theirs.close()
        found = _awaited(process, ours, limit_s)
        if found.how.startswith("died"):
            found = replace(found, says=said.read_text(errors="replace")[-SAID_CHARACTERS:])
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid or 0, signal.SIGKILL)  # ffmpeg with it
        process.kill()
        process.join()
    return found


def _awaited(process: BaseProcess, ours: Connection, limit_s: float) -> Ended:
    """Return how a process says that it ended, or how it did without a word."""
    found = Ended("", False)
    for doing in ("making", "comparing"):
        if not ours.poll(limit_s):
            return replace(found, how=f"{doing} not within {limit_s:.0f} s", is_named=False)
        try:
            found, is_last = ours.recv()
        except EOFError:
            process.join()
            return replace(found, how=f"died while {doing} ({process.exitcode})", is_named=False)
        if is_last:
            break
    return found


def _run(
    job: Job, path: Path, asked: dict[str, object], is_sound: bool, folder: Path, said: Path, told: Connection
) -> None:
    """Run a job, then compare; tell after each how it ended, and whether that is all."""
    os.setsid()
    os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT), sys.stderr.fileno())
    resource.setrlimit(resource.RLIMIT_AS, (ROOM_BYTES, ROOM_BYTES))
    ended, outputs = _made(job, path.read_bytes(), asked)
    if outputs:
        told.send((ended, False))
        for name, body in outputs.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(body)
        try:
            check(path, folder, outputs, is_sound=is_sound)
        except Differs as error:
            ended = replace(ended, how="differs", says=str(error), is_named=False)
        except Exception as error:  # noqa: BLE001 - whatever it is, people are to see it
            ended = replace(ended, how="cannot be compared", says=_told(error), is_named=False)
    told.send((ended, True))
    os._exit(0)  # threads of a decoder that hang are not waited for


def _made(job: Job, data: bytes, asked: dict[str, object]) -> tuple[Ended, dict[str, bytes]]:
    """Run a job; return how it ended, and its outputs."""
    before, began = peak_bytes(), time.perf_counter()

    def ended(how: str, says: str, is_named: bool) -> Ended:
        ffmpeg = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        return Ended(how, is_named, says, time.perf_counter() - began, peak_bytes() - before + ffmpeg)

    try:
        result = job(data, asked)
    except FanfoldError as error:
        return ended(type(error).__name__, str(error), str(error).isprintable()), {}
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
        return ended("traceback", _told(error), False), {}
    frames, segments = result.stats.get("frames", 0), result.stats["segments"]
    return replace(ended("outputs", "", True), frames=frames, segments=segments), result.outputs


def _told(error: Exception) -> str:
    """Return an error, and where in the project it came up last."""
    places = [one for one in traceback.extract_tb(error.__traceback__) if "fanfold" in one.filename]
    where = ", ".join(f"{Path(one.filename).name}:{one.lineno}" for one in places[-2:])
    return f"{type(error).__name__}: {error} ({where})"
