"""An MP4 of what one worker has: some samples of one track, and nothing else."""

from __future__ import annotations

from fanfold.kinds.video.muxing import Chunk, MuxTrack, ftyp, moov
from fanfold.kinds.video.reading import Stretch


def mini(stretch: Stretch) -> bytes:
    """Return an MP4 of these samples alone."""
    head = ftyp(b"isom", b"mp42")
    mdat = len(stretch.data) + 16

    def index(at: int) -> bytes:
        return moov([track_of(stretch, at)])

    at = len(head) + len(index(0)) + 16
    return b"".join((head, index(at), b"\0\0\0\1mdat", mdat.to_bytes(8, "big"), stretch.data))


def track_of(stretch: Stretch, at: int = 0) -> MuxTrack:
    """Return a track whose presentation begins where the stream's does: a sound's priming is not heard."""
    stream = stretch.stream
    chunk = Chunk(stretch.samples, at)
    if stream.kind == "video":
        return MuxTrack(b"vide", stream.timescale, stream.entry, [chunk], stretch.samples.start)
    begins, ends = stream.begins, stream.ends
    return MuxTrack(b"soun", stream.timescale, stream.entry, [chunk], begins, begins, ends)
