"""What libavformat and ffmpeg read of a whole video: the oracle. Nothing of fanfold's own parsing is asked."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.stream import Disposition

from tests.kinds.video.clips import FFMPEG

av.logging.restore_default_callback()
av.logging.set_level(av.logging.PANIC)

_HARMLESS = ("Last message repeated", "Increasing reorder buffer")
"""What ffmpeg says of a video without fault: H.264 need not say by how much its pictures are reordered."""

LIMIT_S = 300
"""How long ffmpeg may play a video."""


@dataclass
class Read:
    """One stream, decoded from its first packet to its last."""

    index: int
    kind: str
    codec: str
    times: list[Fraction] = field(default_factory=list)
    """When each picture, or run of samples, is presented, in seconds."""
    rate: int = 0
    """How many samples of sound a second has."""
    samples: int = 0
    """How many there are."""
    first: Fraction = Fraction(0)
    """When the first packet is presented, or what is heard of it: a decoder may make nothing of it."""
    skipped: int = 0
    """How many samples of sound at the beginning are not to be heard."""
    is_tagged: bool = False
    """Whether it is iTunes that says so, in a tag."""
    tick: Fraction = Fraction(0)
    """How finely the container counts, in seconds."""
    until: Fraction = Fraction(0)
    """When the last packet is over, as the container says."""
    shown: list[Fraction] = field(default_factory=list)
    """When each packet is presented, as the container says."""
    stop: Fraction = Fraction(0)
    """When the last of them is over."""
    longest: Fraction = Fraction(0)
    """How long one is presented at most."""
    broken: int = 0
    """How many packets do not decode."""
    decoded: list[int] = field(default_factory=list)
    """When packets are decoded, in ticks."""

    @property
    def presented(self) -> int:
        """How many samples there are to where the container says that the last packet is over."""
        return self.samples - max(0, round((self.stop - self.until) * self.rate))


def read(path: Path) -> list[Read]:
    """Return the streams that can be played: the first one of pictures, then every sound."""
    with av.open(str(path), metadata_errors="replace") as container:
        streams = [one for one in container.streams if one.type in ("video", "audio") and one.codec_context]
        streams = [one for one in streams if not one.disposition & Disposition.attached_pic]
        pictures = [one for one in streams if one.type == "video"][:1]
        streams = pictures + [one for one in streams if one.type == "audio"]
        found = {one.index: Read(one.index, one.type, one.codec_context.codec.canonical_name) for one in streams}
        for packet in container.demux(streams) if streams else ():
            told = found[packet.stream.index]
            if packet.size:
                _list(told, packet)
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                told.broken += 1
                continue
            for frame in frames:
                _take(told, frame)
        for told in found.values():
            told.is_tagged = "iTunSMPB" in container.metadata
        for one in streams:
            if one.duration and one.start_time is not None:
                ends = (one.start_time + one.duration) * Fraction(one.time_base)
                found[one.index].until = min(found[one.index].until, ends)
    for one in found.values():
        one.shown.sort()
    return [one for one in found.values() if one.times]


def _list(told: Read, packet: av.Packet[Any]) -> None:
    at = packet.pts if packet.pts is not None else packet.dts
    told.tick = Fraction(packet.time_base)
    if packet.dts is not None:
        told.decoded.append(packet.dts)
    if at is not None and not packet.is_discard:
        told.shown.append(at * told.tick)
        told.until = max(told.until, told.shown[-1] + (packet.duration or 0) * told.tick)
    if len(told.shown) == 1:
        if packet.has_sidedata("skip_samples"):
            told.skipped = int.from_bytes(bytes(packet.get_sidedata("skip_samples"))[:4], "little")
        heard = told.shown[0] + Fraction(told.skipped, getattr(packet.stream, "rate", 0) or 1)
        told.first = round(heard / told.tick) * told.tick


def _take(told: Read, frame: av.VideoFrame | av.AudioFrame) -> None:
    tick = Fraction(frame.time_base)
    at = frame.pts if frame.pts is not None else frame.dts
    # Of a packet with several frames the first alone has a time.
    begins = told.stop if at is None else at * tick
    length = (frame.duration or 0) * tick
    if isinstance(frame, av.AudioFrame):
        told.rate = told.rate or frame.sample_rate
        told.samples += frame.samples
        length = Fraction(frame.samples, frame.sample_rate)
    told.times.append(begins)
    told.stop = max(told.stop, begins + length)
    told.longest = max(told.longest, length)


def complaints(path: Path, kind: str) -> set[str]:
    """Return what ffmpeg says while it plays the pictures, or the sounds, of a video: without places and numbers."""
    line = [FFMPEG, "-nostdin", "-hide_banner", "-loglevel", "warning", "-i", str(path)]
    line += ["-map", f"0:{kind[0]}?", "-fps_mode", "passthrough", "-enc_time_base", "demux", "-f", "null", "-"]
    told = subprocess.run(line, capture_output=True, text=True, errors="replace", timeout=LIMIT_S, check=False).stderr
    plain = (
        re.sub(r"0x[0-9a-f]+|[0-9]+", "N", re.sub(r"\[[^]]*\]\s*", "", line)).strip() for line in told.splitlines()
    )
    return {one for one in plain if one and not one.startswith(_HARMLESS)}


def samples_encoded(path: Path, index: int, codec: str, into: Path) -> int:
    """Return how many samples ffmpeg makes of a sound when it encodes all of it: whole frames of the codec."""
    encoder = {"opus": "libopus"}.get(codec, codec)
    line = [FFMPEG, "-nostdin", "-loglevel", "quiet", "-y", "-i", str(path), "-map", f"0:{index}", "-c:a", encoder]
    subprocess.run([*line, str(into)], capture_output=True, timeout=LIMIT_S, check=False)
    return sum(one.samples for one in read(into))
