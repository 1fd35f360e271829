"""Every clip in segments of every length, which takes minutes: `python -m tests.kinds.video.matrix [CLIP...]`."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from tests.kinds.video.clips import CLIPS
from tests.kinds.video.test_exact import RECIPE, check_same, made

NET = {"name": "net", "format": "webm", "height": 60}

SEGMENTS = ("1s", "2s", "3.7s", "10s")


def main() -> None:
    for name in sys.argv[1:] or CLIPS:
        for segment in SEGMENTS:
            began = time.monotonic()
            with tempfile.TemporaryDirectory() as folder:
                paths = made(Path(folder), name, segment, {"renditions": [*RECIPE["renditions"], NET]})
                for output in ("web.mp4", "copy.mov", "net.webm", "live/index.m3u8"):
                    check_same(paths[output], paths[name])
            told = f"{name:16} {segment:>5}  same pictures and sound, {time.monotonic() - began:.1f} s"
            sys.stdout.write(told + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
