"""The media playlists of HLS (RFC 8216): over the fragments that the parts are, and no byte of them is touched.

Workers have the fragments copied to their place inside S3 before the merge writes the playlists. Those of one track lie
in a folder whose name tells them from any other version's: so a playlist never leads to another one's fragments.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from math import ceil

from fanfold.kinds.video.files import mux_track
from fanfold.kinds.video.media import Media
from fanfold.kinds.video.muxing import MuxTrack, ftyp, moov
from fanfold.kinds.video.tracks import Stored, Whole
from fanfold.model import Json, Output, placing

PLAYLIST, SEGMENT = "application/vnd.apple.mpegurl", "video/iso.segment"

PLACED_A_LINE = 100
"""Fragments that one worker has copied: three requests each, 16 of them at once."""


@dataclass(frozen=True)
class Track:
    """The pictures of a rendition, or one of its sounds, as a playlist of its own."""

    name: str
    whole: Whole

    @cached_property
    def stored(self) -> list[tuple[int, Stored]]:
        """Its fragments by the numbers of their segments, in order."""
        return sorted(self.whole.stored.items())

    @cached_property
    def version(self) -> str:
        """What tells its fragments from all others: where they lie in the work bucket."""
        places = [f"{stored.made.key} {stored.at}\n" for _, stored in self.stored]
        return hashlib.sha256("".join(places).encode()).hexdigest()[:8]

    @property
    def folder(self) -> str:
        return f"{self.name}-{self.version}"

    @cached_property
    def lengths(self) -> list[Fraction]:
        """The seconds of each fragment: until the next one begins."""
        whole, stored = self.whole, [one for _, one in self.stored]
        starts = [max(one.start, whole.begins) for one in stored]
        ends = max(starts[-1], min(whole.ends, stored[-1].stop))
        return [Fraction(after - before, whole.timescale) for before, after in pairwise([*starts, ends])]

    @property
    def peak(self) -> int:
        """The bits a second of the largest fragment, as a player must be ready for."""
        pairs = zip(self.stored, self.lengths, strict=True)
        return ceil(max((one.fragment_bytes * 8 / length for (_, one), length in pairs if length), default=1))

    @property
    def mean(self) -> int:
        """The bits a second of all of it."""
        return ceil(sum(one.fragment_bytes for _, one in self.stored) * 8 / (sum(self.lengths) or 1))


def tracks(media: Media, wholes: Sequence[Whole]) -> list[Track]:
    """Return the tracks of a rendition by their names."""
    return [
        Track("video" if whole.stream.kind == "video" else f"audio-{media.audio.index(whole.stream)}", whole)
        for whole in wholes
    ]


def target_s(found: Iterable[Track]) -> int:
    """Return what no fragment is longer than, in seconds: of all playlists between which a player changes (6.2.4)."""
    return max(1, ceil(max(length for track in found for length in track.lengths)))


def outputs(name: str, media: Media, found: Sequence[Track], longest_s: int) -> Iterator[Output]:
    """Yield the playlists, heads and fragments of the tracks of a rendition."""
    for track in found:
        yield playlist(f"{name}/{track.name}.m3u8", _lines(track, longest_s))
        yield Output(f"{name}/{track.folder}/init.mp4", [head(media, track.whole)], "video/mp4")
        for number, stored in track.stored:
            yield Output(f"{name}/{track.folder}/{number:05}.m4s", [stored.fragment], SEGMENT, placed=True)


def playlist(name: str, lines: Iterable[str]) -> Output:
    """Return a playlist of these lines."""
    return Output(name, ["".join(f"{line}\n" for line in lines).encode()], PLAYLIST)


def spans(outputs: Sequence[Output]) -> Iterator[dict[str, Json]]:
    """Yield the spans of the lines that put fragments in their place."""
    placed = [output for output in outputs if output.placed]
    for start in range(0, len(placed), PLACED_A_LINE):
        yield placing(placed[start : start + PLACED_A_LINE])


def head(media: Media, whole: Whole) -> bytes:
    """Return what a player reads before any fragment of a track."""
    track = mux_track("mp4", media, whole)
    late = media.late_of(whole.stream, copied=whole.copied)
    described = MuxTrack(
        handler=track.handler,
        timescale=track.timescale,
        entry=track.entry,
        origin=-whole.lead - late,
        begins=0,
        language=track.language,
        matrix=track.matrix,
    )
    return ftyp(b"iso6", b"mp42", b"cmfc", b"cmf2") + moov([described], fragmented=True)


def _lines(track: Track, longest_s: int) -> Iterator[str]:
    yield "#EXTM3U"
    yield "#EXT-X-VERSION:7"
    yield f"#EXT-X-TARGETDURATION:{longest_s}"
    yield "#EXT-X-PLAYLIST-TYPE:VOD"
    yield f'#EXT-X-MAP:URI="{track.folder}/init.mp4"'
    for (number, _), length in zip(track.stored, track.lengths, strict=True):
        yield f"#EXTINF:{float(length):.6f},"
        yield f"{track.folder}/{number:05}.m4s"
    yield "#EXT-X-ENDLIST"
