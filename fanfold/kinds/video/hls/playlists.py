"""The media playlists of HLS (RFC 8216): over the fragments that the parts are, and no byte of them is touched.

Workers have the fragments copied to their place inside S3 before the merge writes the playlists. Those of one track lie
in a folder whose name tells them from any other version's: so a playlist never leads to another one's fragments.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from fanfold.kinds.video.media import Media
from fanfold.kinds.video.mp4.files import mux_track
from fanfold.kinds.video.mp4.muxing import MuxTrack, ftyp, moov
from fanfold.kinds.video.tracks import Stored, Whole
from fanfold.model import Copied, Json, Output, placing

PLAYLIST, SEGMENT = "application/vnd.apple.mpegurl", "video/iso.segment"

PLACED_A_LINE = 100
"""Fragments that one worker has copied: three requests each, 16 of them at once."""


@dataclass(frozen=True)
class Track:
    """The pictures of a rendition, or one of its sounds, as a playlist of its own."""

    rendition: str
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
        """Where its head and its fragments are put, beside its playlist."""
        return f"{self.name}-{self.version}"

    @property
    def head(self) -> str:
        """The name of its head among the outputs."""
        return f"{self.rendition}/{self.folder}/init.mp4"

    @cached_property
    def fragments(self) -> list[tuple[str, Copied]]:
        """The name of each fragment among the outputs, and where it lies in the work bucket."""
        folder = f"{self.rendition}/{self.folder}"
        return [(f"{folder}/{number:05}.m4s", one.fragment) for number, one in self.stored]

    @cached_property
    def ticks(self) -> list[int]:
        """How long each fragment is, in ticks of the track: until the next one begins."""
        whole, stored = self.whole, [one for _, one in self.stored]
        starts = [max(one.start, whole.begins) for one in stored]
        # A playlist begins with the presentation, whatever is presented first.
        starts[0] = min(starts[0], whole.origin)
        ends = max(starts[-1], min(whole.ends, stored[-1].stop))
        return [after - before for before, after in pairwise([*starts, ends])]

    @cached_property
    def sizes(self) -> list[int]:
        """The bits of each fragment."""
        return [8 * one.fragment_bytes for _, one in self.stored]

    @cached_property
    def peak(self) -> int:
        """The most bits a second of any run of fragments that lasts from half to one and a half of the longest (4.1).

        A shorter one says little: a last fragment of two pictures is all keyframe.
        """
        longest, scale, peak = max(self.ticks), self.whole.timescale, 1
        for start in range(len(self.ticks)):
            bits = ticks = 0
            for at in range(start, len(self.ticks)):
                bits, ticks = bits + self.sizes[at], ticks + self.ticks[at]
                if 2 * ticks > 3 * longest:
                    break
                if ticks and 2 * ticks >= longest:
                    peak = max(peak, _ceil(bits * scale, ticks))
        return peak

    @cached_property
    def mean(self) -> int:
        """The bits a second of all of it."""
        scale = self.whole.timescale
        return _ceil(sum(self.sizes) * scale, sum(self.ticks) or scale)


def _ceil(bits: int, ticks: int) -> int:
    return -(-bits // ticks)


def tracks(rendition: str, media: Media, wholes: Sequence[Whole]) -> list[Track]:
    """Return the tracks of a rendition by their names."""
    return [
        Track(rendition, "video" if whole.stream.kind == "video" else f"audio-{media.audio.index(whole.stream)}", whole)
        for whole in wholes
    ]


def target_s(found: Sequence[Track]) -> int:
    """Return what no fragment is longer than, in seconds: of all playlists between which a player changes (6.2.4)."""
    return max(1, *(_ceil(max(track.ticks), track.whole.timescale) for track in found))


def outputs(media: Media, found: Sequence[Track], longest_s: int) -> Iterator[Output]:
    """Yield the playlists and heads of the tracks of a rendition."""
    for track in found:
        yield playlist(f"{track.rendition}/{track.name}.m3u8", _lines(track, longest_s))
        yield Output(track.head, [head(media, track.whole)], "video/mp4")


def with_fragments(outputs: Sequence[Output], found: Sequence[Track]) -> Iterator[Output]:
    """Yield outputs, and behind each head the fragments of its track, which are in their place."""
    by_head = {track.head: track for track in found}
    for output in outputs:
        yield output
        if track := by_head.get(output.name):
            yield from (Output(name, [piece], SEGMENT, placed=True) for name, piece in track.fragments)


def spans(found: Sequence[Track]) -> Iterator[dict[str, Json]]:
    """Yield the spans of the lines that put fragments in their place."""
    placed = [one for track in found for one in track.fragments]
    for start in range(0, len(placed), PLACED_A_LINE):
        yield placing(placed[start : start + PLACED_A_LINE], SEGMENT)


def playlist(name: str, lines: Iterable[str]) -> Output:
    """Return a playlist of these lines."""
    return Output(name, ["".join(f"{line}\n" for line in lines).encode()], PLAYLIST)


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
    folder, timescale = track.folder, track.whole.timescale
    for (number, _), ticks in zip(track.stored, track.ticks, strict=True):
        yield f"#EXTINF:{ticks / timescale:.6f},\n{folder}/{number:05}.m4s"
    yield "#EXT-X-ENDLIST"
