"""Every clip in segments of every length, which takes minutes: `python -m tests.kinds.video.matrix [CLIP...]`."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from tests.kinds.video.clips import CLIPS, run
from tests.kinds.video.probes import psnr, seen
from tests.kinds.video.test_exact import RECIPE, check_same, made

NET = {"name": "net", "format": "webm", "height": 60, "crf": 31}
VP9 = "-vf scale=-2:60 -c:v libvpx-vp9 -crf 31 -b:v 0 -deadline good -cpu-used 4 -row-mt 1 -threads 2 -an"
"""The same, as ffmpeg encodes all of a file at once."""

SEGMENTS = ("1s", "2s", "3.7s", "10s")


def main() -> None:
    for name in sys.argv[1:] or CLIPS:
        for segment in SEGMENTS:
            began = time.monotonic()
            with tempfile.TemporaryDirectory() as folder:
                paths = made(Path(folder), name, segment, {"renditions": [*RECIPE["renditions"], NET]})
                better = as_good(paths["net.webm"], paths[name])
                for output in ("web.mp4", "copy.mov", "net.webm", "live/index.m3u8"):
                    check_same(paths[output], paths[name])
            told = f"{name:16} {segment:>5}  same pictures and sound, {better}, {time.monotonic() - began:.1f} s"
            sys.stdout.write(told + "\n")
            sys.stdout.flush()


def as_good(output: Path, source: Path) -> str:
    """Assert that pictures are as good as those of a whole-file encode, to 0.1 dB; tell the difference."""
    if seen(source)[0].kind != "video":
        return "no pictures"
    whole = source.parent / "whole.webm"
    run("-i", str(source), *VP9.split(), "-fps_mode", "passthrough", str(whole))
    ours, theirs = psnr(output, source, "106x60"), psnr(whole, source, "106x60")
    assert ours > theirs - 0.1, (ours, theirs)
    return f"{ours - theirs:+.2f} dB"


if __name__ == "__main__":
    main()
