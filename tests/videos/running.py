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
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from fanfold import kinds
from fanfold.errors import FanfoldError
from fanfold.kinds.video import dividing
from fanfold.kinds.video.recipe import VideoRecipe
from tests.kinds.driver import run
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


def end_of(path: Path, asked: dict[str, object], limit_s: float, *, is_sound: bool = True) -> Ended:
    """Run a job for a file, then compare; each may take the limit."""
    ours, theirs = context().Pipe()
    with tempfile.NamedTemporaryFile() as said:
        process = context().Process(target=_job, args=(path, asked, is_sound, theirs, said.name))
        process.start()
        theirs.close()
        found = _awaited(process, ours, limit_s)
        if found.how.startswith("died"):
            found = replace(found, says=Path(said.name).read_text(errors="replace")[-SAID_CHARACTERS:])
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid or 0, signal.SIGKILL)  # ffmpeg with it
        process.join()
    ours.close()
    return found


def _awaited(process: BaseProcess, ours: Connection, limit_s: float) -> Ended:
    """Return how a process says that it ended, or how it did without a word."""
    found = Ended("", False)
    for doing in ("making", "comparing"):
        if not ours.poll(limit_s):
            found = replace(found, how=f"{doing} not within {limit_s:.0f} s", is_named=False)
            break
        try:
            found, is_last = ours.recv()
        except EOFError:
            process.join()
            found = replace(found, how=f"died while {doing} ({process.exitcode})", is_named=False)
            break
        if is_last:
            break
    return found


def _job(path: Path, asked: dict[str, object], is_sound: bool, told: Connection, said: str) -> None:
    os.setsid()
    os.dup2(os.open(said, os.O_WRONLY), sys.stderr.fileno())
    resource.setrlimit(resource.RLIMIT_AS, (ROOM_BYTES, ROOM_BYTES))
    with tempfile.TemporaryDirectory() as folder:
        made = _made(path, Path(folder), asked, told)
        if made is not None:
            ended, outputs = made
            try:
                check(path, Path(folder), outputs, is_sound=is_sound)
                told.send((ended, True))
            except Differs as error:
                told.send((replace(ended, how="differs", says=str(error), is_named=False), True))
            except Exception as error:  # noqa: BLE001 - whatever it is, people are to see it
                told.send((replace(ended, how="cannot be compared", says=_told(error), is_named=False), True))
    os._exit(0)


def _made(
    path: Path, folder: Path, asked: dict[str, object], told: Connection
) -> tuple[Ended, dict[str, bytes]] | None:
    """Run the job and write its outputs; None where there are none."""
    data = path.read_bytes()
    dividing.SHARE_BYTES = min(dividing.SHARE_BYTES, max(1, len(data) // SHARES))
    before, began = _peak_bytes(), time.perf_counter()

    def ended(how: str, says: str = "", *, is_named: bool = True) -> Ended:
        ffmpeg = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        return Ended(how, is_named, says, time.perf_counter() - began, _peak_bytes() - before + ffmpeg)

    try:
        result = run(kinds.get("video"), data, VideoRecipe.model_validate(asked))
    except FanfoldError as error:
        told.send((ended(type(error).__name__, str(error), is_named=str(error).isprintable()), True))
        return None
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
        told.send((ended("traceback", _told(error), is_named=False), True))
        return None
    for name, body in result.outputs.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
    frames, segments = result.stats.get("frames", 0), result.stats["segments"]
    done = replace(ended("outputs"), frames=frames, segments=segments)
    told.send((done, False))
    return done, result.outputs


def _told(error: Exception) -> str:
    """Return an error, and where in the project it came up last."""
    places = [one for one in traceback.extract_tb(error.__traceback__) if "fanfold" in one.filename]
    where = ", ".join(f"{Path(one.filename).name}:{one.lineno}" for one in places[-2:])
    return f"{type(error).__name__}: {error} ({where})"


def _peak_bytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
