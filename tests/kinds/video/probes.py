"""What ffmpeg sees in a video: the oracle. Nothing of fanfold's own parsing is asked."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from tests.kinds.video.clips import FFMPEG, run

av.logging.restore_default_callback()
av.logging.set_level(av.logging.PANIC)


@dataclass(frozen=True)
class Seen:
    """One stream as it is decoded."""

    kind: str
    codec: str
    language: str | None
    times: list[Fraction]
    """When each picture, or run of samples, is presented, in seconds."""
    samples: int
    """How many samples of sound there are."""
    decoded: list[int]
    """The times of decoding of the packets, in ticks."""


def seen(path: Path) -> list[Seen]:
    """Decode every picture and sound of a video, pictures first."""
    found = []
    with av.open(str(path)) as container:
        streams = [(one.index, one.type) for one in container.streams if one.type in ("video", "audio")]
    for index, kind in streams:
        with av.open(str(path)) as container:
            packets = container.demux(container.streams[index])
            decoded = [packet.dts for packet in packets if packet.dts is not None]
        with av.open(str(path)) as container:
            stream = container.streams[index]
            times, samples = [], 0
            for frame in container.decode(stream):
                times.append(frame.pts * Fraction(frame.time_base))
                samples += frame.samples if kind == "audio" else 0
            if kind == "video" and path.suffix == ".avi":
                # An AVI does not say it, and libavformat guesses more than ffmpeg goes by.
                times = shown(path)
            codec = stream.codec_context.codec.canonical_name
            found.append(Seen(kind, codec, stream.language, times, samples, decoded))
    return sorted(found, key=lambda one: one.kind, reverse=True)


def shown(path: Path) -> list[Fraction]:
    """Return when ffmpeg shows each picture of a video, in seconds."""
    options = ("-fps_mode", "passthrough", "-enc_time_base", "demux", "-c:v", "rawvideo", "-f", "framecrc", "-")
    told = run("-copyts", "-i", str(path), "-map", "0:v:0", *options).decode().splitlines()
    [base] = [Fraction(line.partition(": ")[2]) for line in told if line.startswith("#tb 0")]
    return [int(line.split(",")[2]) * base for line in told if line and not line.startswith("#")]


def nearest_ms(seconds: Fraction) -> Fraction:
    """Return the millisecond nearest to a time, in seconds; the later one of two."""
    return Fraction((2000 * seconds + 1) // 2, 1000)


def samples_heard(path: Path) -> int:
    """Return how many samples of its first sound a video presents.

    Of an MP4 libavformat says how much of the last packet is presented, and decodes all of it.
    """
    with av.open(str(path)) as container:
        is_matroska = container.format.name == "matroska,webm"
        stream = container.streams.audio[0]
        last = [packet for packet in container.demux(stream) if packet.size][-1]
        presented = round((last.duration or 0) * Fraction(last.time_base or 1) * stream.rate)
    with av.open(str(path)) as container:
        counts = [frame.samples for frame in container.decode(audio=0)]
    return sum(counts) - (0 if is_matroska else max(0, counts[-1] - presented))


def samples_encoded(path: Path, codec: str) -> int:
    """Return how many samples ffmpeg makes of a video's sound when it encodes all of it: whole frames of the codec."""
    made = path.parent / f"whole-{codec}.mp4"
    run("-i", str(path), "-vn", "-map", "0:a:0", "-c:a", {"opus": "libopus"}.get(codec, codec), str(made))
    return seen(made)[0].samples


def complaints(path: Path) -> str:
    """Return what ffmpeg's decoders and demuxers say of a video that is played from end to end.

    That they guess which channels there are is no complaint: most sources of uncompressed sound do not say it.
    """
    line = [FFMPEG, "-nostdin", "-hide_banner", "-loglevel", "warning", "-i", str(path), "-f", "null", "-"]
    said = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False).stderr
    return "".join(one for one in said.splitlines(keepends=True) if "Guessed Channel Layout" not in one)


def psnr(path: Path, reference: Path, size: str = "160x90") -> float:
    """Return how near the pictures of a video are to those of another, in decibels."""
    # Frame by frame, whatever the ticks of either are.
    paired = f"scale={size},settb=1/1000,setpts=N"
    graph = f"[0:v]{paired}[a];[1:v]{paired}[b];[a][b]psnr"
    line = [
        FFMPEG,
        "-nostdin",
        "-hide_banner",
        "-i",
        str(path),
        "-i",
        str(reference),
        "-lavfi",
        graph,
        "-f",
        "null",
        "-",
    ]
    told = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False).stderr
    match = re.search(r"average:(\S+)", told)
    assert match, told
    return float(match[1])


def peak_rate(bits: Sequence[int], lengths: Sequence[Fraction]) -> Fraction:
    """Return the peak of the bits a second of fragments, as RFC 8216 defines it in 4.1: every run of them is tried."""
    runs = [slice(start, stop) for stop in range(len(bits) + 1) for start in range(stop)]
    lasting = [(sum(bits[run]), sum(lengths[run])) for run in runs]
    return max(size / length for size, length in lasting if 0.5 <= length / max(lengths) <= 1.5)
