"""ffmpeg, fed by a pipe and read from a pipe: it opens no file and no connection, and ends when its time is over.

What it reads is one track of MP4 that fanfold has written, so that no container of a stranger is parsed by it.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, Any

import ffmpeg as command

from fanfold.errors import BrokenVideo, TransientError, UnsupportedVideo

LIMIT_S = 840
"""How long one run may take: a function has 900 s."""

THREADS = 2
"""Always as many: what an encoder writes depends on it."""

FED = {
    "format": "mov",
    "format_whitelist": "mov",
    "protocol_whitelist": "pipe",
    "ignore_editlist": 0,
}

_DAMAGE = re.compile(r"error while decoding|corrupt|concealing|damaged|invalid nal", re.IGNORECASE)
"""What decoders say of pictures that they mend and hand on. They say other things where a segment begins at a keyframe
whose neighbours refer to pictures before it, and are not shown."""

_SET_UP = re.compile(r"error while opening encoder", re.IGNORECASE)
"""What ffmpeg says where an encoder does not take what it is to encode: nothing is broken."""

TOLD_CHARACTERS = 300
"""How much of what ffmpeg says an error repeats."""


@cache
def binary() -> str:
    """Return the path of the ffmpeg that ships inside imageio-ffmpeg, or what IMAGEIO_FFMPEG_EXE names."""
    if given := os.environ.get("IMAGEIO_FFMPEG_EXE"):
        return given
    import imageio_ffmpeg

    # get_ffmpeg_exe() would run the program to try it, and fall back to whatever is called ffmpeg.
    folder = Path(imageio_ffmpeg.__file__).parent / "binaries"
    return str(next(path for path in sorted(folder.iterdir()) if path.name.startswith("ffmpeg-")))


def run(
    fed: Iterable[bytes | memoryview],
    what: str,
    output: dict[str, Any],
    *,
    filters: str | None = None,
    kind: str = "v",
    **given: Any,
) -> bytes:
    """Return the fragmented MP4 that ffmpeg makes of one track, `fed` piece by piece; `what` names it in errors.

    Raises BrokenVideo where the track does not decode, UnsupportedVideo where its encoder does not take what it is,
    TransientError where ffmpeg does not end in time.
    """
    source = command.input("pipe:0", **FED | given)
    arguments = {
        "map": f"0:{kind}:0",
        "format": "mp4",
        "movflags": "+frag_keyframe+empty_moov+default_base_moof+delay_moov+skip_trailer",
        "map_metadata": -1,
        "map_chapters": -1,
        "fflags": "+bitexact",
        **output,
    }
    if filters:
        arguments[f"{kind}f"] = filters
    line = command.output(source, "pipe:1", **arguments).global_args(
        "-nostdin", "-hide_banner", "-loglevel", "error", "-xerror", "-max_error_rate", "0"
    )
    status, made, told_bytes = _fed(line.compile(cmd=binary()), fed, what)
    said = re.sub(r"\[[^]]*\]\s*", "", told_bytes.decode(errors="replace"))
    if status or _DAMAGE.search(said):
        lines = said.splitlines()
        told = "; ".join(dict.fromkeys(line.strip() for line in lines if line.strip()))[:TOLD_CHARACTERS]
        if _SET_UP.search(said):
            raise UnsupportedVideo(f"{what} cannot be encoded so: {told}")
        raise BrokenVideo(f"{what} does not decode as a whole: {told}")
    return made


def _fed(line: Sequence[str], fed: Iterable[bytes | memoryview], what: str) -> tuple[int, bytes, bytes]:
    """Run a program; return its exit status, and what it writes to its output and of its errors."""
    # Without an environment there is no proxy, no configuration and no font to find.
    with (
        subprocess.Popen(  # noqa: S603 (the arguments are ours, and no shell reads them)
            line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={}
        ) as process,
        ThreadPoolExecutor(1) as feeder,
    ):
        pipe, process.stdin = process.stdin, None
        assert pipe is not None
        feeding = feeder.submit(_feed, pipe, fed)
        try:
            made, told = process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired as error:
            raise TransientError(f"ffmpeg was stopped after {LIMIT_S} s of encoding {what}") from error
        finally:
            process.kill()
        feeding.result()
    return process.returncode, made, told


def _feed(pipe: IO[bytes], fed: Iterable[bytes | memoryview]) -> None:
    # It may end before it has read all, and says why itself.
    with suppress(BrokenPipeError), pipe:
        for piece in fed:
            pipe.write(piece)
