"""ffmpeg, fed by a pipe and read from a pipe: it opens no file and no connection, and ends when its time is over.

What it reads is one track of MP4 that fanfold has written, so that no container of a stranger is parsed by it.
"""

from __future__ import annotations

import os
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import ffmpeg as command

from fanfold.errors import BrokenVideo, TransientError

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
    fed: bytes, what: str, output: dict[str, Any], *, filters: str | None = None, kind: str = "v", **given: Any
) -> bytes:
    """Return the fragmented MP4 that ffmpeg makes of one track; `what` names it in errors.

    Raises BrokenVideo where the track does not decode, TransientError where ffmpeg does not end in time.
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
    try:
        # Without an environment there is no proxy, no configuration and no font to find.
        done = subprocess.run(  # noqa: S603 (the arguments are ours, and no shell reads them)
            line.compile(cmd=binary()), input=fed, capture_output=True, timeout=LIMIT_S, env={}, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise TransientError(f"ffmpeg was stopped after {LIMIT_S} s of encoding {what}") from error
    said = re.sub(r"\[[^]]*\]\s*", "", done.stderr.decode(errors="replace"))
    if done.returncode or _DAMAGE.search(said):
        lines = said.splitlines()
        told = "; ".join(dict.fromkeys(line.strip() for line in lines if line.strip()))[:TOLD_CHARACTERS]
        raise BrokenVideo(f"{what} does not decode as a whole: {told}")
    return done.stdout
