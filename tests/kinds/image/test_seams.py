"""One list of what all pieces saw: whatever lies across seams is in it once, and as a whole.

The engine here is one that sees all that is large enough in what it is shown, and nothing of what it is not: so what it
should come to is what was drawn.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fanfold.kinds.image.recognition import joining, pieces, seams
from fanfold.kinds.image.recognition.seams import Piece
from fanfold.recognition import Box, Face, Found, Text, Word

LEAST_HEIGHT, LEAST_FACE = 8, 20
"""What the engine can still see, in pixels of the piece."""


@dataclass(frozen=True)
class Drawn:
    """What an image of a size shows."""

    width: int
    height: int
    lines: Sequence[Text]
    faces: Sequence[Face]


def corners(box: Box) -> tuple[tuple[float, float], ...]:
    left, top, right, bottom = box
    return (left, top), (right, top), (right, bottom), (left, bottom)


def line(text: str, left: float, top: float, height: float) -> Text:
    """Return a line whose characters are all as wide as half its height."""
    pitch, found, at = height / 2, [], left
    for word in text.split():
        found.append(Word(word, (at, top, at + pitch * len(word), top + height)))
        at += pitch * (len(word) + 1)
    a, b, c, d = corners((left, top, at - pitch, top + height))
    return Text(text, 0.99, (a, b, c, d), tuple(found))


def drawn(width: int, height: int, seed: int, most: int) -> Drawn:
    """Draw lines and faces that do not touch each other, anywhere."""
    chance = random.Random(seed)
    taken: list[Box] = []
    lines, faces = [], []
    for number in range(most):
        high, is_face = chance.choice((10, 14, 20, 40, 90, 300)), chance.random() < 0.3
        left, top, side = chance.randrange(width), chance.randrange(height), chance.randrange(24, 700)
        text = " ".join(f"{chance.randrange(10 ** chance.randrange(1, 9))}x" for _ in range(chance.randrange(1, 40)))
        made = line(f"{text} {number}.", left, top, high)
        box = (left, top, left + side, top + side) if is_face else made.box
        if box[2] > width or box[3] > height or any(_near(box, other, 2 * high) for other in taken):
            continue
        taken.append(box)
        if is_face:
            faces.append(Face(0.9 + number / 1000, box))
        else:
            lines.append(made)
    return Drawn(width, height, lines, faces)


def _near(one: Box, other: Box, far: float) -> bool:
    across = one[0] - far < other[2] and other[0] < one[2] + far
    return across and one[1] - far < other[3] and other[1] < one[3] + far


def shown(picture: Drawn, box: Box, scale: int) -> Found:
    """Return what the engine sees in a piece, in pixels of the image."""

    def clipped(one: Box) -> Box | None:
        cut = (max(one[0], box[0]), max(one[1], box[1]), min(one[2], box[2]), min(one[3], box[3]))
        return cut if cut[0] < cut[2] and cut[1] < cut[3] else None

    texts, faces = [], []
    for text in picture.lines:
        seen = clipped(text.box)
        if not seen or (seen[3] - seen[1]) / scale < LEAST_HEIGHT:
            continue
        left_over = []
        for word in text.words:
            pitch = (word.box[2] - word.box[0]) / len(word.text)
            starts = [word.box[0] + pitch * at for at in range(len(word.text))]
            inside = [at for at, start in enumerate(starts) if start >= box[0] and start + pitch <= box[2]]
            if inside:
                first, last = inside[0], inside[-1]
                part = (starts[first], seen[1], starts[last] + pitch, seen[3])
                left_over.append(Word(word.text[first : last + 1], part))
        if left_over:
            a, b, c, d = corners(seen)
            texts.append(Text(" ".join(word.text for word in left_over), 0.99, (a, b, c, d), tuple(left_over)))
    for face in picture.faces:
        seen = clipped(face.box)
        if seen and min(seen[2] - seen[0], seen[3] - seen[1]) / scale >= LEAST_FACE:
            faces.append(Face(face.score, seen))
    return Found(texts, faces)


def in_pieces(picture: Drawn) -> Iterator[Piece]:
    for times, _ in enumerate(pieces.levels(picture.width, picture.height)):
        scale = 1 << times
        sides = -(-picture.width // scale), -(-picture.height // scale)
        for one in pieces.pieces(*sides):
            left, top, right, bottom = (edge * scale for edge in one)
            box = (left, top, min(right, picture.width), min(bottom, picture.height))
            yield Piece(box, scale, shown(picture, box, scale))


@settings(max_examples=60, deadline=None)
@given(width=st.integers(1, 6000), height=st.integers(1, 4000), seed=st.integers(0, 10**6), most=st.integers(1, 60))
@example(width=5000, height=900, seed=1, most=60)
@example(width=2022, height=41, seed=1422, most=13)  # two pieces that are not neighbours share a little
@example(width=1965, height=128, seed=1422, most=3)
@example(width=2048, height=313, seed=27, most=4)  # all but a full stop ends at a seam
@example(width=1216, height=35, seed=70447, most=6)  # a line begins just behind a seam
def test_what_is_drawn_is_seen_once_and_as_a_whole(width: int, height: int, seed: int, most: int) -> None:
    picture = drawn(width, height, seed, most)
    found = seams.without(in_pieces(picture), (width, height))
    assert sorted(text.text for text in found.texts) == sorted(text.text for text in picture.lines)
    wanted = {text.text: text.box for text in picture.lines}
    for text in found.texts:
        assert text.box == pytest.approx(wanted[text.text], abs=1)
        assert " ".join(word.text for word in text.words) == text.text
    assert sorted(face.box for face in found.faces) == sorted(face.box for face in picture.faces)


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=6), st.randoms())
@settings(max_examples=20, deadline=None)
def test_the_order_of_the_pieces_does_not_matter(seeds: list[int], shuffler: random.Random) -> None:
    picture = drawn(3000, 1500, seeds[0], 30)
    seen = list(in_pieces(picture))
    wanted = seams.without(seen, (3000, 1500))
    shuffler.shuffle(seen)
    assert seams.without(seen, (3000, 1500)) == wanted


@given(st.integers(1, 200_000))
def test_pieces_cover_a_length_overlap_enough_and_are_as_few_as_can_be(length: int) -> None:
    found = pieces.spread(length)
    assert found[0][0] == 0
    assert found[-1][1] == length
    assert len({stop - start for start, stop in found}) == 1
    assert found[0][1] <= pieces.SIDE
    for before, after in pairwise(found):
        assert before[1] - after[0] >= pieces.OVERLAP
    # One fewer would leave less than the overlap.
    assert len(found) == 1 or (len(found) - 1) * (pieces.SIDE - pieces.OVERLAP) + pieces.OVERLAP < length


def test_the_last_level_is_one_piece_and_the_count_is_that_of_the_pieces() -> None:
    for width, height in ((1, 1), (1024, 1024), (1025, 10), (6000, 4000), (20_000, 20_000), (1_000_000, 3)):
        top, *_, last = [*pieces.levels(width, height), pieces.levels(width, height)[-1]]
        sides = [(-(-width >> (top - level)), -(-height >> (top - level))) for level in range(top, last - 1, -1)]
        counts = [len(list(pieces.pieces(*one))) for one in sides]
        assert counts[-1] == 1
        assert sum(counts) == pieces.count(width, height)


@pytest.mark.parametrize(
    ("first", "second", "shared", "whole"),
    [
        ("recognit", "nition", 3.2, "recognition"),
        ("recogniti", "lition", 4.0, "recognition"),  # the second's first letter is cut, and misread
        ("recognitl", "gnition", 4.0, "recognition"),  # the first's last one
        ("aaaaaaaa", "aaaaaaaa", 4.1, "aaaaaaaaaaaa"),
        ("价格便宜", "便宜测试", 2.0, "价格便宜测试"),
        ("ab", "yz", 1.0, "abz"),  # nothing in common: the place decides
    ],
)
def test_a_word_is_joined_by_what_both_parts_show(first: str, second: str, shared: float, whole: str) -> None:
    assert joining.overlapped(first, second, shared) == whole


def test_a_line_that_says_more_takes_the_place_of_what_lies_in_it() -> None:
    """Of a fine level that saw one word, and a coarse one that saw all four."""
    part, whole = line("one", 100, 100, 40), line("one two three four", 100, 100, 40)
    box: Box = (0, 0, 1000, 1000)
    found = seams.without([Piece(box, 1, Found([part])), Piece(box, 2, Found([whole]))], (1000, 1000))
    assert [text.text for text in found.texts] == ["one two three four"]


def test_two_columns_are_not_replaced_by_a_line_through_both() -> None:
    left, right = line("one two", 100, 100, 40), line("three four", 300, 100, 40)
    through = line("one two three four", 100, 100, 40)
    box: Box = (0, 0, 1000, 1000)
    found = seams.without([Piece(box, 1, Found([left, right])), Piece(box, 2, Found([through]))], (1000, 1000))
    assert sorted(text.text for text in found.texts) in (["one two", "three four"], ["one two three four"])
