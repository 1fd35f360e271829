"""WebVTT: cues as text. https://www.w3.org/TR/webvtt1/"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cue:
    """Text that is shown from `start_ms` until `stop_ms`."""

    start_ms: int
    stop_ms: int
    text: str
    """Plain; lines are apart by line feeds."""


def escaped(text: str) -> str:
    """Return plain text as a cue's payload: nothing in it is markup, ends the cue, or is a timing line."""
    lines = (line.strip() for line in re.split(r"\r\n?|[\n\v\f\x1c-\x1e\x85\u2028\u2029]", text.replace("\0", "\ufffd")))
    text = "\n".join(line for line in lines if line)
    # The arrow of a timing line contains `>`, so no payload can have one.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def time(milliseconds: int) -> str:
    """Return a WebVTT timestamp: `hh:mm:ss.ttt`, hours of two digits or more."""
    seconds, thousandths = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{thousandths:03}"


def text(cues: Iterable[tuple[int, int, str]]) -> str:
    """Return a WebVTT file of (start in ms, stop in ms, payload); a cue lasts a millisecond at least."""
    blocks = ["WEBVTT\n"]
    for start_ms, stop_ms, payload in cues:
        blocks.append(f"{time(start_ms)} --> {time(max(stop_ms, start_ms + 1))}\n{payload}\n")
    return "\n".join(blocks)
