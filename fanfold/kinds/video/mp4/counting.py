"""How many samples an index claims: counted before one of them is read, as a few bytes can claim millions.

Those of tracks that are left out count too: libavformat reads them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fanfold.errors import BrokenVideo, UnsupportedVideo
from fanfold.kinds.video import pcm
from fanfold.kinds.video.mp4.boxes import walk

SAMPLES_LIMIT = 20_000_000
"""The most samples of a movie, over all of its tracks: a splitter, which has 1,769 MB, takes some 80 bytes of each."""

EMPTY_LIMIT = 10_000
"""The most samples that have no byte in the object, and none in the index."""

PCM_SAMPLES = 1024
"""How many samples of uncompressed sound, of a few bytes each, are taken for one."""

_PARENTS = frozenset({b"trak", b"mdia", b"minf"})


@dataclass(slots=True)
class Count:
    """The samples of a movie so far."""

    size_bytes: int
    """Of the object."""
    samples: int = 0
    sized: int = 0
    """Those that are said to be of one size, which is not 0: each has a byte of the object at least."""
    empty: int = 0

    def add(self, what: str, samples: int, each_bytes: int | None, taken: int | None = None) -> None:
        """Count samples before they are read; `what` says of what.

        `each_bytes`: how large all of them are; None, where the index has bytes for each. `taken`: how many they are
        read as. Raises BrokenVideo where the object cannot have so many, UnsupportedVideo where they are too many.
        """
        self.samples += samples if taken is None else taken
        if each_bytes == 0:
            self.empty += samples
        elif each_bytes is not None:
            self.sized += samples
            if samples * each_bytes > self.size_bytes or self.sized > self.size_bytes:
                raise BrokenVideo(
                    f"{what} claims {samples:,} samples that have {samples * each_bytes:,} bytes together; "
                    f"the object has {self.size_bytes:,} bytes"
                )
        if self.empty > EMPTY_LIMIT:
            raise BrokenVideo(f"{what} claims {samples:,} samples without a byte; at most {EMPTY_LIMIT:,} are read")
        if self.samples > SAMPLES_LIMIT:
            raise UnsupportedVideo(
                f"the index claims {self.samples:,} samples, all tracks together; at most {SAMPLES_LIMIT:,} are read"
            )


def check(moov: bytes, start: int, stop: int, count: Count) -> None:
    """Count the samples of every track of an index. Raises BrokenVideo, UnsupportedVideo."""
    try:
        for at, end in _tables(moov, start, stop):
            boxes = [(name, body) for name, body, _ in walk(moov, at, end)]
            for name, body in boxes:
                if name in (b"stsz", b"stz2"):
                    each, samples = struct.unpack_from(">II", moov, body + 4)
                    each_bytes = each if name == b"stsz" and each else None
                    taken = _thousands(moov, dict(boxes), samples) if each_bytes else samples
                    count.add("a track of the index", samples, each_bytes, taken)
    except struct.error as error:
        raise BrokenVideo("the index ends within a sample table") from error


def _thousands(moov: bytes, tables: Mapping[bytes, int], samples: int) -> int:
    """Return as how many samples those of one size are read, by us and by libavformat."""
    form = moov[tables[b"stsd"] + 12 : tables[b"stsd"] + 16] if b"stsd" in tables else b""
    if form not in pcm.ENTRIES or b"stts" not in tables:
        return samples
    # libavformat does so only where none of them is longer than another one.
    if struct.unpack_from(">III", moov, tables[b"stts"] + 4) != (1, samples, 1):
        return samples
    places = [tables[name] for name in (b"stco", b"co64") if name in tables]
    chunks = sum(int.from_bytes(moov[at + 4 : at + 8]) for at in places)
    return samples // PCM_SAMPLES + min(chunks, samples)


def _tables(moov: bytes, start: int, stop: int, depth: int = 0) -> Iterator[tuple[int, int]]:
    """Yield the place of each sample table."""
    for name, body, end in walk(moov, start, stop):
        if name == b"stbl":
            yield body, end
        elif name in _PARENTS and depth < len(_PARENTS):
            yield from _tables(moov, body, end, depth + 1)
