"""Boxes by where they lie, so that those near a box are found without looking at all."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Generic, TypeVar

from fanfold.recognition import Box

CELL = 1024
"""The side of a cell, in pixels."""

T = TypeVar("T")


class Shelf(Generic[T]):
    """What was put, by cells."""

    def __init__(self) -> None:
        self._cells: dict[tuple[int, int], dict[int, tuple[Box, T]]] = {}
        self._count = 0

    def put(self, box: Box, one: T) -> None:
        for cell in _cells(box):
            self._cells.setdefault(cell, {})[self._count] = (box, one)
        self._count += 1

    def take(self, box: Box, one: T) -> None:
        """Take away what was put with this box."""
        for cell in _cells(box):
            held = self._cells[cell]
            for number in [number for number, (_, other) in held.items() if other == one]:
                del held[number]

    def over(self, box: Box) -> list[T]:
        """Return what has a box that shares something with this one, in the order in which it was put."""
        found: dict[int, T] = {}
        for cell in _cells(box):
            for number, (other, one) in self._cells.get(cell, {}).items():
                if other[0] < box[2] and box[0] < other[2] and other[1] < box[3] and box[1] < other[3]:
                    found[number] = one
        return [found[number] for number in sorted(found)]


def _cells(box: Box) -> Iterator[tuple[int, int]]:
    left, top, right, bottom = (int(edge // CELL) for edge in box)
    return product(range(left, right + 1), range(top, bottom + 1))
