"""Rewrites AVI files as other programs write them: the chunks of a stream anew, and an index for them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence

Chunk = tuple[bytes, bytes]
"""What it is called, and what it holds."""


def chunks(data: bytes) -> Iterator[Chunk]:
    """Yield the chunks of pictures and sound."""
    movie = data.index(b"movi")
    at, stop = movie + 4, movie + struct.unpack_from("<I", data, movie - 4)[0]
    while at < stop:
        name, size = data[at : at + 4], struct.unpack_from("<I", data, at + 4)[0]
        if name in (b"00dc", b"01wb"):
            yield name, data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def rewritten(
    data: bytes,
    *,
    pictures: Callable[[list[bytes]], Sequence[bytes]] = lambda found: found,
    sound: Callable[[bytes], Iterable[bytes]] | None = None,
) -> bytes:
    """Return a clip with other chunks: `pictures` of those it has, `sound` of all its bytes."""
    found = list(chunks(data))
    seen = list(pictures([held for name, held in found if name == b"00dc"]))
    heard = [held for name, held in found if name == b"01wb"]
    if sound:
        heard = list(sound(b"".join(heard)))
    body, index = b"", b""
    for name, held in _woven(seen, heard):
        index += name + struct.pack("<III", 0x10 if name == b"01wb" or _is_key(held) else 0, 4 + len(body), len(held))
        body += name + struct.pack("<I", len(held)) + held + bytes(len(held) % 2)
    movie = data.index(b"movi")
    head = bytearray(data[: movie + 4].replace(b"indx", b"JUNK"))
    struct.pack_into("<I", head, movie - 4, 4 + len(body))
    whole = head + body + b"idx1" + struct.pack("<I", len(index)) + index
    struct.pack_into("<I", whole, 4, len(whole) - 8)
    return bytes(whole)


def _woven(seen: Sequence[bytes], heard: Sequence[bytes]) -> Iterator[Chunk]:
    """Yield both in even steps, as if each chunk of one stream were as long as the next."""
    steps = [(at / max(1, len(seen)), b"00dc", held) for at, held in enumerate(seen)]
    steps += [(at / max(1, len(heard)), b"01wb", held) for at, held in enumerate(heard)]
    yield from ((name, held) for _, name, held in sorted(steps, key=lambda step: step[:2]))


def _is_key(held: bytes) -> bool:
    """Tell whether a chunk begins with a picture that stands for itself: of MPEG-4, an I-VOP."""
    at = held.find(b"\0\0\1\xb6")
    return at < 0 or not held[at + 4] & 0xC0
