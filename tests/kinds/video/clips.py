"""Clips to try the video kind on, made by ffmpeg from its own seeded test pictures and tones."""

from __future__ import annotations

import subprocess
import tempfile
from functools import cache
from pathlib import Path

import imageio_ffmpeg

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()

PICTURES = "testsrc2=size=160x90:rate=30000/1001:duration={seconds}"
SOUND = "aevalsrc='sin(2*PI*(300+40*t)*t)/2|sin(2*PI*(500+30*t)*t)/3':sample_rate=48000:duration={seconds}"

H264 = "-c:v libx264 -preset veryfast -g 48 -bf 3"
AAC = "-c:a aac -b:a 96k"

CLIPS = {
    "plain.mp4": f"{H264} {AAC}",
    "first.mp4": f"{H264} {AAC} -movflags +faststart",
    "fragmented.mp4": f"{H264} {AAC} -movflags +frag_keyframe+empty_moov+default_base_moof",
    "open.mov": f"-c:v libx264 -preset veryfast -x264-params open-gop=1:keyint=40:bframes=3:b-pyramid=normal {AAC}",
    "hevc.mp4": f"-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=48 -tag:v hvc1 {AAC}",
    "vp9.mp4": "-c:v libvpx-vp9 -g 48 -deadline realtime -cpu-used 8 -c:a libopus",
    "av1.mp4": "-c:v libsvtav1 -preset 12 -g 48 -svtav1-params lp=2 -c:a libopus",
    "variable.mp4": f"-vf select='not(mod(n,2))+gt(mod(n,7),3)' -fps_mode vfr {H264} {AAC}",
    "h264.mkv": f"{H264} {AAC}",
    "vp9.webm": "-c:v libvpx-vp9 -g 48 -deadline realtime -cpu-used 8 -c:a libopus",
    "av1.mkv": "-c:v libsvtav1 -preset 12 -g 48 -svtav1-params lp=2 -c:a libopus",
    "vorbis.webm": "-c:v libvpx-vp9 -g 48 -deadline realtime -cpu-used 8 -c:a libvorbis",
    "live.mkv": f"{H264} {AAC} -live 1",
    "hevc.ts": f"-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=48 {AAC}",
    "h264.ts": f"{H264} {AAC}",
    "camcorder.mts": f"{H264} -c:a ac3 -mpegts_m2ts_mode 1",
    "mpeg4.avi": "-c:v mpeg4 -g 24 -c:a libmp3lame",
    "silent.mp4": f"-an {H264}",
    "sound.m4a": f"-vn {AAC} -f mp4",
}
"""By name, what ffmpeg is told to make of them."""


@cache
def clip(name: str, seconds: float = 6, arguments: str | None = None, pictures: str = PICTURES) -> bytes:
    """Return a clip."""
    given = CLIPS[name] if arguments is None else arguments
    sources = [source.format(seconds=seconds) for source in (pictures, SOUND)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        inputs = [word for source in sources for word in ("-f", "lavfi", "-i", source)]
        run(*inputs, "-pix_fmt", "yuv420p", *given.split(), "-bitexact", str(path))
        return path.read_bytes()


def run(*arguments: str, fed: bytes | None = None) -> bytes:
    """Run ffmpeg; return what it writes to its output. Its errors are the test's."""
    line = [FFMPEG, "-nostdin", "-hide_banner", "-loglevel", "error", "-y", *arguments]
    done = subprocess.run(line, input=fed, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
