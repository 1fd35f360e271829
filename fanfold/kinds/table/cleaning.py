"""What is done to every text before its type is read."""

from __future__ import annotations

from collections.abc import Sequence

from fanfold.recipes import Clean


class Cleaner:
    """Trims, then makes empty text null, then the null values."""

    def __init__(self, clean: Clean) -> None:
        self._trim = clean.trim
        self._nulls = set(clean.null_values) | ({""} if clean.empty_as_null else set())

    def column(self, texts: Sequence[str | None]) -> list[str | None]:
        """Return a column of texts cleaned; what is null stays null."""
        cleaned = [text and text.strip() for text in texts] if self._trim else list(texts)
        if self._nulls.isdisjoint(cleaned):
            return cleaned
        return [None if text in self._nulls else text for text in cleaned]

    def one(self, text: str) -> str | None:
        """Return one text cleaned."""
        text = text.strip() if self._trim else text
        return None if text in self._nulls else text
