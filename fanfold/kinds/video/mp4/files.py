"""MP4 and QuickTime files, of pieces: an index that is made here, and the samples where the parts left them."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from fanfold.kinds.video.media import Media
from fanfold.kinds.video.mp4 import chapters
from fanfold.kinds.video.mp4.entries import of_mp4
from fanfold.kinds.video.mp4.muxing import IDENTITY, Chunk, MuxTrack, ftyp, moov
from fanfold.kinds.video.mp4.tagging import user_data
from fanfold.kinds.video.tracks import Whole
from fanfold.model import Piece

_BRANDS = {"mp4": (b"isom", b"iso6", b"mp42"), "mov": (b"qt  ",)}


def pieces(form: str, media: Media, wholes: Sequence[Whole]) -> list[Piece]:
    """Return a file: its index first, then each segment's pictures and sound in turn."""
    tracks = [mux_track(form, media, whole) for whole in wholes]
    head = ftyp(*_BRANDS[form])
    placed = [
        (number, at) for number in range(len(media.segments)) for at, one in enumerate(wholes) if number in one.stored
    ]
    origin = Fraction(media.origin)
    titles: list[MuxTrack] = []
    texts = b""
    if told := chapters.track(media.chapters, origin, Fraction(media.duration)):
        titles, texts = [told[0]], told[1]
        tracks = [replace(one, chapters=len(tracks) + 1) for one in tracks]
    size = len(texts) + sum(wholes[at].stored[number].size_bytes for number, at in placed)
    wide = size + 16 >= 1 << 32
    mdat = b"\0\0\0\1mdat" + (size + 16).to_bytes(8, "big") if wide else (size + 8).to_bytes(4, "big") + b"mdat"
    extra = user_data(media.tags or {}, chapters.listed(media.chapters, origin))
    index_size, index = -1, b""
    while len(index) != index_size:
        # Places of more than 4 GiB take more room in the index, which moves every place.
        index_size = len(index)
        at = len(head) + index_size + len(mdat)
        titles = [replace(one, chunks=[replace(chunk, at=at) for chunk in one.chunks]) for one in titles]
        at += len(texts)
        chunks: list[list[Chunk]] = [[] for _ in wholes]
        for number, track in placed:
            stored = wholes[track].stored[number]
            chunks[track].append(Chunk(stored.samples, at))
            at += stored.size_bytes
        placed_tracks = [replace(one, chunks=found) for one, found in zip(tracks, chunks, strict=True)]
        index = moov([*placed_tracks, *titles], extra=extra)
    return [head + index + mdat + texts, *(wholes[track].stored[number].data for number, track in placed)]


def mux_track(form: str, media: Media, whole: Whole) -> MuxTrack:
    """Return a track as it is described in an index."""
    stream = whole.stream
    is_plain = form == "mov" or stream.kind == "video"
    return MuxTrack(
        handler=b"vide" if stream.kind == "video" else b"soun",
        timescale=whole.timescale,
        entry=whole.entry if is_plain else of_mp4(whole.entry, stream.channels, stream.sample_rate),
        origin=whole.origin,
        begins=whole.begins,
        ends=whole.ends,
        language=stream.language,
        title=stream.title,
        # What is encoded is turned as it is encoded.
        matrix=b64decode(stream.matrix) if stream.kind == "video" and whole.copied and stream.matrix else IDENTITY,
        enabled=stream.kind == "video" or stream is media.heard,
    )
