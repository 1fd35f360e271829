"""Uncompressed sound: samples of a few bytes each, which the tables of an index count one by one."""

from __future__ import annotations

import re
import struct

from fanfold.kinds.video.mp4.boxes import find

ENTRIES = frozenset(
    {b"sowt", b"twos", b"lpcm", b"in24", b"in32", b"fl32", b"fl64", b"raw ", b"ipcm", b"fpcm", b"alaw", b"ulaw"}
)
"""What sample entries of it are called (QuickTime File Format, Sound Sample Descriptions; ISO/IEC 23003-5)."""

CODECS = frozenset({
    *("pcm_u8", "pcm_s8", "pcm_alaw", "pcm_mulaw"),
    *("pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le"),
    *("pcm_s16be", "pcm_s24be", "pcm_s32be", "pcm_f32be", "pcm_f64be"),
})  # fmt: skip
"""What libavcodec calls the kinds of it that QuickTime holds."""

_BITS = re.compile(r"\d+")

_IN_A_BYTE = frozenset({b"alaw", b"ulaw"})
"""These say how many bits a sample has once it is expanded."""

_OF_MPEG4, _MPEG4_BYTES = frozenset({b"ipcm", b"fpcm"}), 36
"""These have their size in a box, behind the fields of an entry (ISO/IEC 23003-5, 4)."""


def frame_bytes(entry: bytes) -> int:
    """Return how many bytes one sample of all channels takes, 0 where `entry` is not of uncompressed sound."""
    name = entry[4:8]
    if name not in ENTRIES:
        return 0
    version, channels, bits = struct.unpack_from(">H6xHH", entry, 16)
    if name in _OF_MPEG4:
        # Its own field says 16 of whatever there is.
        told = find(entry, "pcmC", _MPEG4_BYTES)
        said = entry[told[0] + 5 : told[1]] if told else b""
        return int(channels * (said[0] if said else bits) // 8)
    if version == 2:
        return int(struct.unpack_from(">I", entry, 64)[0])
    if version == 1:
        return int(struct.unpack_from(">I", entry, 44)[0])
    return int(channels if name in _IN_A_BYTE else channels * bits // 8)


def sample_bytes(codec: str) -> int:
    """Return how many bytes one sample of one channel takes, 0 where `codec` is none of these."""
    if codec not in CODECS:
        return 0
    bits = _BITS.search(codec)
    return int(bits[0]) // 8 if bits else 1
