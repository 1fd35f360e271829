"""JPEG with restart markers, by ranges: whole MCU rows between two markers decode without what stands before them.

ITU-T T.81: B.1.1.3 (markers), B.2.2 (frame), B.2.4.4 (restart interval), E.1.4 (restarts). Standard library only.
"""

from __future__ import annotations

import re
import struct
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from fanfold.errors import BrokenImage
from fanfold.model import Source

SCAN_BYTES = 8 << 20
"""What is searched for markers at once."""

HEAD_LIMIT_BYTES = 512 << 10
"""The most bytes of tables and profiles that a plan carries."""

_SOI, _EOI, _SOS, _DRI, _SOF = 0xD8, 0xD9, 0xDA, 0xDD, 0xC0
_DROPPED = (*range(0xE0, 0xE2), *range(0xE3, 0xEE), 0xEF, 0xFE)
"""Application data and comments that no pixel depends on: all but the profile (APP2) and Adobe's (APP14)."""

_MARKER = re.compile(rb"\xff[\x01-\xfe]")


@dataclass(frozen=True, slots=True)
class Groups:
    """A baseline JPEG of one scan as groups of MCU rows: the fewest that stand between two restarts."""

    width: int
    height: int
    rows: int
    """How many rows of pixels a group has; the last one may have fewer."""
    mcu_rows: int
    """How many rows of pixels an MCU has."""
    intervals: int
    """How many restart intervals a group has."""
    head: bytes
    """Everything before the scan's data that a decoder must know."""
    height_at: int
    """Where in the head the height stands."""
    scan_at: int
    """Where in the object the scan's data begin."""

    @property
    def count(self) -> int:
        return -(-self.height // self.rows)

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"head": b64encode(self.head).decode()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Groups:
        return cls(**{**data, "head": b64decode(data["head"])})


def read_groups(read: Callable[[int, int], bytes]) -> Groups | None:
    """Return how a JPEG falls into groups, None where it does not: no restarts, or not at the ends of rows of MCUs."""
    head, at = bytearray(b"\xff\xd8"), 2
    frame: tuple[int, int, int, int] | None = None
    interval = height_at = components = 0
    while True:
        lead, code = read(at, 2)
        if lead != 0xFF:
            return None
        if code == 0xFF:
            at += 1
            continue
        size = struct.unpack(">H", read(at + 2, 2))[0]
        segment = read(at, size + 2)
        if 0xC0 <= code <= 0xCF and code not in (0xC4, 0xC8, 0xCC):
            components = segment[9]
            if code not in (_SOF, _SOF + 1) or segment[4] != 8 or components not in (1, 3, 4):
                return None
            factors = [segment[11 + 3 * number] for number in range(components)]
            # The samples of a scan of one component are not interleaved (A.2.2): its MCU is one block.
            across = 1 if components == 1 else max(factor >> 4 for factor in factors)
            down = 1 if components == 1 else max(factor & 15 for factor in factors)
            height, width = struct.unpack(">HH", segment[5:9])
            frame, height_at = (width, height, 8 * across, 8 * down), len(head) + 5
        elif code == _DRI:
            (interval,) = struct.unpack(">H", segment[4:6])
        if code not in _DROPPED:
            head += segment
        if len(head) > HEAD_LIMIT_BYTES:
            return None
        at += size + 2
        if code == _SOS:
            break
    if frame is None or not interval or not min(frame) or segment[4] != components:
        return None
    width, height, mcu_width, mcu_height = frame
    across = -(-width // mcu_width)
    if interval % across and across % interval:
        return None
    rows = mcu_height * max(1, interval // across)
    return Groups(width, height, rows, mcu_height, max(1, across // interval), bytes(head), height_at, at)


def find(source: Source, groups: Groups) -> list[int]:
    """Return where each group begins, and where the last one ends: the marker before the one, and behind the other.

    The data are searched from end to end, not decoded. Raises BrokenImage where markers are missing.
    """
    found, number = [groups.scan_at], 0
    at, held = groups.scan_at, b""
    while True:
        read = source.read(at, at + SCAN_BYTES)
        data = held + read
        start = at - len(held)
        for match in _MARKER.finditer(data):
            code = data[match.start() + 1]
            if not 0xD0 <= code <= 0xD7:
                found.append(start + match.start())
                if len(found) != groups.count + 1:
                    raise BrokenImage(f"the JPEG has {len(found) - 1:,} of {groups.count:,} groups of rows")
                return found
            if code != 0xD0 + number % 8:
                raise BrokenImage(f"the JPEG lacks a restart marker before byte {start + match.start():,}")
            number += 1
            if number % groups.intervals == 0:
                found.append(start + match.start())
        if not read:
            raise BrokenImage(f"the JPEG ends at byte {source.size_bytes:,}, within its scan")
        at += len(read)
        held = data[-1:] if data[-1:] == b"\xff" else b""


def of_range(groups: Groups, first: int, last: int, data: bytes) -> bytes:
    """Return a JPEG of the groups [first, last), of whose data it is made."""
    height = min(groups.height, last * groups.rows) - first * groups.rows
    head = bytearray(groups.head)
    head[groups.height_at : groups.height_at + 2] = struct.pack(">H", height)
    if first:
        data = data[2:]  # the restart marker before it
    restarts = (0xD0 + number % 8 for number in range(1 << 62))
    numbered = _RESTART.sub(lambda match: bytes((0xFF, next(restarts))), data)
    return bytes(head) + numbered + bytes((0xFF, _EOI))


_RESTART = re.compile(rb"\xff[\xd0-\xd7]")


def window(groups: Groups, top: int, bottom: int) -> tuple[int, int]:
    """Return the groups that rows of pixels need: with a row of MCUs around them, which colours are smoothed into."""
    first = max(0, top - groups.mcu_rows) // groups.rows
    return first, min(groups.count, -(-(bottom + groups.mcu_rows) // groups.rows))


def offsets(data: Sequence[int]) -> bytes:
    """Return the places of groups, packed for the work bucket."""
    return struct.pack(f"<{len(data)}Q", *data)
