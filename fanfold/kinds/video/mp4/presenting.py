"""What is presented of a track, where its index says more than players follow."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

from fanfold.kinds.video.mp4.entries import of_picture
from fanfold.kinds.video.mp4.movie import Track


def settle(track: Track) -> None:
    """Leave out of a track what no player presents, and the times that none follows."""
    if track.handler == b"soun" and any(after <= before for before, after in pairwise(track.pts)):
        # Sound is heard in the order in which it is decoded: offsets that have packets share a time mean nothing.
        track.pts = array("q", (at + track.shift for at in track.dts))
    empty = _empty_bytes(track)
    if min(track.sizes, default=empty + 1) <= empty:
        # Of nothing nothing is decoded, and in a fragment it is an error.
        _keep(track, array("Q", (at for at, size in enumerate(track.sizes) if size > empty)))
    if track.ends is not None:
        _cut(track, track.ends)


def _empty_bytes(track: Track) -> int:
    """Return how large a sample is at most that holds no picture: the head of a NAL unit, such as ends a sequence."""
    for name, at, head_bytes in (("avcC", 4, 1), ("hvcC", 21, 2)):
        config = of_picture(track.entry, name) if track.handler == b"vide" else b""
        if len(config) > at:
            return (config[at] & 3) + 1 + head_bytes
    return 0


def _cut(track: Track, ends: int) -> None:
    """Leave out the samples behind which nothing is presented before `ends`: a stream of fragments cannot hide them."""
    kept = next((at + 1 for at in reversed(range(len(track))) if track.pts[at] < ends), 0)
    if kept == len(track):
        return
    _keep(track, range(kept))
    if kept:
        track.end = track.dts[-1] + ends - max(track.pts)


def _keep(track: Track, kept: Sequence[int]) -> None:
    """Leave out all samples but some, which are given in order."""
    for name in ("offsets", "sizes", "dts", "pts"):
        table = getattr(track, name)
        setattr(track, name, array(table.typecode, map(table.__getitem__, kept)))
    found = ((bisect_left(kept, key), key) for key in track.keys)
    track.keys = array("Q", (number for number, key in found if number < len(kept) and kept[number] == key))
