"""What a worker writes of its rows, under the types that its layout pins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc

from fanfold.kinds.table.buckets import Buckets
from fanfold.kinds.table.casting import Typed, cast
from fanfold.kinds.table.cleaning import Cleaner
from fanfold.kinds.table.csv_blocks import Batch
from fanfold.kinds.table.csv_rows import raw
from fanfold.kinds.table.holding import Fault, unheld
from fanfold.kinds.table.layout import Layout
from fanfold.kinds.table.recipe import Index, TableRecipe
from fanfold.kinds.table.rejects import Rejects
from fanfold.kinds.table.sinks import Blocks, Cell, csv_lines, json_lines
from fanfold.kinds.table.values import Value, join, public
from fanfold.kinds.table.window import Window
from fanfold.model import Desk, Json


class PartWriter:
    """One part in the making: its rows, rejects and facts.

    Once a value is seen that the pinned types cannot hold, nothing more is written: the merge will have the span
    run again under wider ones, and only needs to know what was seen.
    """

    def __init__(
        self,
        layout: Layout,
        recipe: TableRecipe,
        desk: Desk,
        window: Window,
        rejects: Rejects,
        file: IO[bytes],
        cell: Cell | None,
    ) -> None:
        self.layout = layout
        self.recipe = recipe
        self.cleaner = Cleaner(recipe.clean)
        self.window = window
        self.rejects = rejects
        self.fits = True
        self.seen: dict[str, str] = {}
        """By column, in the order of their first appearance, the join of the types of all values so far."""
        self.found: set[str] = set()
        """Which of the columns that the recipe names were there; for JSON, where no header tells."""
        self._desk = desk
        self._file = file
        self._rows = self._unindexed = 0
        self._cell = cell
        self._blocks = _blocks(desk, recipe.index, layout.buckets) if recipe.index else None

    def see(self, name: str, kind: str) -> None:
        """Take note of the type of some values of a column."""
        self.seen[name] = join(self.seen.get(name, "null"), kind)

    def check(self) -> None:
        """Compare what was seen with what the layout pins."""
        pinned = {column.name: column.type for column in self.layout.columns}
        for name, kind in self.seen.items():
            known = pinned.get(name)
            if known is None or (self._infers and public(join(known, kind)) != public(known)):
                self.fits = False

    @property
    def _infers(self) -> bool:
        return self.recipe.columns == "auto" and not self.layout.settled

    def columns(self, batch: Batch, texts: Sequence[Any], values: Sequence[Any]) -> None:
        """Write rows of cleaned text, by column; `values` are the columns that `casting.observe` has typed."""
        if not self.fits:
            self._rows += batch.rows
            return
        columns: list[Typed] = []
        dropped: dict[int, tuple[str, str, str]] = {}
        for column, cells, known in zip(self.layout.columns, texts, values, strict=True):
            typed, misfits = cast(column, cells, known)
            columns.append(typed)
            for index, reason in misfits.items():
                dropped.setdefault(index, (column.name, cells[index].as_py(), reason))
        for index, (name, cell, reason) in dropped.items():
            start, stop = batch.where(index)
            self.reject(self.window.offset(start), stop, reason, name, cell)
        if dropped:
            kept = pa.array([index not in dropped for index in range(batch.rows)])
            columns = [typed.filter(kept) for typed in columns]
        rows = batch.rows - len(dropped)
        lines = list(json_lines(columns)) if self._blocks or self.recipe.output == "jsonl" else []
        if faults := self.unheld(lines):
            held = [index for index in range(batch.rows) if index not in dropped]
            for at, (reason, column_name, value) in faults.items():
                start, stop = batch.where(held[at])
                self.reject(self.window.offset(start), stop, reason, column_name, value)
            kept = pa.array([at not in faults for at in range(rows)])
            columns = [typed.filter(kept) for typed in columns]
            lines = [line for at, line in enumerate(lines) if at not in faults]
        self._rows += rows - len(faults)
        self._write(columns, lines)

    def unheld(self, lines: Sequence[bytes]) -> dict[int, Fault]:
        """Return which rows, given as lines of JSON, the index could not hold: see `holding.unheld`."""
        return unheld(self.recipe, self.recipe.index, lines) if self.recipe.index else {}

    def _write(self, columns: Sequence[Typed], lines: Sequence[bytes]) -> None:
        if self._cell:
            self._cell.add(columns)
        if self.recipe.output == "csv":
            self._file.writelines(csv_lines(columns))
        self._add(lines)
        if self._blocks:
            self._unindexed += _void_keys([typed.values for typed in columns if typed.column.name in self.key_names])

    def lines(self, lines: Sequence[bytes], rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows that are lines of JSON already."""
        self._rows += len(lines)
        self._add(lines)
        if self._blocks:
            names = self.key_names
            self._unindexed += sum(any(_is_void(row.get(name)) for name in names) for row in rows)

    def _add(self, lines: Sequence[bytes]) -> None:
        if self.recipe.output == "jsonl":
            self._file.write(b"".join(lines))
        if self._blocks:
            self._blocks.add(lines)

    @property
    def key_names(self) -> list[str]:
        """The columns that make a record's key."""
        index = self.recipe.index
        return [name for name in (index.partition, index.sort) if name is not None] if index else []

    def reject(self, offset: int, stop: int, reason: str, column: str | None, value: str | None) -> None:
        """Reject the row that begins at an offset and ends at a position."""
        row = raw(self.window, self.window.position(offset), stop, self.layout)
        self.rejects.add(offset, reason, row, column, value)

    def finish(self) -> dict[str, Json]:
        """Write what is left; return the facts."""
        self.rejects.flush()
        facts: dict[str, Json] = {
            "rows": self._rows,
            "rejected": self.rejects.count,
            "undecodable": self.rejects.undecodable,
            "first_reject": self.rejects.first,
            "fits": self.fits,
            "seen": [[name, kind] for name, kind in self.seen.items()],
            "found": sorted(self.found),
        }
        if self.fits:
            if self._cell:
                facts["cells"] = self._cell.finish()
            elif self._file.tell():
                self._desk.write("rows", self._file)
            if self._blocks:
                self._blocks.finish()
                facts |= {"blocks": self._blocks.rows, "unindexed": self._unindexed}
        return facts


def _blocks(desk: Desk, index: Index, buckets: int) -> Blocks | Buckets:
    return Buckets(desk, index, buckets) if buckets else Blocks(desk)


def _is_void(value: Value) -> bool:
    return value is None or (isinstance(value, str) and not value)


def _void_keys(columns: Sequence[Any]) -> int:
    """Return in how many rows one of the key columns is null or empty."""
    void = pa.scalar(False)
    for values in columns:
        void = pc.or_(void, pc.is_null(values))
        if pa.types.is_string(values.type):
            void = pc.or_(void, pc.fill_null(pc.equal(values, ""), False))
    return int(pc.sum(pc.cast(void, pa.int64())).as_py() or 0)
