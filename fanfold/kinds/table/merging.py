"""Folding: certify the parts, settle the types, and describe the outputs, in as many rounds as it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from fanfold.errors import FanfoldError, TooManyRejects, UnclosedQuote, UnknownColumn, WrongEncoding
from fanfold.fields import allowed
from fanfold.kinds.pieces import Pieces
from fanfold.kinds.table import parquet
from fanfold.kinds.table.buckets import Block, block_name, layout_of
from fanfold.kinds.table.certifying import Certified, walk
from fanfold.kinds.table.footers import MAGIC, TAIL_BYTES, joined
from fanfold.kinds.table.json_pointer import check_frame
from fanfold.kinds.table.layout import Column, Layout, type_of
from fanfold.kinds.table.opening.merging import opened
from fanfold.kinds.table.opening.working import Opening, is_opening
from fanfold.kinds.table.packing import PackedCell, cells_of
from fanfold.kinds.table.planning import ROLE, headed, named_columns, plan_text
from fanfold.kinds.table.recipe import TableRecipe
from fanfold.kinds.table.sinks import csv_line
from fanfold.kinds.table.values import join, public
from fanfold.model import Again, Copied, Folded, Json, Line, Output, Part, Piece, Round

INDEX = "index"

COLUMNS_SHOWN = 200
"""How many columns the stats name: they travel in the state machine's payload of 256 KiB at most."""

CONTENT_TYPES = {"jsonl": "application/jsonl", "csv": "text/csv", "parquet": "application/vnd.apache.parquet"}


def merge(round: Round) -> Again | Folded:
    """Certify the parts; ask for repairs, wider types, row groups or the index; in the end describe the outputs.

    Raises UnclosedQuote, BrokenJson, NoRecords, RowTooLarge, UnknownColumn where the object itself is at fault, and
    where it must be opened what `opened` and a plan raise.
    """
    layout = round.layouts[round.plan[0].layout]
    if is_opening(layout):
        return _open(round, Opening.from_json(layout))
    pinned = Layout.from_json(layout)
    if pinned.pieces:
        round = replace(round, source=Pieces(pinned.pieces, round.read))
    chain = walk(round, pinned)
    if chain.broken:
        return Again([_rerun(round, at, chunk.line, pin) for at, (chunk, pin) in enumerate(chain.broken)])
    _check_quotes(chain.certified)
    if chain.end is not None:
        check_frame(round.source, pinned, round.recipe.records, chain.end)
    settled = _settled(round, pinned, chain.certified)
    table = _Table(round, settled, chain.certified)
    if misfits := table.misfits():
        number = table.layout_number()
        lines = [_rerun(round, at, found.chunk.line, found.first, number) for at, found in enumerate(misfits)]
        return Again(lines, layout=settled.to_json() if number is None else None)
    if refused := table.refused():
        return Folded([table.rejects()], table.stats(), table.missing(), table.repaired(), refused)
    table.check_names()
    cells: Sequence[PackedCell] = ()
    if round.recipe.output == "parquet":
        number = table.layout_number()
        cells, lines = cells_of(round, table.parts, round.plan[0].layout if number is None else number)
        if lines:
            return Again(lines)
    if again := table.index_round():
        return again
    return Folded([*table.rows(cells), table.rejects()], table.stats(), table.missing(), table.repaired())


def _open(round: Round, opening: Opening) -> Again:
    """Return the plan over the text, once all of it is certain."""
    pieces, again = opened(round)
    if again:
        return Again(again)
    recipe = round.recipe.model_copy(update={"encoding": "utf-8"}) if opening.encoding else round.recipe
    plan = plan_text(headed(Pieces(pieces, round.read)), recipe, pieces=pieces, number=len(round.lines))
    return Again(plan.lines, layout=plan.layout, plans=True)


def _rerun(round: Round, at: int, line: Line, pin: int, layout: int | None = None) -> Line:
    number = line.layout if layout is None else layout
    return Line(f"{len(round.lines)}-{at:05}", ROLE, {**line.span, "pin": pin}, number)


def _check_quotes(certified: Sequence[Certified]) -> None:
    for found in certified:
        for part in found.parts:
            if (opened := part.facts["unclosed"]) is not None:
                raise UnclosedQuote(f"the quote that opens at byte {opened:,} is not closed before the object ends")


def _settled(round: Round, pinned: Layout, certified: Sequence[Certified]) -> Layout:
    """Return the layout whose types hold for every row: the join of what all certified parts saw."""
    if pinned.settled:
        return pinned
    kinds: dict[str, str] = {}
    if pinned.format == "csv":
        kinds = dict.fromkeys(pinned.names, "null")
    for found in certified:
        for part in found.parts[:1]:
            for name, kind in part.facts["seen"]:
                kinds[name] = join(kinds.get(name, "null"), kind)
    return pinned.settle([Column(name, public(type_of(round.recipe, name, kind))) for name, kind in kinds.items()])


@dataclass(slots=True)
class _Table:
    """Certified parts under settled types."""

    round: Round
    layout: Layout
    certified: Sequence[Certified]

    @property
    def recipe(self) -> TableRecipe:
        recipe: TableRecipe = self.round.recipe
        return recipe

    def layout_number(self) -> int | None:
        """Return the number of the settled layout among the job's, None where it is not there yet."""
        for number, data in enumerate(self.round.layouts):
            if data == self.layout.to_json():
                return number
        return None

    def _part(self, found: Certified) -> Part | None:
        return next((part for part in found.parts if self._holds(part)), None)

    def _holds(self, part: Part) -> bool:
        """Tell whether a part is written as it would be under the settled types."""
        if not part.facts["fits"]:
            return False
        written = Layout.from_json(self.round.layouts[part.line.layout])
        if written.names != self.layout.names:
            return False
        seen: dict[str, str] = dict(part.facts["seen"])
        for old, new in zip(written.columns, self.layout.columns, strict=True):
            # A column of nulls is written alike whatever its type, but for Parquet, which has a schema.
            is_void = self.recipe.output != "parquet" and not written.settled and seen.get(old.name, "null") == "null"
            if public(old.type) != public(new.type) and not is_void:
                return False
        return True

    def misfits(self) -> list[Certified]:
        """Return the chunks that have parts, and none under the settled types."""
        return [found for found in self.certified if found.parts and self._part(found) is None]

    @property
    def parts(self) -> list[Part]:
        return [part for found in self.certified if (part := self._part(found))]

    def missing(self) -> list[dict[str, Json]]:
        return [
            {"start": found.chunk.start, "stop": found.chunk.stop, "rows": None}
            for found in self.certified
            if not found.parts
        ]

    def repaired(self) -> int:
        return sum("pin" in line.span for lines in self.round.later for line in lines)

    def _sum(self, name: str) -> int:
        return sum(part.facts.get(name, 0) for part in self.parts)

    def stats(self) -> dict[str, Json]:
        stats: dict[str, Json] = {"rows": self._sum("rows"), "rejected": self._sum("rejected")}
        if self.layout.format == "csv" or self.recipe.output != "jsonl":
            shown = self.layout.columns[:COLUMNS_SHOWN]
            stats["columns"] = [{"name": column.name, "type": _shown(column.type)} for column in shown]
            if more := len(self.layout.columns) - len(shown):
                stats["more_columns"] = more
        if self.recipe.index:
            stats["unindexed"] = self._sum("unindexed")
        return stats

    def refused(self) -> FanfoldError | None:
        """Return why there are too many rejects, None where there are not."""
        rejected, rows = self._sum("rejected"), self._sum("rows")
        if rejected <= allowed(self.recipe.rejects, rows + rejected):
            return None
        first = next(part.facts["first_reject"] for part in self.parts if part.facts["rejected"])
        where = f", column {first['column']!r}, {first['value'][:100]!r}" if first["column"] is not None else ""
        share = float(Fraction(100 * rejected, rows + rejected))
        message = (
            f"{rejected:,} of {rows + rejected:,} rows were rejected ({share:.3g}%); `rejects` allows "
            f"{self.recipe.rejects}; the first: byte {first['offset']:,}{where}: {first['reason']}"
        )
        undecodable = self._sum("undecodable")
        return WrongEncoding(message) if 2 * undecodable > rejected else TooManyRejects(message)

    def check_names(self) -> None:
        """Raise UnknownColumn for a column that the recipe needs and no object of JSON Lines has."""
        if self.layout.format == "csv" or not self._sum("rows"):
            return
        found = {name for part in self.parts for name in part.facts["found"]}
        for name, where in named_columns(self.recipe).items():
            if name not in found:
                raise UnknownColumn(f"`{where}` names {name!r}, and none of {self._sum('rows'):,} objects has it")

    def index_round(self) -> Again | None:
        """Return the round that writes what has not been indexed: a line for each bucket of rows, or each block."""
        if self.recipe.index is None:
            return None
        blocks: list[tuple[Block, int, int]] = []
        ordinal = 0
        for part in self.parts:
            start = ordinal
            for number, rows in enumerate(part.facts["blocks"]):
                blocks.append((Block(part.objects[block_name(number)], start), rows, part.line.layout))
                start += rows
            ordinal += part.facts["rows"]
        layout = None
        made: dict[int | str, tuple[dict[str, Json], int]]
        count = self.layout.buckets if blocks else 0
        if count:
            layout = layout_of([block for block, _, _ in blocks], count)
            made = {bucket: ({"bucket": bucket}, 0) for bucket in range(count)}
        else:
            made = {block.made.key: (block.span(rows), number) for block, rows, number in blocks}
        asked = [line for lines in self.round.lines for line in lines if line.role == INDEX]
        done = {line.span["bucket" if count else "key"] for line in asked if self.round.part(line)}
        left = [made[name] for name in made if name not in done]
        at = len(self.round.lines)
        lines = [Line(f"{at}-{number:05}", INDEX, *one) for number, one in enumerate(left)]
        return Again(lines, layout=layout, publishes=True) if lines else None

    def rejects(self) -> Output:
        return Output("rejects.jsonl", self._copied("rejects"), CONTENT_TYPES["jsonl"])

    def rows(self, cells: Sequence[PackedCell]) -> Sequence[Output]:
        kind = self.recipe.output
        if kind == "parquet" and self.recipe.parquet.files == "many" and cells:
            whole = [Copied(cell.made.key, 0, cell.made.size_bytes) for cell in cells]
            names = [f"rows/part-{number:05}.parquet" for number in range(len(whole))]
            return [Output(name, [piece], CONTENT_TYPES[kind]) for name, piece in zip(names, whole, strict=True)]
        pieces = self._copied("rows")
        if kind == "csv" and self.layout.names:
            pieces.insert(0, csv_line(self.layout.names))
        if kind == "parquet":
            pieces = _parquet(self.round, self.layout, cells)
        name = "rows/part-00000.parquet" if self.recipe.parquet.files == "many" else f"rows.{kind}"
        return [Output(name, pieces, CONTENT_TYPES[kind])]

    def _copied(self, name: str) -> list[Piece]:
        made = [part.objects[name] for part in self.parts if name in part.objects]
        return [Copied(found.key, 0, found.size_bytes) for found in made]


def _parquet(round: Round, layout: Layout, cells: Sequence[PackedCell]) -> list[Piece]:
    """Return one Parquet file: the row groups of all cells as they are, and a footer over them all."""
    bodies: list[Piece] = []
    groups = []
    for cell in cells:
        start, stop = parquet.body_span(cell.made.size_bytes, cell.footer_bytes)
        groups.append((round.read(cell.made, stop, cell.made.size_bytes - TAIL_BYTES), stop - start))
        bodies.append(Copied(cell.made.key, start, stop))
    return [MAGIC, *bodies, joined(parquet.empty_footer(layout.columns), groups)]


def _shown(kind: str) -> str:
    return "timestamp" if kind == "instant" else public(kind)
