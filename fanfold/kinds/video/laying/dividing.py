"""How an object that is no MP4 is divided among the workers that lay it out: by the bytes in which each begins."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from av.container import InputContainer

from fanfold.kinds.video import pcm
from fanfold.kinds.video.formats import PACKET_BYTES, Container, packets_apart
from fanfold.kinds.video.laying import chunks, clusters, leading, ordering
from fanfold.kinds.video.ranges import HEAD_BYTES
from fanfold.model import Json, Source

SHARE_BYTES = 64 << 20
"""How many bytes one worker lays out, or a little more."""

ALIKE_ANYWHERE = pcm.CODECS | {
    *("h264", "hevc", "vp8", "vp9", "av1", "mpeg4", "mpeg2video", "mjpeg"),
    *("aac", "opus", "mp3", "mp2", "ac3", "flac"),
}
"""Codecs of which a packet says the same to whoever did not see the one before it."""


def divided(
    source: Source, form: Container, probed: int, found: InputContainer, streams: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, Json], list[Json]]:
    """Return what the workers must agree on, and the share of each.

    `found`: the object, of which libavformat read `probed` bytes to know the `streams`.
    """
    in_order = form != "avi" or (chunks.are_interleaved(found) and not ordering.is_told_by_all(found))
    cut = shares(source, form, probed, streams) if in_order else [True]
    lead = leading.lead(source, form, probed, found) if len(cut) > 1 else None
    told: dict[str, Json] = {"in_order": in_order}
    return (told | {"lead": lead.to_json()}, cut) if lead else (told, [True])


def shares(source: Source, form: Container, probed: int, streams: Sequence[Mapping[str, Any]]) -> list[Json]:
    """Return the share of each worker: bytes [start, stop), or true for all of the object.

    `probed`: how many bytes tell what the streams are, which are those of the first worker.
    """
    played = [one for one in streams if one["type"] in ("video", "audio") and not one["picture"]]
    if not all(one.get("codec") in ALIKE_ANYWHERE for one in played):
        return [True]
    size = source.size_bytes
    count = size // SHARE_BYTES
    even = [number * size // count for number in range(1, count)]
    match form:
        case "matroska":
            cuts = _at_cues(source, even)
        case "mpegts" if packets_apart(source.read(0, HEAD_BYTES)) != PACKET_BYTES:
            return [True]
        case "mpegts":
            cuts = [at - at % PACKET_BYTES for at in even]
        case _:
            cuts = even
    bounds = [0, *sorted({cut for cut in cuts if cut > probed}), size]
    return [[start, stop] for start, stop in pairwise(bounds)] if len(bounds) > 2 else [True]


def _at_cues(source: Source, even: Sequence[int]) -> list[int]:
    """Return the places of the next cues; where they are rare, a worker looks for its first cluster itself."""
    found = clusters.segment(source)
    if found is None:
        return []
    cued = clusters.cued(source, found)
    near = [bisect_left(cued, at) for at in even]
    return [
        cued[number] if number < len(cued) and cued[number] < at + SHARE_BYTES // 2 else at
        for at, number in zip(even, near, strict=True)
    ]
