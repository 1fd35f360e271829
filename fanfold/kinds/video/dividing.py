"""How an object that is no MP4 is divided among the workers that lay it out: by the bytes in which each begins."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

from fanfold.kinds.video import clusters
from fanfold.kinds.video.formats import Container
from fanfold.model import Json, Source

SHARE_BYTES = 64 << 20
"""How many bytes one worker lays out, or a little more."""

ALIKE_ANYWHERE = frozenset({"h264", "hevc", "vp9", "av1", "mpeg4", "aac", "opus", "mp3", "ac3", "flac"})
"""Codecs of which a packet says the same to whoever did not see the one before it."""


def shares(source: Source, form: Container, probed: int, streams: Sequence[Mapping[str, Any]]) -> list[Json]:
    """Return the share of each worker: bytes [start, stop), or true for all of the object.

    `probed`: how many bytes tell what the streams are, which are those of the first worker.
    """
    played = [one for one in streams if one["type"] in ("video", "audio") and not one["picture"]]
    if form != "matroska" or not all(one.get("codec") in ALIKE_ANYWHERE for one in played):
        return [True]
    found = clusters.segment(source)
    if found is None:
        return [True]
    size = source.size_bytes
    count = max(1, size // SHARE_BYTES)
    cued = clusters.cued(source, found)
    cuts = [0]
    for number in range(1, count):
        even = number * size // count
        at = bisect_left(cued, even)
        # Where cues are rare, a worker looks for its first cluster itself.
        is_near = at < len(cued) and cued[at] < even + SHARE_BYTES // 2
        cuts.append(cued[at] if is_near else even)
    cuts = sorted({cut for cut in cuts if cut == 0 or cut > probed})
    return [[start, stop] for start, stop in zip(cuts, [*cuts[1:], size], strict=True)] if len(cuts) > 1 else [True]
