"""The share of a worker of an AVI: the chunks that begin in its bytes.

Nothing in a chunk says when it is: a demuxer counts them. Each worker counts from where it was led to, and goes on
behind its bytes until it has seen what the next one sees first. What the two counted there tells how far apart their
counts are, so that all come to that of the first, which began at the beginning.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Any

from av.audio.codeccontext import AudioCodecContext
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from fanfold.errors import BrokenVideo
from fanfold.kinds.video import pcm
from fanfold.kinds.video.laying import folding
from fanfold.kinds.video.laying.leading import Lead
from fanfold.kinds.video.laying.matroska import Voided
from fanfold.kinds.video.laying.shares import SEEN_ALIKE, Rationed
from fanfold.model import Json, Source

BEFORE_BYTES = 700_000
"""How much is read before a share where frames of sound begin anywhere, so that its parsers are in step."""

HEADER_BYTES = 8
"""Of a chunk: its name and its size. In a list, what it is a list of follows."""

FORM_BYTES = 4

JUNK = b"JUNK"

JUNK_BYTES = 1 << 30
"""How much one chunk stands for that is left out."""

APART_LIMIT_BITS = 32_000_000
"""How much may lie between what belongs together, at the rate of the object; libavformat's own limit is 64 MiBit."""

CHUNKS_LIMIT = 100_000
"""How many are looked at to find where those behind the beginning begin."""


class ChunkShare:
    """The chunks of an AVI that begin in [start, stop).

    What lies between what tells of the streams and some way before the first of them is made JUNK, which a demuxer
    skips without reading it.
    """

    def __init__(self, source: Rationed, start: int, stop: int, lead: Lead) -> None:
        """Raises BrokenVideo."""
        self.is_first = not start
        self._start, self._stop = start, stop
        self._source = source
        resumes = start if lead.aligned else start - BEFORE_BYTES
        self.view = _shown(source, resumes, lead.probed) if start else unindexed(source)
        self._reaches_end = False
        self._first: dict[int, list[tuple[int, Json]]] = {}
        self._behind: dict[int, list[tuple[int, Json]]] = {}
        self._bases: dict[str, float] = {}
        self._late: dict[tuple[int, int], float] = {}

    def packets(self, found: InputContainer, streams: Sequence[Stream]) -> Iterator[Packet[Any]]:
        """Yield the frames of some streams."""
        self._first = {stream.index: [] for stream in streams}
        self._behind = {stream.index: [] for stream in streams}
        self._bases = {str(stream.index): float(stream.time_base or 0) for stream in streams}
        # Of frames in one chunk the first has its place.
        places = dict.fromkeys(self._first, -1)
        latest: dict[int, float] = {}
        for packet in found.demux(streams):
            if not packet.size:
                continue
            stream = packet.stream.index
            if packet.pos is not None:
                places[stream] = packet.pos - HEADER_BYTES
            if places[stream] < self._start:
                continue
            self._compare(packet, latest)
            is_behind = places[stream] >= self._stop
            # What comes when no more may be read may be the beginning of a frame.
            if is_behind and self._source.is_spent:
                break
            seen = self._behind if is_behind else self._first
            if len(seen[stream]) < SEEN_ALIKE:
                seen[stream].append(_seen(packet, places[stream]))
            if not is_behind:
                yield packet
            elif all(len(one) == SEEN_ALIKE for one in self._behind.values()):
                return
        self._reaches_end = not self._source.is_spent

    def _compare(self, packet: Packet[Any], latest: dict[int, float]) -> None:
        """Keep by how much a stream was behind another at most, as both are counted here."""
        stream, at = packet.stream.index, float(_counted(packet) * (packet.time_base or 0))
        for other, reached in latest.items():
            if other != stream:
                self._late[stream, other] = max(self._late.get((stream, other), reached - at), reached - at)
        latest[stream] = max(latest.get(stream, at), at)

    def told(self) -> dict[str, Json]:
        """Return what tells whether the share follows the one before it, and by how much its count is another."""
        if not self._reaches_end and not all(self._behind.values()):
            return {"unproven": f"a stream has no frame in what may be read from byte {self._stop:,} on"}
        told: dict[str, Json] = {"start": self._start, "stop": self._stop, "begin": self._start, "end": self._stop}
        for name, frames in (("first", self._first), ("behind", self._behind)):
            told[name] = [[[at - one[0][0], *rest] for at, rest in one] for one in frames.values()]
            told[f"{name}_counts"] = {str(index): one[0][0] for index, one in frames.items() if one}
        told["bases"] = self._bases
        return told | {"late": [[*pair, late] for pair, late in self._late.items()]}


def _counted(packet: Packet[Any]) -> int:
    at = packet.pts if packet.pts is not None else packet.dts
    if at is None:
        raise BrokenVideo(f"a packet of stream {packet.stream.index} has no time")
    return at


def _seen(packet: Packet[Any], place: int) -> tuple[int, Json]:
    return _counted(packet), [place, packet.duration, packet.is_keyframe, packet.size, zlib.crc32(bytes(packet))]


def _counted_bytes(stream: Stream) -> int:
    """Return how many bytes take a tick, where an index counts bytes: of uncompressed sound."""
    context = stream.codec_context
    if not isinstance(context, AudioCodecContext):
        return 1
    return pcm.sample_bytes(context.codec.canonical_name) * context.channels or 1


def are_interleaved(found: InputContainer) -> bool:
    """Tell whether the streams of an AVI advance together, as its index says.

    If not, libavformat goes by the index, and leaves out what that does not name.
    """
    counts = {one.index: _counted_bytes(one) for one in found.streams}
    indexed = [
        (entry.pos, one.index, entry.timestamp / counts[one.index])
        for one in found.streams
        for entry in one.index_entries
    ]
    bases = {one.index: float(one.time_base or 0) for one in found.streams}
    places: dict[int, list[int]] = {}
    latest: dict[int, float] = {}
    late_s = 0.0
    for place, stream, timestamp in sorted(indexed):
        at = timestamp * bases[stream]
        late_s = max([late_s, *(reached - at for reached in latest.values())])
        latest[stream] = at
        places.setdefault(stream, [place, place])[1] = place
    if not places or max(first for first, _ in places.values()) > min(last for _, last in places.values()):
        return False
    bits_a_second = found.size * 8 / max([*latest.values(), 1.0])
    return late_s <= folding.APART_LIMIT_S and late_s * bits_a_second <= APART_LIMIT_BITS


def unindexed(source: Source) -> Source:
    """Return an AVI without its indexes: a demuxer reads the chunks as they lie. Raises BrokenVideo."""
    for at in _lists(source)[1]:
        source = Voided(source, [(at, JUNK)], at + len(JUNK))
    return source


def _shown(source: Source, resumes: int, probed: int) -> Source:
    """Return the object as a demuxer is shown it that is led to a place."""
    view, (movie, indexes) = unindexed(source), _lists(source)
    # What an index holds looks like chunks.
    resumes = max([resumes, *(_chunk(source, one)[3] for one in indexes if one < resumes < _chunk(source, one)[3])])
    at = _behind(source, movie, probed)
    if resumes < at + HEADER_BYTES:
        return view
    left_out = []
    while at < resumes:
        until = resumes if resumes - at < 2 * JUNK_BYTES else at + JUNK_BYTES
        left_out.append((at, JUNK + (until - at - HEADER_BYTES).to_bytes(4, "little")))
        at = until
    return Voided(view, left_out, resumes)


def _lists(source: Source) -> tuple[int, list[int]]:
    """Return where the first list of chunks begins, and where the indexes do."""
    movie, indexes, lists = None, [], [(0, source.size_bytes)]
    while lists:
        at, end = lists.pop()
        for _ in range(CHUNKS_LIMIT):
            if at >= end:
                break
            name, form, body, stop = _chunk(source, at)
            if form in (b"AVI ", b"AVIX", b"hdrl", b"strl"):
                lists.append((body, min(stop, end)))
            elif form == b"movi" and (movie is None or body < movie):
                movie = body
            elif name in (b"idx1", b"indx"):
                indexes.append(at)
            at = stop + stop % 2
    if movie is None:
        raise BrokenVideo("the object has no list of chunks")
    return movie, indexes


def _behind(source: Source, at: int, probed: int) -> int:
    """Return where the first chunk begins that does so at or behind `probed`."""
    for _ in range(CHUNKS_LIMIT):
        if at >= probed:
            return at
        _, form, body, stop = _chunk(source, at)
        at = body if form else stop + stop % 2
    raise BrokenVideo(f"more than {CHUNKS_LIMIT:,} chunks tell of the streams")


def _chunk(source: Source, at: int) -> tuple[bytes, bytes, int, int]:
    """Return what the chunk at an offset is called, of what it is a list, where its body begins, and where it ends."""
    header = source.read(at, at + HEADER_BYTES + FORM_BYTES)
    if len(header) < HEADER_BYTES:
        return b"", b"", source.size_bytes, source.size_bytes
    name, stop = header[:4], at + HEADER_BYTES + int.from_bytes(header[4:8], "little")
    if name in (b"RIFF", b"LIST"):
        return name, header[HEADER_BYTES:], at + len(header), stop
    return name, b"", at + HEADER_BYTES, stop
