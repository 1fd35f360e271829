"""What a recording that was cut out of a longer one begins with: pictures that need others from before the cut.

Behind a keyframe come, in the order of decoding, pictures that are shown before it (open GOP; leading pictures in ITU-T
H.265, 3.1). Those that refer to it alone are shown; of the first keyframe, a decoder shows none of the others.
"""

from __future__ import annotations

from fanfold.kinds.video.decoding import decoded
from fanfold.kinds.video.media import Stream
from fanfold.kinds.video.mp4.movie import Track
from fanfold.kinds.video.reading import Stretch
from fanfold.kinds.video.samples import Samples
from fanfold.model import Source

LEADING_LIMIT, LEADING_BYTES = 64, 128 << 20
"""How many leading pictures are looked at: encoders reorder fewer. And how large they are with their keyframe."""


def skip(stream: Stream, track: Track, source: Source) -> bool:
    """Leave out the pictures that a track begins with and nothing decodes; tell whether there were any."""
    first = track.pts[0]
    leading = next((at for at in range(1, len(track)) if track.pts[at] >= first), len(track)) - 1
    if not 0 < leading <= LEADING_LIMIT or sum(track.sizes[: leading + 1]) > LEADING_BYTES:
        return False
    shown = _shown(stream, track, leading + 1, source)
    lost = [at for at in range(leading + 1) if at not in shown]
    # Where the keyframe itself does not decode, its segment says so.
    if not lost or 0 in lost:
        return False
    track.drop(lost)
    return True


def _shown(stream: Stream, track: Track, count: int, source: Source) -> set[int]:
    """Return which of the first samples a decoder shows."""
    order = sorted(range(count), key=track.pts.__getitem__)
    ranks = [order.index(at) for at in range(count)]
    places = zip(track.offsets[:count], track.sizes[:count], strict=True)
    data = [source.read(start, start + size) for start, size in places]
    # Their ranks serve as their times, which may be the same of two where a container rounds them.
    excerpt = Stretch(stream, Samples(ranks, [1] * count, track.sizes[:count].tolist(), [0]), data)
    return {order[rank] for rank, _ in decoded(excerpt)}
