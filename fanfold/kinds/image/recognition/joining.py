"""Lines that are cut at the ends of pieces, joined to what they are.

A line that is longer than two pieces overlap can be cut in both. On a coarser level it lies whole in one, but a long
and thin one can no longer be read there. What both show of it is the same: the joined line goes over from one to the
other at a gap between words in the middle of that.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from fanfold.kinds.image.recognition import pieces
from fanfold.kinds.image.recognition.shelf import Shelf
from fanfold.recognition import Box, Point, Text, Word, around

END = 8
"""How near to a seam, in pixels of the piece, a line ends that may go on behind it; or as near as a gap of words."""

SIDE = 4
"""How near a line runs along a seam that may be cut lengthwise."""

GAP = 0.7
"""The width of a gap between words, measured by the height of the line."""

OFFSET, RATIO = 0.4, 1.6
"""How far apart the middles of two ends may be, measured by their height, and how much higher one may be."""


SHARED = 0.75
"""How much of the overlap of two pieces two parts of a line share at least."""


@dataclass(frozen=True, slots=True)
class Strip:
    """A line as a piece shows it, seen in the direction in which it is read."""

    text: Text
    scale: int
    """Pixels of the image for each of the piece, in width and in height."""
    starts_cut: bool = False
    ends_cut: bool = False

    @property
    def is_cut(self) -> bool:
        return self.starts_cut or self.ends_cut

    @property
    def height(self) -> float:
        top_left, _, _, bottom_left = self.text.corners
        return math.dist(top_left, bottom_left)

    @property
    def axis(self) -> int:
        """0 where it is read along the width of the image, 1 along the height."""
        (x0, y0), (x1, y1) = self.text.corners[:2]
        return 0 if abs(x1 - x0) >= abs(y1 - y0) else 1

    @property
    def sign(self) -> int:
        """1 where it is read to the right or down, -1 to the left or up."""
        return 1 if self.text.corners[1][self.axis] >= self.text.corners[0][self.axis] else -1

    @property
    def start(self) -> Point:
        return _middle(self.text.corners[0], self.text.corners[3])

    @property
    def stop(self) -> Point:
        return _middle(self.text.corners[1], self.text.corners[2])

    def along(self, point: Point) -> float:
        """Return how far a point lies in the direction of reading."""
        return self.sign * point[self.axis]


def seen(text: Text, scale: int, seams: Sequence[float | None]) -> Strip | None:
    """Return a line with its ends judged, None if it is cut lengthwise.

    seams: left, top, right and bottom edge of the piece where neighbours go on, in pixels of the image.
    """
    strip = Strip(text, scale)
    box, axis = text.box, strip.axis
    for edge in (1 - axis, 3 - axis):
        if (seam := seams[edge]) is not None and abs(box[edge] - seam) < SIDE * scale:
            return None
    near = max(END * scale, GAP * strip.height)

    def is_cut(end: Point) -> bool:
        ends = (seams[axis], seams[axis + 2])
        return any(seam is not None and abs(end[axis] - seam) < near for seam in ends)

    return Strip(text, scale, is_cut(strip.start), is_cut(strip.stop))


def joined(strips: Sequence[Strip]) -> list[Strip]:
    """Return the lines that cut ones make, as far as their other ends are found."""
    begun: Shelf[Strip] = Shelf()
    for strip in strips:
        if strip.starts_cut:
            begun.put(strip.text.box, strip)
    made = []
    for strip in strips:
        if not strip.ends_cut:
            continue
        line, grew = strip, True
        while line.ends_cut and grew:
            grew = False
            found = [other for other in begun.over(line.text.box) if _goes_on(line, other)]
            if found:
                # The neighbour that shares most with it: words at the ends of a short overlap are cut in both.
                best = min(found, key=lambda one: (one.along(one.start), -one.along(one.stop), -one.text.score))
                line, grew = _join(line, best), True
        if line is not strip:
            made.append(line)
    return made


def _goes_on(line: Strip, other: Strip) -> bool:
    """Tell whether another strip shows the end of a line and what follows."""
    if (line.axis, line.sign, line.scale) != (other.axis, other.sign, other.scale):
        return False
    low, high = sorted((line.height, other.height))
    # Where it does not reach the end of the line either, it has to bring the line on.
    most = other.along(other.stop) - (low / 2 if other.ends_cut else 0)
    # What begins near a seam, and is whole, may seem to be cut: then both begin where the line does.
    least = line.along(line.start) - low / 2
    if not least <= line.along(other.start) < line.along(line.stop) < most:
        return False
    # Neighbours share that much; of pieces that are further apart, both may cut what they share.
    if line.along(line.stop) - line.along(other.start) < SHARED * pieces.OVERLAP * line.scale:
        return False
    across = 1 - line.axis
    length = other.along(other.stop) - other.along(other.start)
    share = (line.along(line.stop) - line.along(other.start)) / length
    there = other.start[across] + share * (other.stop[across] - other.start[across])
    return high <= RATIO * low and abs(line.stop[across] - there) <= OFFSET * low


def _join(line: Strip, other: Strip) -> Strip:
    low, high = line.along(other.start), line.along(line.stop)
    words = _spliced(_worded(line), _worded(other), low, high)
    corners = (line.text.corners[0], other.text.corners[1], other.text.corners[2], line.text.corners[3])
    score = min(line.text.score, other.text.score)
    text = Text(" ".join(word.text for word in words), score, corners, words)
    return Strip(text, line.scale, line.starts_cut, other.ends_cut)


def _spliced(line: Strip, other: Strip, low: float, high: float) -> tuple[Word, ...]:
    """Return the words of two strips that both show what lies between `low` and `high`."""
    middle = (low + high) / 2
    pairs = [
        (ours == theirs, -abs(gap - middle), at, there)
        for at, gap, ours in _gaps(line, low, high)
        for there, near, theirs in _gaps(other, low, high)
        if abs(gap - near) < line.height
    ]
    if pairs:
        # Where both read the same words before and behind a gap, it is the same one.
        _, _, at, there = max(pairs)
        return (*line.text.words[:at], *other.text.words[there:])
    *first, last = line.text.words
    begins, *rest = other.text.words
    start, stop = _span(line, last)
    shared = (high - low) / max(1.0, stop - start) * len(last.text)
    box = around([last.box[:2], last.box[2:], begins.box[:2], begins.box[2:]])
    return (*first, Word(overlapped(last.text, begins.text, shared), box), *rest)


def _gaps(strip: Strip, low: float, high: float) -> Iterator[tuple[int, float, tuple[str, str]]]:
    """Yield the gaps between words from `low` to `high`: the number of the word behind, where it is, and both words."""
    for at, (before, after) in enumerate(pairwise(strip.text.words), start=1):
        place = (_span(strip, before)[1] + _span(strip, after)[0]) / 2
        if low < place < high:
            yield at, place, (before.text, after.text)


def _worded(strip: Strip) -> Strip:
    """Return a line that is one word, where the engine gave none."""
    text = strip.text
    words = text.words or (Word(text.text, text.box),)
    return Strip(Text(text.text, text.score, text.corners, words), strip.scale, strip.starts_cut, strip.ends_cut)


def overlapped(first: str, second: str, shared: float) -> str:
    """Join two parts of a word that have about so many characters in common; one at either seam may be misread."""
    most = min(len(first), len(second))
    for count in sorted(range(1, most + 1), key=lambda one: abs(one - shared)):
        for dropped in (0, 1):
            for skipped in (0, 1):
                kept, added = first[: len(first) - dropped], second[skipped:]
                if len(kept) >= count <= len(added) and kept.endswith(added[:count]):
                    return kept + added[count:]
    return first + second[min(most, round(shared)) :]


def _span(strip: Strip, word: Word) -> tuple[float, float]:
    low, high = sorted(strip.sign * word.box[edge] for edge in (strip.axis, strip.axis + 2))
    return low, high


def _middle(one: Point, other: Point) -> Point:
    return (one[0] + other[0]) / 2, (one[1] + other[1]) / 2


def letters(text: Text) -> int:
    """Return how much a line says."""
    return len(text.text) - text.text.count(" ")


def shared_area(one: Box, other: Box) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return width * height if width > 0 < height else 0.0


def area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
