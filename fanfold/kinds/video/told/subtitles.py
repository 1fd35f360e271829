"""Embedded text tracks as WebVTT, whatever they are stored as.

FFmpeg's decoders give every format as lines of Advanced SubStation Alpha. What is italic, bold or underlined there
stays so; everything else of its markup is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from fanfold.errors import TooManyCues
from fanfold.kinds.video.told.webvtt import Cue, escaped, in_lines

if TYPE_CHECKING:
    import av

CODECS = frozenset({"ass", "mov_text", "srt", "ssa", "subrip", "text", "webvtt"})
"""Tracks that are text; the others are pictures."""

CUES_LIMIT = 100_000
"""How many cues a track has at most: 24 hours have some 30,000."""

TEXT_LIMIT = 2000
"""How many characters of a cue are kept."""

LAST_S = 4
"""How long a cue is shown whose track does not say."""

_FIELDS_BEFORE_TEXT = 8
"""ReadOrder, Layer, Style, Name, MarginL, MarginR, MarginV, Effect: how packets hold a line of ASS."""

_TAGS = re.compile(r"\{([^{}]*)\}")
_DRAWS = re.compile(r"\\p(\d+)")
_STYLE = re.compile(r"\\([ibu])([01])(?![0-9a-z])|\\r")


def read(packets: Iterable[av.Packet[Any]], zero: Fraction) -> dict[int, list[Cue]]:
    """Return the cues of each track by its index, in the order of their beginnings. Raises TooManyCues.

    zero: what the timestamps of the packets count from, in seconds. A cue that ends before it is left out.
    """
    found: dict[int, list[Cue]] = {}
    for packet in packets:
        cues = found.setdefault(packet.stream.index, [])
        if packet.pts is None or not packet.size:
            continue
        start_ms = round((packet.pts * packet.time_base - zero) * 1000)
        lasts_s = packet.duration * packet.time_base if packet.duration else LAST_S
        stop_ms = start_ms + round(lasts_s * 1000)
        text = "\n".join(filter(None, (payload(line) for line in _decoded(packet))))
        if text and stop_ms > 0:
            cues.append(Cue(max(0, start_ms), stop_ms, text))
        if len(cues) > CUES_LIMIT:
            raise TooManyCues(f"track {packet.stream.index} has more than {CUES_LIMIT:,} cues of subtitles")
    return {index: sorted(cues, key=lambda cue: cue.start_ms) for index, cues in found.items()}


def _decoded(packet: Any) -> Iterator[bytes]:
    """Yield the lines of ASS that a packet holds; one that is none is left out, as players do."""
    import av

    try:
        decoded = packet.decode()
    except av.error.FFmpegError:
        return
    for shown in decoded:
        for rect in getattr(shown, "rects", [shown]):
            if rect.type == b"ass":
                yield rect.ass


def payload(line: bytes) -> str:
    """Return a line of ASS, as FFmpeg's decoders give it, as a WebVTT payload."""
    fields = line.decode("utf-8", "replace").split(",", _FIELDS_BEFORE_TEXT)
    text = fields[-1][: 4 * TEXT_LIMIT] if len(fields) > _FIELDS_BEFORE_TEXT else ""
    text = text.replace(r"\N", "\n").replace(r"\n", "\n").replace(r"\h", "\u00a0")
    return _styled(text)


def _styled(text: str) -> str:
    made: list[str] = []
    opened: list[str] = []
    at, room, draws = 0, TEXT_LIMIT, False
    for tag in (*_TAGS.finditer(text), None):
        said = "" if draws else text[at : tag.start() if tag else len(text)][:room]
        room -= len(said)
        made.append(escaped(said))
        if tag is None:
            break
        at = tag.end()
        for drawing in _DRAWS.finditer(tag[1]):
            # What follows are the coordinates of a shape, and no text.
            draws = int(drawing[1]) > 0
        for style in _STYLE.finditer(tag[1]):
            name = style[1]
            if style[2] == "1" and name not in opened:
                opened.append(name)
                made.append(f"<{name}>")
            elif style[2] != "1":
                made += _closed(opened, name)
    made += _closed(opened, None)
    return in_lines("".join(made))


def _closed(opened: list[str], name: str | None) -> Iterator[str]:
    """Close a style, or all of them: what was opened behind it is closed before it and opened again."""
    inner: list[str] = []
    while opened and (name is None or name in opened):
        last = opened.pop()
        yield f"</{last}>"
        if last == name:
            break
        inner.append(last)
    if name is not None:
        for again in reversed(inner):
            opened.append(again)
            yield f"<{again}>"


def names(languages: Sequence[str]) -> list[str]:
    """Return the outputs' names of tracks in these languages: `subtitles.eng.vtt`; the second one of a language is
    `subtitles.eng-2.vtt`.
    """
    found: list[str] = []
    for language in languages:
        code = (
            "".join(letter for letter in language if letter.isascii() and (letter.isalnum() or letter == "-"))[:35]
            or "und"
        )
        number, name = 1, f"subtitles.{code}.vtt"
        while name.lower() in map(str.lower, found):
            number += 1
            name = f"subtitles.{code}-{number}.vtt"
        found.append(name)
    return found
