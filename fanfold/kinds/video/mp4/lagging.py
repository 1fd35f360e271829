"""By how much the display of pictures lags behind their decoding: an index says it of each, in 32 bits."""

from __future__ import annotations

from collections.abc import Sequence

from fanfold.errors import UnsupportedVideo
from fanfold.kinds.video.cutting import Cut
from fanfold.kinds.video.media import Stream
from fanfold.kinds.video.mp4.fragments import lateness
from fanfold.kinds.video.mp4.movie import Track

TICKS_LIMIT = (1 << 31) - 1
"""By how much times of an MP4's samples differ at most: what a signed field of 32 bits holds (8.6.1.3)."""

REORDERED = 4
"""For how many pictures at most an encoder lets one wait."""


def copied(track: Track, found: Sequence[Cut]) -> int:
    """Return by how much the pictures of a track lag in every segment, as they are."""
    return max(lateness(track.pts[cut.first : cut.last]) for cut in found)


def encoded(track: Track, found: Sequence[Cut]) -> int:
    """Return by how much they do at most once they are encoded: each waits for some that its segment shows behind it.

    A picture that is shown for minutes counts where others of its segment follow it.
    """
    return max(map(_waited, (_shown(track, cut) for cut in found)))


def _shown(track: Track, cut: Cut) -> list[int]:
    return sorted(pts for pts in track.pts[cut.first : cut.tail] if cut.start <= pts < cut.stop)


def _waited(shown: Sequence[int]) -> int:
    behind = [*shown[REORDERED:], *[shown[-1]] * min(REORDERED, len(shown))] if shown else ()
    return max((after - at for at, after in zip(shown, behind, strict=True)), default=0)


def check(video: Stream, track: Track, found: Sequence[Cut], late_encoded: int) -> None:
    """Refuse pictures that are decoded so long before or after they are shown that no index can say it.

    `late_encoded`: what `encoded` told.
    """
    apart = max(_apart(track.pts[cut.first : cut.last]) for cut in found)
    # An encoder lets some wait, and hands out others as much too early.
    if (ticks := max(apart, 2 * late_encoded)) > TICKS_LIMIT:
        raise UnsupportedVideo(
            f"a picture of stream {video.index} is shown for, or decoded apart from its display by, "
            f"{float(ticks * video.tick):,.0f} s: more ticks than an MP4 can say"
        )


def _apart(pts: Sequence[int]) -> int:
    """Return from the latest to the earliest: how far display is apart from decoding."""
    found = [at - dts for dts, at in zip(sorted(pts), pts, strict=True)]
    return max(found, default=0) - min(found, default=0)
