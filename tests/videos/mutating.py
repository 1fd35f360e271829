"""Damage: a small clip of each container, and what a seed and a number make of it."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.kinds.video.clips import AAC, H264, clip

FRAGMENTS = "-movflags +frag_keyframe+empty_moov+default_base_moof"

BASES = {
    "plain.mp4": f"{H264} -g 24 {AAC}",
    "first.mp4": f"{H264} -g 24 {AAC} -movflags +faststart",
    "fragmented.mp4": f"{H264} -g 24 {AAC} {FRAGMENTS}",
    "open.mov": f"-c:v libx264 -preset veryfast -x264-params open-gop=1:keyint=24:bframes=3 {AAC}",
    "h264.mkv": f"{H264} -g 24 {AAC}",
    "live.mkv": f"{H264} -g 24 {AAC} -live 1",
    "vp9.webm": "-c:v libvpx-vp9 -g 24 -deadline realtime -cpu-used 8 -c:a libopus",
    "h264.ts": f"{H264} -g 24 {AAC}",
    "mpeg4.avi": "-c:v mpeg4 -g 24 -c:a libmp3lame",
    "sound.m4a": f"-vn {AAC} -f mp4",
}

CLIP_S = 2.5

EXTREMES = (0, 1, 2, 7, 8, 0x7F, 0xFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)

HEAD_BYTES = 4096
"""Where most of what describes a video is; its index is looked for besides."""

_INDEX = re.compile(rb"moov|moof|\x1c\x53\xbb\x6b|\x16\x54\xae\x6b|idx1|strh|strf")
"""Where indexes and descriptions begin, of MP4, Matroska and AVI."""

_NAMES = re.compile(rb"[a-z][a-zA-Z0-9]{3}|\xa9[a-z]{3}|[0-9]{2}(?:dc|wb)")
"""What boxes and chunks are called."""


@dataclass(frozen=True)
class Mutation:
    """What was done to which clip."""

    base: str
    steps: Sequence[str]
    data: bytes


def bases() -> dict[str, bytes]:
    """Return a small clip of each container."""
    return {name: clip(name, CLIP_S, arguments) for name, arguments in BASES.items()}


def mutated(found: dict[str, bytes], seed: int, number: int) -> Mutation:
    """Return the mutation of that number: always the same."""
    pick = random.Random(f"{seed}/{number}")
    base = pick.choice(sorted(found))
    data, steps = bytearray(found[base]), []
    for _ in range(pick.choice((1, 1, 1, 2, 3))):
        step = pick.choice(STEPS)
        at = _place(pick, data)
        steps.append(f"{step.__name__[1:]} at {at}")
        step(pick, data, at)
        if len(data) < 2:
            break
    return Mutation(base, steps, bytes(data))


def _place(pick: random.Random, data: bytearray) -> int:
    """Return a place, more often in what describes and indexes the samples than among them."""
    if pick.random() < 0.3:
        return pick.randrange(len(data))
    if pick.random() < 0.4 or not (starts := [found.start() for found in _INDEX.finditer(data)]):
        return pick.randrange(min(len(data), HEAD_BYTES))
    return min(pick.choice(starts) + pick.randrange(HEAD_BYTES), len(data) - 1)


def _flip(pick: random.Random, data: bytearray, at: int) -> None:
    for byte in range(at, min(at + pick.choice((1, 1, 2, 8)), len(data))):
        data[byte] ^= 1 << pick.randrange(8) if pick.random() < 0.5 else pick.randrange(1, 256)


def _cut(pick: random.Random, data: bytearray, at: int) -> None:
    del data[at : at + _length(pick)]


def _double(pick: random.Random, data: bytearray, at: int) -> None:
    stop = at + _length(pick)
    data[stop:stop] = data[at:stop]


def _blank(pick: random.Random, data: bytearray, at: int) -> None:
    stop = min(at + _length(pick), len(data))
    data[at:stop] = bytes([pick.choice((0, 0xFF))]) * (stop - at)


def _truncate(pick: random.Random, data: bytearray, at: int) -> None:
    del data[max(1, at) :]


def _swap(pick: random.Random, data: bytearray, at: int) -> None:
    """Let two stretches change places."""
    length = min(_length(pick), len(data) - at)
    other = pick.randrange(len(data) - length + 1)
    data[at : at + length], data[other : other + length] = data[other : other + length], data[at : at + length]


def _extreme(pick: random.Random, data: bytearray, at: int) -> None:
    """Set a field of four or eight bytes, or a variable one of Matroska, to a number at an end of what it holds."""
    value, width = pick.choice(EXTREMES), pick.choice((1, 2, 4, 4, 4, 8))
    order = pick.choice(("big", "big", "little"))
    data[at : at + width] = (value & ((1 << 8 * width) - 1)).to_bytes(width, order)


def _size(pick: random.Random, data: bytearray, at: int) -> None:
    """Set the size of a box or a chunk, before or behind its name, or move it a little."""
    if (name := _NAMES.search(data, at)) is None or name.start() < 4:
        return
    is_before = pick.random() < 0.7
    place, order = (name.start() - 4, "big") if is_before else (name.end(), "little")
    old = int.from_bytes(data[place : place + 4], order)
    value = pick.choice((*EXTREMES, old + 1, max(0, old - 1), old * 2, old // 2)) & 0xFFFFFFFF
    data[place : place + 4] = value.to_bytes(4, order)


def _count(pick: random.Random, data: bytearray, at: int) -> None:
    """Set a field of one of the first words of a box: version, count, duration, scale."""
    if (name := _NAMES.search(data, at)) is None:
        return
    place = name.end() + 4 * pick.randrange(8)
    data[place : place + 4] = pick.choice(EXTREMES).to_bytes(4, "big")


def _length(pick: random.Random) -> int:
    return pick.choice((1, 2, 4, 16, 188, 1000, 5000))


STEPS: Sequence[Callable[[random.Random, bytearray, int], None]] = (
    _flip,
    _flip,
    _cut,
    _double,
    _blank,
    _truncate,
    _swap,
    _extreme,
    _size,
    _count,
)
