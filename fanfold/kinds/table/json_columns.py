"""From JSON objects to Arrow columns: a column of one JSON type at once, every other value by value.

What a value is to the lattice of types `json_rows.infer` says, and what its text is `json_rows.as_text`; here only the
columns are told for which Arrow comes to the same.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any

import pyarrow as pa

from fanfold.kinds.table import json_rows
from fanfold.kinds.table.casting import arrow_type, observe
from fanfold.kinds.table.cleaning import Cleaner
from fanfold.kinds.table.json_reading import JsonBatch, Place
from fanfold.kinds.table.values import infer_one, join
from fanfold.model import Json

BATCH_ROWS = 4096
"""About how many rows become columns at once."""

NONE, FLAG, WHOLE, REAL, TEXT = type(None), bool, int, float, str

_MATCHING: dict[str, set[type]] = {"boolean": {FLAG}, "integer": {WHOLE}, "small": {WHOLE}, "float": {WHOLE, REAL}}
"""By the type of a column the types of the values that are of it as they stand."""


class Rows:
    """The objects of several batches, and where each stands."""

    def __init__(self, batches: Sequence[JsonBatch]) -> None:
        self.rows = [row for batch in batches for row in batch.rows]
        self._batches = batches
        self._ends = list(accumulate(len(batch.rows) for batch in batches))

    def where(self, index: int) -> Place:
        """Return where the row of an index begins and ends, as positions in the window."""
        at = bisect_right(self._ends, index)
        return self._batches[at].places[index - (self._ends[at] - len(self._batches[at].rows))]


def gathered(batches: Iterable[JsonBatch]) -> Iterator[Rows]:
    """Yield the objects of batches, proven to hold their numbers as written, some thousands at a time."""
    kept: list[JsonBatch] = []
    count = 0
    for batch in batches:
        kept.append(batch.proven())
        count += len(kept[-1].rows)
        if count >= BATCH_ROWS:
            yield Rows(kept)
            kept, count = [], 0
    if kept:
        yield Rows(kept)


class JsonColumn:
    """The values of one name in some objects."""

    def __init__(self, name: str, rows: Sequence[dict[str, Json]], cleaner: Cleaner) -> None:
        self._values = [row.get(name) for row in rows]
        self._types = set(map(type, self._values)) - {NONE}
        self._texts: Any = None
        if self._types <= {TEXT}:
            self._texts = cleaner.column(cleaner.nulled(pa.array(self._values, pa.string())))
        elif TEXT in self._types:
            self._values = [cleaner.one(value) if type(value) is TEXT else value for value in self._values]

    @property
    def is_nested(self) -> bool:
        """Tell whether there is an object or an array among the values."""
        return bool(self._types & {dict, list})

    @property
    def texts(self) -> Any:
        """The values as cells of text."""
        if self._texts is None:
            self._texts = pa.array(map(json_rows.as_text, self._values), pa.string())
        return self._texts

    def kind(self, known: str) -> str:
        """Return the join of `known` and the values' types."""
        if known == "text" or not self._types:
            return known
        if self._types == {TEXT}:
            found, _ = observe(self.texts, "null")
            # JSON says what is a number: a string never is.
            return join(known, "text" if found in ("small", "integer", "float", "boolean") else found)
        if self._types == {FLAG}:
            return join(known, "boolean")
        if self._types <= {WHOLE, REAL}:
            known = join(known, "float") if REAL in self._types else known
            return self._kind_of_integers(known) if WHOLE in self._types else known
        for value in self._values:
            known = json_rows.infer(value, known)
        return known

    def _kind_of_integers(self, known: str) -> str:
        numbers = [value for value in self._values if type(value) is WHOLE]
        return join(join(known, infer_one(str(min(numbers)))), infer_one(str(max(numbers))))

    def typed(self, kind: str) -> Any:
        """Return the values as an Arrow array of a column's type where they are of it as they stand, else None."""
        if kind not in _MATCHING or not self._types <= _MATCHING[kind]:
            return None
        try:
            return pa.array(self._values, arrow_type(kind))
        except (pa.ArrowInvalid, OverflowError):
            return None  # an integer of more than 64 bits
