"""WebM files (RFC 9559, and the WebM project's subset of it), of pieces: a head that is made here, and the clusters
where the workers wove them. The index (Cues) is in the head, so that a player asks for what it shows alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from fanfold.kinds.video.media import Media
from fanfold.kinds.video.mp4.tagging import NAMES
from fanfold.kinds.video.tracks import Whole
from fanfold.kinds.video.webm import trackentries, weaving
from fanfold.kinds.video.webm.blocks import SECOND_NS, laid, zero_of
from fanfold.kinds.video.webm.ebml import element, name, real, sized, text, unsigned
from fanfold.model import Copied, Part, Piece

_SEGMENT, _SEEK_HEAD, _INFO, _TRACKS = 0x18538067, 0x114D9B74, 0x1549A966, 0x1654AE6B
_CHAPTERS, _TAGS, _CUES = 0x1043A770, 0x1254C367, 0x1C53BB6B

PLACE_BYTES = 8
"""How long a place in the file is written, so that what is written of places does not move them."""


def pieces(media: Media, wholes: Sequence[Whole], woven: Sequence[Part]) -> list[Piece]:
    """Return a file: what describes it, the index, then the clusters in their order."""
    scale_ns, tracks = laid(wholes)
    zero = zero_of(wholes)
    ends = max(Fraction(whole.ends, whole.timescale) for whole in wholes)
    entries = [
        trackentries.entry(whole, blocks, is_default=whole.stream in (media.video, media.heard))
        for whole, blocks in zip(wholes, tracks, strict=True)
    ]
    tags = media.tags or {}
    told = {
        _INFO: element(_INFO, *_info(scale_ns, (ends - zero) * SECOND_NS / scale_ns, tags)),
        _TRACKS: element(_TRACKS, *entries),
    }
    if media.chapters:
        told[_CHAPTERS] = element(_CHAPTERS, element(0x45B9, *_chapters(media.chapters, zero)))
    if simple := [_tag(at, value) for at, value in tags.items() if at.lower() in NAMES and at.lower() != "title"]:
        told[_TAGS] = element(_TAGS, element(0x7373, element(0x63C0), *simple))
    clusters = [cluster for part in woven for cluster in weaving.told(part.facts)]
    # As long as the one that is written.
    told[_CUES] = element(_CUES, *_cues(clusters, 0))
    seeks = len(element(_SEEK_HEAD, *_seeks(told, 0)))
    head = seeks + sum(map(len, told.values()))
    told[_CUES] = element(_CUES, *_cues(clusters, head))
    size = head + sum(size_bytes for _, size_bytes, _ in clusters)
    made = [part.objects[weaving.CLUSTERS] for part in woven]
    return [
        b"".join((
            _header(),
            name(_SEGMENT),
            sized(size, PLACE_BYTES),
            element(_SEEK_HEAD, *_seeks(told, seeks)),
            *told.values(),
        )),
        *(Copied(one.key, 0, one.size_bytes) for one in made),
    ]  # fmt: skip


def _header() -> bytes:
    """Return what says that this is WebM (RFC 8794, 11.2): of version 4, which any reader of version 2 can read."""
    numbers = ((0x4286, 1), (0x42F7, 1), (0x42F2, 4), (0x42F3, 8))
    return element(
        0x1A45DFA3,
        *(unsigned(id, value) for id, value in numbers),
        text(0x4282, "webm"),
        unsigned(0x4287, 4),
        unsigned(0x4285, 2),
    )


def _seeks(told: Mapping[int, bytes], at: int) -> Iterator[bytes]:
    """Yield where each element of the head lies; the first one is at `at`."""
    for id, data in told.items():
        yield element(0x4DBB, element(0x53AB, name(id)), unsigned(0x53AC, at, PLACE_BYTES))
        at += len(data)


def _info(scale_ns: int, duration: Fraction, tags: Mapping[str, str]) -> Iterator[bytes]:
    yield unsigned(0x2AD7B1, scale_ns)
    yield real(0x4489, float(duration))
    yield from (text(0x7BA9, value) for at, value in tags.items() if at.lower() == "title")
    yield text(0x4D80, "fanfold")
    yield text(0x5741, "fanfold")


def _chapters(chapters: Sequence[Mapping[str, Any]], zero: Fraction) -> Iterator[bytes]:
    for number, chapter in enumerate(chapters, start=1):
        start, stop = (max(round((Fraction(chapter[at]) - zero) * SECOND_NS), 0) for at in ("start", "stop"))
        shown = element(0x80, text(0x85, str(chapter["title"])), text(0x437C, "und"))
        yield element(0xB6, unsigned(0x73C4, number), unsigned(0x91, start), unsigned(0x92, stop), shown)


def _tag(at: str, value: str) -> bytes:
    return element(0x67C8, text(0x45A3, at.upper()), text(0x4487, value))


def _cues(clusters: Sequence[tuple[int, int, bool]], place: int) -> Iterator[bytes]:
    """Yield an entry for each cluster at which one can begin to play; the first one is at `place` of the segment."""
    for at, size_bytes, is_key in clusters:
        if is_key:
            where = element(0xB7, unsigned(0xF7, 1), unsigned(0xF1, place, PLACE_BYTES))
            yield element(0xBB, unsigned(0xB3, at), where)
        place += size_bytes
