"""An MP4 of what one worker has: some samples of one track, and nothing else."""

from __future__ import annotations

from fanfold.kinds.video.media import Stream
from fanfold.kinds.video.mp4.muxing import Chunk, MuxTrack, ftyp, moov
from fanfold.kinds.video.reading import Stretch
from fanfold.kinds.video.samples import Samples


def mini(stretch: Stretch) -> bytes:
    """Return an MP4 of these samples alone."""
    return b"".join((head(stretch.stream, stretch.samples), *stretch.data))


def head(stream: Stream, samples: Samples) -> bytes:
    """Return what stands before the samples' bytes in an MP4 of them alone."""
    begins = ftyp(b"isom", b"mp42")
    size = sum(samples.sizes) + 16

    def index(at: int) -> bytes:
        return moov([track_of(stream, samples, at)])

    at = len(begins) + len(index(0)) + 16
    return b"".join((begins, index(at), b"\0\0\0\1mdat", size.to_bytes(8, "big")))


def track_of(stream: Stream, samples: Samples, at: int = 0) -> MuxTrack:
    """Return a track whose presentation begins where the stream's does: a sound's priming is not heard."""
    chunk = Chunk(samples, at)
    if stream.kind == "video":
        return MuxTrack(b"vide", stream.timescale, stream.entry, [chunk], samples.start)
    begins, ends = stream.begins, stream.ends
    return MuxTrack(b"soun", stream.timescale, stream.entry, [chunk], begins, begins, ends)
