"""What is done to every text before its type is read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fanfold.kinds.table.recipe import Clean
from fanfold.model import Json

SPACES = (
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680"
    "\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
"""Every character that `str.strip` takes away."""


def span_of(texts: Any) -> tuple[int, int]:
    """Return where the texts of an Arrow array begin and end in its buffer of data."""
    if not len(texts):
        return 0, 0
    ends = memoryview(texts.buffers()[1]).cast("i")
    return int(ends[texts.offset]), int(ends[texts.offset + len(texts)])


def _text_bytes(texts: Any) -> int:
    """Return how many bytes all texts of an array have together."""
    start, stop = span_of(texts)
    return stop - start


class Cleaner:
    """Trims, then makes empty text null, then the null values."""

    def __init__(self, clean: Clean) -> None:
        self._trim = clean.trim
        nulls = set(clean.null_values) | ({""} if clean.empty_as_null else set())
        self.nulls = frozenset(null for null in nulls if null == self._trimmed(null))
        """Texts that are null once they are trimmed; others could never be."""

    def column(self, texts: Any) -> Any:
        """Return an Arrow array of texts, in which null values are null already, cleaned."""
        import pyarrow.compute as pc

        if not self._trim:
            return texts
        trimmed = pc.utf8_trim(texts, SPACES)
        # Mostly nothing is trimmed, and then nothing can have become null.
        return trimmed if _text_bytes(trimmed) == _text_bytes(texts) else self.nulled(trimmed)

    def nulled(self, texts: Any) -> Any:
        """Return texts with the null values made null."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if not self.nulls:
            return texts
        found = pc.is_in(texts, value_set=pa.array(sorted(self.nulls), pa.string()))
        return pc.if_else(found, pa.scalar(None, pa.string()), texts) if found.true_count else texts

    def one(self, text: str) -> str | None:
        """Return one text cleaned."""
        text = self._trimmed(text)
        return None if text in self.nulls else text

    def _trimmed(self, text: str) -> str:
        return text.strip() if self._trim else text

    def rows(self, rows: Iterable[dict[str, Json]]) -> None:
        """Clean the texts of rows, in place. What is nested, and any subclass of str, stays as it is."""
        nulls, trims = self.nulls, self._trim
        if trims and nulls == {""}:
            # The common case, without looking texts up. What `strip` leaves as it is comes back as the same object.
            for row in rows:
                for name, value in row.items():
                    if type(value) is str and ((text := value.strip()) is not value or not text):
                        row[name] = text or None
            return
        for row in rows:
            for name, value in row.items():
                if type(value) is str:
                    text = value.strip() if trims else value
                    if text in nulls:
                        row[name] = None
                    elif text is not value:
                        row[name] = text
