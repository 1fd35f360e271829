"""VP8 (RFC 6386): its pictures as an MP4 would hold them, which libavformat does not write.

Some are decoded and never shown (9.1, `show_frame`): others are made of them. Such a one is due with the picture behind
it, at the same time: so it is never apart from it, and counts for none.
"""

from __future__ import annotations

import struct
from typing import Any

from av.packet import Packet

from fanfold.errors import BrokenVideo, UnsupportedVideo
from fanfold.kinds.video.mp4.boxes import box, full

HELD_LIMIT = 250
"""How many are held in memory until one comes that is shown."""

_IS_SHOWN = 1 << 4

_CONFIGURATION = bytes((0, 0, 8 << 4 | 1 << 1, 2, 2, 2, 0, 0))
"""Profile and level 0; eight bits, 4:2:0, limited range; colours that are not told; nothing for the decoder's start."""


def entry(width: int, height: int) -> bytes:
    """Return the sample entry (VP Codec ISO Media File Format Binding; ISO/IEC 14496-12, 12.1.3)."""
    return box(
        b"vp08",
        struct.pack(">6xH16x2H", 1, width, height),
        struct.pack(">IIIH32xHh", 0x480000, 0x480000, 0, 1, 24, -1),
        full(b"vpcC", 1, 0, _CONFIGURATION),
    )


class Hidden:
    """Holds back what is not shown until what is shown comes, and gives it its time."""

    def __init__(self, sees_all: bool) -> None:
        self._sees_all = sees_all
        self._held: list[Packet[Any]] = []

    def filter(self, packet: Packet[Any]) -> list[Packet[Any]]:
        if not memoryview(packet)[0] & _IS_SHOWN:
            self._held.append(packet)
            if len(self._held) > HELD_LIMIT:
                raise BrokenVideo(f"more than {HELD_LIMIT} pictures follow each other of which none is shown")
            return []
        freed, self._held = [*self._held, packet], []
        for one in freed:
            one.pts = one.dts = packet.pts
            one.duration = packet.duration
        return freed

    def rest(self) -> list[Packet[Any]]:
        """Return none: what nothing is shown of behind it is of no use. Raises UnsupportedVideo where more may come."""
        if self._held and not self._sees_all:
            raise UnsupportedVideo("a share ends between a picture that is not shown and the one that it is for")
        return []
