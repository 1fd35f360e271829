"""Where sound may be cut: in its pauses, and where there is none, where it is quietest.

Everything is counted in frames of 10 ms, of the whole sound: however it was read, it is cut alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fanfold.speech import RATE

FRAME = 160
"""Samples of a frame: 10 ms."""

A_SECOND = RATE // FRAME

SHORTEST_S, LONGEST_S = 10, 26
"""How long a piece is: the model hears 30 seconds at once, and what is left serves as halo."""

HALO_S = 2
"""How much is heard beyond a cut that lies in no pause."""

PAUSE, CLEAR_PAUSE = A_SECOND // 4, A_SECOND // 2
"""Frames that quiet lasts at least where a cut needs no halo, and beyond which a longer pause is no better."""

SILENCE_DB = -60.0
"""What is quieter is silence, whatever the rest is like; 0 dB is the loudest sine that 16 bits hold."""

ABOVE_FLOOR = 0.3
"""How far between the floor and the loudness of its surroundings a level may be to count as quiet."""

SMOOTHED = 5
"""Frames that a level is the mean of, when it is compared."""

Levels = npt.NDArray[np.float32]


def levels(samples: npt.NDArray[np.int16]) -> Levels:
    """Return the level of each whole frame of samples, in dB below the loudest sine, at least -120."""
    count = len(samples) // FRAME
    frames = samples[: count * FRAME].reshape(count, FRAME).astype(np.float32)
    frames -= frames.mean(axis=1, keepdims=True)
    power = (frames**2).mean(axis=1) / np.float32(2**29)
    return np.asarray(10 * np.log10(np.maximum(power, 1e-12)), np.float32)


def is_quiet(heard: Levels) -> npt.NDArray[np.bool_]:
    """Tell of each frame whether it is quieter than speech, by the floor and the loudness of the frames around it."""
    if not len(heard):
        return np.zeros(0, bool)
    padded = np.pad(heard, SMOOTHED // 2, mode="edge")
    smooth = np.convolve(padded, np.full(SMOOTHED, 1 / SMOOTHED, np.float32), "valid")
    quiet = np.zeros(len(heard), bool)
    block = LONGEST_S * A_SECOND
    for start in range(0, len(heard), block):
        floor, loud = np.percentile(smooth[max(0, start - block) : start + 2 * block], (10, 90))
        quiet[start : start + block] = smooth[start : start + block] < floor + ABOVE_FLOOR * (loud - floor)
    return quiet | (smooth < SILENCE_DB)


@dataclass(frozen=True, slots=True)
class Piece:
    """What is heard at once: it owns the words that begin in [start, stop), and hears `before` and `after` as well."""

    start: int
    stop: int
    before: int = 0
    after: int = 0
    """All in samples."""


def pieces(heard: Levels) -> Iterator[Piece]:
    """Cut sound at its pauses, and leave out what is silent; the pieces that are left follow each other."""
    quiet = is_quiet(heard)
    start = 0
    is_pause = True
    while start < len(heard):
        if len(heard) - start <= LONGEST_S * A_SECOND:
            stop, ends_in_pause = len(heard), True
        else:
            stop, ends_in_pause = _cut(heard, quiet, start)
        if heard[start:stop].max() >= SILENCE_DB:
            before = 0 if is_pause else min(HALO_S * A_SECOND, start)
            after = 0 if ends_in_pause else min(HALO_S * A_SECOND, len(heard) - stop)
            yield Piece(start * FRAME, stop * FRAME, before * FRAME, after * FRAME)
        start, is_pause = stop, ends_in_pause


def runs(flags: npt.NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Yield the half-open runs of frames that are flagged."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def _cut(heard: Levels, quiet: npt.NDArray[np.bool_], start: int) -> tuple[int, bool]:
    """Return where a piece ends, and whether that is in a pause: in the middle of a long one, or where it is quietest.

    Of what serves alike the latest is taken, as the model hears 30 seconds at one price.
    """
    first, last = start + SHORTEST_S * A_SECOND, start + LONGEST_S * A_SECOND
    found = [
        (min(stop - begin, CLEAR_PAUSE), (begin + stop) // 2 + first)
        for begin, stop in runs(quiet[first:last])
        if stop - begin >= PAUSE
    ]
    if found:
        return max(found)[1], True
    window = A_SECOND // 5
    sums = np.convolve(heard[first:last], np.ones(window, np.float32), "valid")
    return first + len(sums) - 1 - int(np.argmin(sums[::-1])) + window // 2, False
