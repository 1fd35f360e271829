"""What the model hears: a log mel spectrogram of 30 seconds.

A. Radford et al., Robust Speech Recognition via Large-Scale Weak Supervision, 2022, section 2.2: windows of 25 ms every
10 ms, 80 mel bands, logarithms of base 10 over a range of 8, scaled to about [-1, 1].
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from fanfold.kinds.video.speech.pauses import FRAME
from fanfold.speech import RATE

WINDOW = 400
BANDS = 80
HEARD_S = 30
FRAMES = HEARD_S * RATE // FRAME

Floats = npt.NDArray[np.float32]


def spectrogram(samples: npt.NDArray[np.int16]) -> Floats:
    """Return the spectrogram of up to 30 seconds, filled up with silence: BANDS × FRAMES."""
    sound = np.zeros(HEARD_S * RATE, np.float32)
    sound[: len(samples)] = samples.astype(np.float32) / 32768
    padded = np.pad(sound, WINDOW // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::FRAME][:FRAMES]
    power = np.abs(np.fft.rfft(frames * _window(), axis=1)).astype(np.float32) ** 2
    logs = np.log10(np.maximum(_bands() @ power.T, 1e-10))
    return np.ascontiguousarray((np.maximum(logs, logs.max() - 8) + 4) / 4, np.float32)


@cache
def _window() -> Floats:
    """Return a periodic Hann window."""
    return np.hanning(WINDOW + 1)[:-1].astype(np.float32)


@cache
def _bands() -> Floats:
    """Return triangles of equal area, spaced evenly by the mel scale of M. Slaney's Auditory Toolbox."""
    edges = _hertz(np.linspace(0, _mel(RATE / 2), BANDS + 2))
    bins = np.linspace(0, RATE / 2, WINDOW // 2 + 1)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    triangles = np.maximum(0, np.minimum(rising, falling)) * (2 / (edges[2:] - edges[:-2]))[:, None]
    return np.asarray(triangles, np.float32)


_LINEAR_HZ, _BREAK_HZ = 200 / 3, 1000.0
_BREAK_MEL = _BREAK_HZ / _LINEAR_HZ
_STEP = np.log(6.4) / 27


def _mel(hertz: float) -> float:
    """Return the mel of a frequency of at least 1 kHz."""
    return float(_BREAK_MEL + np.log(hertz / _BREAK_HZ) / _STEP)


def _hertz(mel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(mel < _BREAK_MEL, mel * _LINEAR_HZ, _BREAK_HZ * np.exp((mel - _BREAK_MEL) * _STEP))
