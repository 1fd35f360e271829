"""Sound made ready to be heard: 16 kHz, mono, 16 bits, on the clock of the video, in objects of the work bucket."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from fanfold.errors import TooMuchSound
from fanfold.kinds.video.speech.pauses import FRAME, Levels, levels
from fanfold.speech import RATE

OBJECT_SAMPLES = 300 * RATE
"""What one object holds: five minutes, 9.6 MB; whole frames of levels."""

LONGEST_S = 12 * 3600
"""How long sound may be that is listened to."""

JITTER = RATE // 20
"""A gap or an overlap of less than 50 ms is a rounded timestamp."""

Samples = npt.NDArray[np.int16]


class Decoder:
    """Packets to frames; packets that do not decode are left out, as players do, and counted."""

    def __init__(self) -> None:
        self.undecoded = 0

    def frames(self, packets: Iterable[av.Packet[Any]]) -> Iterator[av.AudioFrame]:
        """Yield the frames of one stream."""
        for packet in packets:
            try:
                yield from packet.decode()  # type: ignore[misc]
            except av.error.FFmpegError:
                self.undecoded += 1


def on_the_clock(frames: Iterable[av.AudioFrame], zero: Fraction) -> Iterator[Samples]:
    """Yield the samples of frames, resampled to 16 kHz mono, the first one at the instant `zero`.

    zero: seconds on the clock of the frames' timestamps. Where nothing was recorded there is silence; what overlaps
    is said once, and what precedes zero is left out. Raises TooMuchSound.
    """
    resampler, shape, position = _resampler(), None, 0
    for frame in frames:
        begins, ahead = position, 0
        if frame.pts is not None and frame.time_base is not None:
            begins = round((frame.pts * frame.time_base - zero) * RATE)
        if max(begins, position) > LONGEST_S * RATE:
            raise too_much(max(begins, position) / RATE)
        before, shape = shape, (frame.format.name, frame.layout.name, frame.sample_rate)
        if abs(begins - position) > JITTER or before not in (None, shape):
            for rest in _resampled(resampler, None):
                yield rest
                position += len(rest)
            resampler = _resampler()
            yield from _silence(begins - position)
            position = max(position, begins)
            ahead = position - begins if position - begins > JITTER else 0
        frame.pts = None
        for samples in _resampled(resampler, frame):
            kept = samples[ahead:]
            ahead -= len(samples) - len(kept)
            position += len(kept)
            yield kept
    yield from _resampled(resampler, None)


def _resampler() -> av.AudioResampler:
    return av.AudioResampler("s16", "mono", RATE)


def too_much(seconds: float) -> TooMuchSound:
    return TooMuchSound(f"the sound is {seconds / 3600:.1f} hours long; at most {LONGEST_S // 3600} are transcribed")


def _resampled(resampler: av.AudioResampler, frame: Any) -> Iterator[Samples]:
    for made in resampler.resample(frame):
        yield made.to_ndarray()[0]


def _silence(count: int) -> Iterator[Samples]:
    while count > 0:
        yield np.zeros(min(count, OBJECT_SAMPLES), np.int16)
        count -= OBJECT_SAMPLES


def objects(sound: Iterable[Samples]) -> Iterator[tuple[Samples, Levels]]:
    """Yield sound in objects of five minutes, each with the levels of its frames; the last frame is filled up."""
    held: list[Samples] = []
    count = 0
    for samples in sound:
        while count + len(samples) >= OBJECT_SAMPLES:
            taken, samples = samples[: OBJECT_SAMPLES - count], samples[OBJECT_SAMPLES - count :]
            whole = np.concatenate([*held, taken])
            yield whole, levels(whole)
            held, count = [], 0
        held.append(samples)
        count += len(samples)
    if count:
        whole = np.concatenate([*held, np.zeros(-count % FRAME, np.int16)])
        yield whole, levels(whole)
