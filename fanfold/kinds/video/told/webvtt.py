"""WebVTT: cues as text. https://www.w3.org/TR/webvtt1/"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cue:
    """What is shown from `start_ms` until `stop_ms`."""

    start_ms: int
    stop_ms: int
    payload: str
    """Text with its markup: see `escaped` and `in_lines`."""


@dataclass(frozen=True, slots=True)
class Text:
    """An output of WebVTT that a player may show."""

    output: str
    language: str
    title: str


_LINE_ENDS = re.compile(r"\r\n?|[\v\f\x1c-\x1e\x85\u2028\u2029]")


def escaped(text: str) -> str:
    """Return plain text such that none of it is markup, or the arrow of a timing line, which ends in `>`."""
    text = _LINE_ENDS.sub("\n", text.replace("\0", "\ufffd"))
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def in_lines(payload: str) -> str:
    """Return a payload without empty lines: one would end the cue."""
    return "\n".join(line for line in (line.strip() for line in payload.split("\n")) if line)


def time(milliseconds: int) -> str:
    """Return a WebVTT timestamp: `hh:mm:ss.ttt`, hours of two digits or more."""
    seconds, thousandths = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{thousandths:03}"


def text(cues: Iterable[Cue]) -> str:
    """Return a WebVTT file; a cue lasts a millisecond at least."""
    blocks = ["WEBVTT\n"]
    for cue in cues:
        blocks.append(f"{time(cue.start_ms)} --> {time(max(cue.stop_ms, cue.start_ms + 1))}\n{cue.payload}\n")
    return "\n".join(blocks)


def plain(payload: str) -> str:
    """Return a payload as people read it, on one line."""
    text = re.sub(r"<[^>]*>", "", payload).replace("\n", " ")
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
