"""HTTP Live Streaming (RFC 8216): playlists over the fragments that the parts are, and no byte of them is touched.

Workers have the fragments copied to their place inside S3 before the merge writes the playlists. Those of one track lie
in a folder whose name tells them from any other version's: so a playlist never leads to another one's fragments.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from math import ceil

from fanfold.kinds.video.boxes import find
from fanfold.kinds.video.files import mux_track
from fanfold.kinds.video.media import Media
from fanfold.kinds.video.muxing import MuxTrack, ftyp, moov
from fanfold.kinds.video.recipe import Rendition
from fanfold.kinds.video.tracks import Whole
from fanfold.model import Json, Output, placing

PLAYLIST, SEGMENT = "application/vnd.apple.mpegurl", "video/iso.segment"

PLACED_A_LINE = 100
"""Fragments that one worker has copied: three requests each, 16 of them at once."""


def outputs(rendition: Rendition, media: Media, wholes: Sequence[Whole]) -> Iterator[Output]:
    """Yield the playlists, heads and fragments of a rendition."""
    named = [(_name(media, whole), whole) for whole in wholes]
    yield _text(f"{rendition.name}/index.m3u8", _variants(media, named))
    for name, whole in named:
        folder = f"{name}-{_version(whole)}"
        yield _text(f"{rendition.name}/{name}.m3u8", _playlist(folder, whole))
        yield Output(f"{rendition.name}/{folder}/init.mp4", [head(media, whole)], "video/mp4")
        for number, stored in sorted(whole.stored.items()):
            yield Output(f"{rendition.name}/{folder}/{number:05}.m4s", [stored.fragment], SEGMENT, placed=True)


def spans(outputs: Sequence[Output]) -> Iterator[dict[str, Json]]:
    """Yield the spans of the lines that put fragments in their place."""
    placed = [output for output in outputs if output.placed]
    for start in range(0, len(placed), PLACED_A_LINE):
        yield placing(placed[start : start + PLACED_A_LINE])


def _version(whole: Whole) -> str:
    """Return what tells the fragments of a track from all others: where they lie in the work bucket."""
    places = [f"{stored.made.key} {stored.at}\n" for _, stored in sorted(whole.stored.items())]
    return hashlib.sha256("".join(places).encode()).hexdigest()[:8]


def head(media: Media, whole: Whole) -> bytes:
    """Return what a player reads before any fragment of a track."""
    track = mux_track(media, whole)
    late = media.late_of(whole.stream, copied=whole.entry == whole.stream.entry)
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


def _name(media: Media, whole: Whole) -> str:
    if whole.stream.kind == "video":
        return "video"
    return f"audio-{media.audio.index(whole.stream)}"


def _text(name: str, lines: Iterator[str]) -> Output:
    return Output(name, ["".join(f"{line}\n" for line in lines).encode()], PLAYLIST)


def _lengths(whole: Whole) -> list[Fraction]:
    """Return the seconds of each fragment: until the next one begins."""
    stored = [one for _, one in sorted(whole.stored.items())]
    starts = [max(one.start, whole.begins) for one in stored]
    ends = max(starts[-1], min(whole.ends, stored[-1].stop))
    return [Fraction(after - before, whole.timescale) for before, after in pairwise([*starts, ends])]


def _playlist(folder: str, whole: Whole) -> Iterator[str]:
    lengths = _lengths(whole)
    yield "#EXTM3U"
    yield "#EXT-X-VERSION:7"
    yield f"#EXT-X-TARGETDURATION:{max(1, ceil(max(lengths)))}"
    yield "#EXT-X-PLAYLIST-TYPE:VOD"
    yield f'#EXT-X-MAP:URI="{folder}/init.mp4"'
    for number, length in zip(sorted(whole.stored), lengths, strict=True):
        yield f"#EXTINF:{float(length):.6f},"
        yield f"{folder}/{number:05}.m4s"
    yield "#EXT-X-ENDLIST"


def _variants(media: Media, named: Sequence[tuple[str, Whole]]) -> Iterator[str]:
    yield "#EXTM3U"
    yield "#EXT-X-VERSION:7"
    videos = [(name, whole) for name, whole in named if whole.stream.kind == "video"]
    audios = [(name, whole) for name, whole in named if whole.stream.kind == "audio"]
    if not videos:
        for name, whole in audios:
            yield _stream(_rate(whole), [whole])
            yield f"{name}.m3u8"
        return
    for at, (name, whole) in enumerate(audios):
        stream = whole.stream
        label = (stream.title or stream.language).translate({ord(mark): None for mark in '"\n\r'})
        language = "" if stream.language == "und" else f',LANGUAGE="{stream.language}"'
        chosen = f"DEFAULT={'NO' if at else 'YES'},AUTOSELECT=YES"
        yield f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="{label} {at + 1}"{language},{chosen},URI="{name}.m3u8"'
    [(name, whole)] = videos
    rate = _rate(whole) + max((_rate(audio) for _, audio in audios), default=0)
    yield _stream(rate, [whole, *(audio for _, audio in audios)]) + (',AUDIO="audio"' if audios else "")
    yield f"{name}.m3u8"


def _stream(rate: int, wholes: Sequence[Whole]) -> str:
    told = [f"BANDWIDTH={rate}"]
    codecs = sorted({codec(whole.entry) for whole in wholes})
    if all(codecs):
        told.append(f'CODECS="{",".join(codecs)}"')
    if wholes[0].stream.kind == "video":
        width, height = struct.unpack_from(">HH", wholes[0].entry, 32)
        told.append(f"RESOLUTION={width}x{height}")
    return "#EXT-X-STREAM-INF:" + ",".join(told)


def _rate(whole: Whole) -> int:
    """Return the bits a second of the largest fragment, as a player must be ready for."""
    sizes = [one.size_bytes for _, one in sorted(whole.stored.items())]
    rates = [size * 8 / length for size, length in zip(sizes, _lengths(whole), strict=True) if length]
    return ceil(max(rates, default=1))


def codec(entry: bytes) -> str:
    """Return what RFC 6381 calls a codec, empty where it is not told here."""
    name = entry[4:8].decode("latin-1")
    match name:
        case "avc1" | "avc3":
            at = find(entry, "avcC", 86)
            return f"{name}.{entry[at[0] + 1 : at[0] + 4].hex()}" if at else ""
        case "hvc1" | "hev1":
            at = find(entry, "hvcC", 86)
            return _hevc(name, entry[at[0] : at[1]]) if at else ""
        case "av01":
            at = find(entry, "av1C", 86)
            return _av1(entry[at[0] : at[1]]) if at else ""
        case "mp4a":
            return "mp4a.40.2"
        case _:
            return ""


def _hevc(name: str, record: bytes) -> str:
    """Describe an HEVC configuration (ISO/IEC 14496-15, annex E.3)."""
    space, tier, profile = record[1] >> 6, record[1] >> 5 & 1, record[1] & 31
    (flags,) = struct.unpack_from(">I", record, 2)
    reversed_flags = int(f"{flags:032b}"[::-1], 2)
    constraints = record[6:12].rstrip(b"\0")
    parts = [f"{('', 'A', 'B', 'C')[space]}{profile}", f"{reversed_flags:X}", f"{'LH'[tier]}{record[12]}"]
    return ".".join([name, *parts, *(f"{one:X}" for one in constraints)])


def _av1(record: bytes) -> str:
    """Describe an AV1 configuration (AV1 Codec ISO Media File Format Binding, 5)."""
    profile, level, tier = record[1] >> 5, record[1] & 31, record[2] >> 7
    depth = 8 if not record[2] >> 6 & 1 else 12 if record[2] >> 5 & 1 else 10
    return f"av01.{profile}.{level:02}{'MH'[tier]}.{depth:02}"
