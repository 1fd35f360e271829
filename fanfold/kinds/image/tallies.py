"""Counts over the pixels of an image, which add up over its pieces to those of the whole."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyvips

CUBE = 16
"""How many steps each of three channels has where colours are counted."""

CHANNELS = {1: ("grey",), 2: ("grey", "alpha"), 3: ("red", "green", "blue"), 4: ("red", "green", "blue", "alpha")}

COLOURS = 5
"""The most dominant colours that are named."""

NEAR = 2
"""How many steps of the cube two colours are apart, in any channel, that count as one."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What was counted."""

    histogram: Sequence[Sequence[int]]
    """For each band, how many pixels have each of 256 values."""
    cube: Mapping[int, int]
    """How many pixels lie in each cell of the cube of colours that has any; red counts most. Of grey: its steps."""

    @classmethod
    def of(cls, image: pyvips.Image) -> Tally:
        """Count the pixels of an image of 8 bits a band."""
        histogram = _counts(image)
        counted = [histogram[band :: image.bands] for band in range(image.bands)]
        if image.bands < 3:
            step = 256 // CUBE
            cells = [sum(counted[0][at : at + step]) for at in range(0, 256, step)]
        else:
            red, green, blue = ((image[band] / (256 // CUBE)).floor() for band in range(3))
            cells = _counts(((red * CUBE + green) * CUBE + blue).cast("ushort"))
        return cls(counted, {cell: count for cell, count in enumerate(cells) if count})

    @classmethod
    def summed(cls, tallies: Iterable[Tally]) -> Tally:
        """Return the counts of all of them together; at least one."""
        first, *others = tallies
        histogram = [list(band) for band in first.histogram]
        cube = dict(first.cube)
        for other in others:
            histogram = [
                [a + b for a, b in zip(x, y, strict=True)] for x, y in zip(histogram, other.histogram, strict=True)
            ]
            for cell, count in other.cube.items():
                cube[cell] = cube.get(cell, 0) + count
        return cls(histogram, cube)

    def to_bytes(self) -> bytes:
        return json.dumps([self.histogram, sorted(self.cube.items())], separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Tally:
        histogram, cube = json.loads(data)
        return cls(histogram, dict(cube))

    def described(self) -> dict[str, Any]:
        """Return histogram and mean by channel, and the dominant colours with the share of pixels near each."""
        names = CHANNELS[len(self.histogram)]
        count = sum(self.histogram[0])
        means = [sum(value * found for value, found in enumerate(band)) / count for band in self.histogram]
        return {
            "mean": {name: round(mean, 3) for name, mean in zip(names, means, strict=True)},
            "colours": self._dominant(count),
            "histogram": dict(zip(names, (list(band) for band in self.histogram), strict=True)),
        }

    def _dominant(self, count: int) -> list[dict[str, Any]]:
        """Take the fullest cell and all near it, then the fullest of the rest; of equally full ones the darkest."""
        left = dict(self.cube)
        found: list[dict[str, Any]] = []
        while left and len(found) < COLOURS:
            centre = min(left, key=lambda cell: (-left[cell], cell))
            near = [cell for cell in left if _distance(cell, centre) <= NEAR]
            share = sum(left.pop(cell) for cell in near) / count
            found.append({"colour": self._hex(centre), "share": round(share, 4)})
        return found

    def _hex(self, cell: int) -> str:
        steps = [cell] * 3 if len(self.histogram) < 3 else _steps(cell)
        return "#" + "".join(f"{step * (256 // CUBE) + 128 // CUBE:02x}" for step in steps)


def _steps(cell: int) -> list[int]:
    return [cell // (CUBE * CUBE), cell // CUBE % CUBE, cell % CUBE]


def _distance(one: int, other: int) -> int:
    return max(abs(a - b) for a, b in zip(_steps(one), _steps(other), strict=True))


def _counts(image: pyvips.Image) -> list[int]:
    """Return how many pixels have each value, of all bands in turn."""
    found: list[int] = memoryview(image.hist_find().write_to_memory()).cast("I").tolist()
    return found
