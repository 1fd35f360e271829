"""Rows that do not fit: a line each, with where and why."""

from __future__ import annotations

from typing import IO

from fanfold.model import Json

KEPT_CHARACTERS = 4096
"""How much of a rejected row, and of its value, is kept."""


class Rejects:
    """The rejected rows of one part. They are added in any order within a batch, and written in the object's."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._pending: list[tuple[int, dict[str, Json]]] = []
        self.count = 0
        self.undecodable = 0
        self.first: dict[str, Json] | None = None
        """The first of them, without its row."""

    def add(self, offset: int, reason: str, row: str, column: str | None = None, value: str | None = None) -> None:
        """Keep a row that begins at byte `offset` of the object."""
        line = {
            "offset": offset,
            "reason": reason,
            "column": column,
            "value": None if value is None else value[:KEPT_CHARACTERS],
            "raw": _without_line_end(row)[:KEPT_CHARACTERS],
        }
        self._pending.append((offset, line))

    def flush(self) -> None:
        """Write what was added since the last time."""
        import orjson

        self._pending.sort(key=lambda pair: pair[0])
        for _, line in self._pending:
            self._file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        if self._pending and self.first is None:
            self.first = {name: cell for name, cell in self._pending[0][1].items() if name != "raw"}
        self.count += len(self._pending)
        self._pending.clear()


def _without_line_end(row: str) -> str:
    return next((row.removesuffix(end) for end in ("\r\n", "\n", "\r") if row.endswith(end)), row)
