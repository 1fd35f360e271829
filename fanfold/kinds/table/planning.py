"""The splitter: from the head of an object and a few samples to a layout and spans. It never reads the data.

At most 1 MiB is read, whatever the object's size: the head, and samples spread over the rest.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise, takewhile

from fanfold.errors import NotATable, RecipeError, TooManyChunks, UnclosedQuote, UnknownColumn, WrongEncoding
from fanfold.kinds.table import json_rows, layout, sniffing
from fanfold.kinds.table.bounds import grammar
from fanfold.kinds.table.buckets import buckets_of
from fanfold.kinds.table.cleaning import Cleaner
from fanfold.kinds.table.csv_rows import Row, raw, rows
from fanfold.kinds.table.encodings import Encoding, decode, detect, is_splittable
from fanfold.kinds.table.headed import Headed
from fanfold.kinds.table.json_grammar import ArrayGrammar, ValuesGrammar
from fanfold.kinds.table.json_lexing import Break, space
from fanfold.kinds.table.json_pointer import locate
from fanfold.kinds.table.json_reading import lines_of
from fanfold.kinds.table.json_rows import Number
from fanfold.kinds.table.layout import Column, Dialect, Format, Layout, type_of
from fanfold.kinds.table.opening import containers
from fanfold.kinds.table.opening.working import Opening
from fanfold.kinds.table.recipe import TableRecipe
from fanfold.kinds.table.values import Misfit, infer
from fanfold.kinds.table.window import Window
from fanfold.model import Line, PartObject, Plan, Source

HEAD_BYTES = 64 << 10
HEAD_LIMIT_BYTES = 768 << 10
"""How far a splitter reads to find the end of the header."""

SAMPLES, SAMPLE_BYTES = 7, 32 << 10

SMALL_BYTES = HEAD_BYTES + SAMPLES * SAMPLE_BYTES
"""An object of this size is read as a whole: in one request, and no more of it than head and samples would be."""

CHUNKS_LIMIT = 40_000
"""The most lines of a plan: each is a child execution, and has a line of its own in every round of repair."""

CHUNK_MIN_BYTES, CHUNK_MAX_BYTES = 8 << 20, 64 << 20
"""What `chunk: auto` is between: a worker's start costs less than its work, and its memory stays small."""

OPENED_CHUNK_BYTES = 16 << 20
"""What `chunk: auto` is for compressed bytes, which inflate to some 100 MB."""

ROW_GROUPS_LIMIT = 10_000
"""The most row groups of a Parquet file; their footer is read as a whole."""

ROLE = "rows"


def plan(source: Source, recipe: TableRecipe) -> Plan:
    """Split: pin the layout, cut the object into spans, or into spans to be opened first.

    Raises NotATable, WrongEncoding, BrokenJson, NoRecords, UnclosedQuote, UnknownColumn, TooManyChunks.
    """
    source = headed(source)
    head = source.read(0, HEAD_BYTES)
    container = containers.of(head)
    if container is None:
        encoding = detect(head, recipe.encoding)
        sniffing.refuse(head, encoding)
        dialect = _dialect(recipe, _decoded(head, encoding, source.size_bytes))
        if is_splittable(encoding.name, dialect.characters):
            return plan_text(source, recipe)
        return _plan_opening(source, recipe, Opening(None, encoding.name))
    text = containers.beginning(container, head, HEAD_BYTES)
    encoding = detect(text, recipe.encoding)
    sniffing.refuse(text, encoding, container.name)
    # What the delimiter is may show only when more is inflated.
    signs = sniffing.DELIMITERS if recipe.delimiter == "auto" else recipe.delimiter
    whole = not is_splittable(encoding.name, signs + (recipe.quote or "") + (recipe.escape or ""))
    return _plan_opening(source, recipe, Opening(container, encoding.name if whole else None))


def headed(source: Source) -> Source:
    """Return a source whose head is read, or all of it where it is small."""
    return Headed(source, SMALL_BYTES if source.size_bytes <= SMALL_BYTES else HEAD_BYTES)


def _plan_opening(source: Source, recipe: TableRecipe, opening: Opening) -> Plan:
    """Return the spans of an object that must be opened; only one, where its text is decoded as well."""
    chunk = OPENED_CHUNK_BYTES if recipe.chunk == "auto" else recipe.chunk
    _check_count(source.size_bytes, chunk, None)
    size = source.size_bytes
    cuts = [] if opening.encoding else range(chunk, size, chunk)
    return Plan(opening.to_json(), _spans([0, *cuts, size]), prepares=True)


def plan_text(
    source: Source,
    recipe: TableRecipe,
    *,
    pieces: Sequence[PartObject] = (),
    number: int = 0,
) -> Plan:
    """Split text, which may be what was opened into `pieces`; number: of the round that the lines are for.

    Raises what `plan` raises.
    """
    head = source.read(0, HEAD_BYTES)
    encoding = detect(head, recipe.encoding)
    sniffing.refuse(head, encoding, "container" if pieces else None)
    text = _decoded(head, encoding, source.size_bytes)
    unit_bytes = encoding.unit
    if (source.size_bytes - encoding.bom_bytes) % unit_bytes:
        raise WrongEncoding(
            f"the object has {source.size_bytes} bytes; in {encoding.name} that would be a multiple of {unit_bytes}"
        )
    pinned = Layout(
        format=_format(recipe, text),
        encoding=encoding.name,
        unit=unit_bytes,
        start=encoding.bom_bytes,
        dialect=_dialect(recipe, text),
        columns=(),
        settled=recipe.columns != "auto",
        cell_bytes=_cell_bytes(source.size_bytes),
        pieces=tuple(pieces),
        buckets=buckets_of(source.size_bytes, recipe.index),
    )
    if pinned.format in ("array", "values"):
        pinned = _json_layout(source, recipe, pinned)
    if pinned.format == "csv":
        pinned = _csv_layout(source, recipe, pinned)
    elif recipe.output == "jsonl":
        pinned = pinned.settle(())
    else:
        kinds = _sampled_names(source, recipe, pinned)
        columns = [Column(name, type_of(recipe, name, kind)) for name, kind in kinds.items()]
        pinned = Layout.from_json(pinned.to_json() | {"columns": [[c.name, c.type] for c in columns], "settled": False})
    return Plan(pinned.to_json(), _lines(source.size_bytes, recipe, pinned, number))


def _decoded(head: bytes, encoding: Encoding, size_bytes: int) -> str:
    decoder = codecs.getincrementaldecoder(encoding.name)()
    try:
        return decoder.decode(head[encoding.bom_bytes :], final=len(head) >= size_bytes)
    except UnicodeDecodeError as error:
        at = encoding.bom_bytes + error.start
        raise WrongEncoding(f"byte {at} of the object (0x{head[at]:02x}) is no {encoding.name}") from error


def _dialect(recipe: TableRecipe, text: str) -> Dialect:
    escape = None if recipe.escape == recipe.quote else recipe.escape
    given = Dialect(",", recipe.quote, escape, recipe.doubled_quote, recipe.skip_initial_space)
    delimiter = sniffing.delimiter(text, given) if recipe.delimiter == "auto" else recipe.delimiter
    if delimiter in (given.quote, escape):
        raise RecipeError(f"`delimiter` is {delimiter!r}, which is `quote` or `escape` too: they must differ")
    if given.skip_initial_space and " " in (delimiter, given.quote, escape):
        raise RecipeError("`skip_initial_space` is true, and a space is `delimiter`, `quote` or `escape`")
    return replace(given, delimiter=delimiter)


def _format(recipe: TableRecipe, text: str) -> Format:
    """Return the format that the recipe gives, or that the text has."""
    if recipe.format in ("csv", "jsonl"):
        return recipe.format
    if recipe.records:
        return "array"
    if recipe.format == "auto":
        return sniffing.json_format(text) or "csv"
    begins = text.lstrip()[:1]
    if begins in '[{"' or begins in "-0123456789tfn":
        return "array" if begins == "[" else "values"
    raise NotATable(f"`format: json` was given, and the object begins with {begins!r}, which no JSON does")


def _json_layout(source: Source, recipe: TableRecipe, pinned: Layout) -> Layout:
    """Return the layout with where the first row stands; raise NotATable where the first rows are no objects."""
    if pinned.format == "array":
        pinned = replace(pinned, start=locate(source, pinned, recipe.records))
    head = Window(source, pinned.start, pinned.start + HEAD_BYTES, pinned.encoding, pinned.unit)
    if pinned.format == "values":
        pinned = replace(pinned, start=head.offset(space(head.shadow, 0)))
    row = head.position(pinned.start)
    places = list(_places(head, row, pinned)) or [(row, len(head.shadow))]
    if not any(head.shadow[start : start + 1] in (b"{", b"]", b"") for start, _ in places):
        first = raw(head, *places[0], pinned)
        raise NotATable(
            f"the rows are no JSON objects: the first, at byte {head.offset(places[0][0]):,}, is {first[:40]!r}; "
            'what a table can have is [{"name": value}, …]'
        )
    return pinned


def _places(window: Window, row: int, pinned: Layout) -> Iterator[tuple[int, int]]:
    """Yield where each row of JSON that the window holds whole begins and ends, from a row start on."""
    if pinned.format == "jsonl":
        yield from lines_of(window, row, len(window.shadow), window.at_end)
        return
    rules = ArrayGrammar() if pinned.format == "array" else ValuesGrammar()
    following: int | None = row
    while following is not None and following < len(window.shadow):
        try:
            step = rules.step(window.shadow, following, window.at_end)
        except Break:
            return
        if step is None:
            return
        if step.stop > following:
            yield following, step.stop
        following = step.next


def _csv_layout(source: Source, recipe: TableRecipe, pinned: Layout) -> Layout:
    window = Window(source, pinned.start, HEAD_BYTES, pinned.encoding, pinned.unit)
    first = _first_row(source, window, pinned)
    cells = first.cells if first else []
    if recipe.header:
        names = _unique_names([cell.strip() for cell in cells])
        start = window.offset(first.stop) if first else source.size_bytes
    else:
        names = _numbered_names(recipe, len(cells))
        start = pinned.start
    _check_names(recipe, names)
    data = pinned.to_json() | {"start": start, "columns": [[name, "null"] for name in names]}
    pinned = Layout.from_json(data)
    kinds = _sampled_types(source, recipe, pinned, window) if recipe.columns == "auto" else dict.fromkeys(names, "text")
    columns = [[name, type_of(recipe, name, kinds[name])] for name in names]
    return Layout.from_json(data | {"columns": columns})


def _first_row(source: Source, window: Window, pinned: Layout) -> Row | None:
    """Return the first row that is not blank, reading on until it ends; None where there is none."""
    while True:
        begin = len(window.shadow) - len(window.shadow.lstrip(b"\r\n"))
        for row in rows(window, begin, len(window.shadow), pinned):
            if row.stop >= len(window.shadow) and not window.at_end:
                break
            if row.cells:
                opened = (
                    grammar(pinned).open_quote(window.shadow, row.start) if row.stop >= len(window.shadow) else None
                )
                if opened is not None:
                    raise UnclosedQuote(f"the quote at byte {window.offset(opened)}, in the first row, is never closed")
                return row
        if window.at_end:
            return None
        if window.stop >= HEAD_LIMIT_BYTES:
            what = "the first row does not end" if begin < len(window.shadow) else "there are only blank lines"
            raise NotATable(f"{what} within {HEAD_LIMIT_BYTES:,} bytes")
        window.grow(min(2 * window.stop, HEAD_LIMIT_BYTES))


def _unique_names(names: list[str]) -> list[str]:
    """Return names with `c3` for an empty third one, and `name_2` for the second that is called `name`."""
    given = set(names)
    unique: list[str] = []
    used: set[str] = set()
    for number, original in enumerate(names, start=1):
        name = found = original or f"c{number}"
        count = 1
        # A name that the header itself gives to another column is not taken away from it.
        while found in used or (found != original and found in given):
            count += 1
            found = f"{name}_{count}"
        used.add(found)
        unique.append(found)
    return unique


def _numbered_names(recipe: TableRecipe, width: int) -> list[str]:
    numbered = [f"c{number}" for number in range(1, width + 1)]
    if not isinstance(recipe.columns, dict) or recipe.columns.keys() <= set(numbered):
        return numbered
    named = list(recipe.columns)
    if len(named) > width:
        raise UnknownColumn(f"`columns` names {len(named)} columns, and the first row has {width}")
    return named + numbered[len(named) :]


def _check_names(recipe: TableRecipe, names: list[str]) -> None:
    asked: dict[str, str] = {}
    if isinstance(recipe.columns, dict):
        asked |= dict.fromkeys(recipe.columns, "columns")
    asked |= named_columns(recipe)
    for name, where in asked.items():
        if name not in names:
            shown = ", ".join(map(_shown, names[:20])) + (", …" if len(names) > 20 else "")
            raise UnknownColumn(f"`{where}` names {name!r}; the columns are: {shown or 'none'}")


def _shown(name: str) -> str:
    """Return a name as an error of one line can show it."""
    return name if name.isprintable() and len(name) <= 40 else repr(name[:40])


def named_columns(recipe: TableRecipe) -> dict[str, str]:
    """Return the columns that `index` and `totals` need, and the field of the recipe that names each."""
    named: dict[str, str] = {}
    if recipe.index:
        named[recipe.index.partition] = "index.partition"
        if recipe.index.sort is not None:
            named[recipe.index.sort] = "index.sort"
    for total in recipe.totals:
        named |= {total.by: "totals.by", total.sum: "totals.sum"}
    return named


def _samples(source: Source, pinned: Layout, head: Window) -> Iterator[tuple[Window, int]]:
    """Yield windows over the head and over samples of the rest, with the position of a row start in each."""
    yield head, head.position(pinned.start)
    rest = source.size_bytes - head.stop
    if rest <= 0:
        return
    guess = grammar(pinned)
    for number in range(SAMPLES):
        at = (head.stop + rest * number // SAMPLES) // pinned.unit * pinned.unit
        window = Window(source, at - pinned.unit, at - pinned.unit + SAMPLE_BYTES, pinned.encoding, pinned.unit)
        if starts := guess.guesses(window.shadow, len(window.shadow), window.at_end):
            yield window, starts[0]


def _sampled_types(source: Source, recipe: TableRecipe, pinned: Layout, head: Window) -> dict[str, str]:
    """Return by column the join of the types in the samples. A wrong sample costs a rerun, and never data."""
    cleaner = Cleaner(recipe.clean)
    kinds = dict.fromkeys(pinned.names, "null")
    for window, start in _samples(source, pinned, head):
        stop = len(window.shadow)
        whole = takewhile(lambda row: row.stop < stop or window.at_end, rows(window, start, stop, pinned))  # noqa: B023
        kept = [row.cells for row in whole if row.decodes and len(row.cells) == len(kinds)]
        for name, column in zip(kinds, zip(*kept, strict=True), strict=False):
            kinds[name] = infer(map(cleaner.one, column), kinds[name])
    return kinds


def _sampled_names(source: Source, recipe: TableRecipe, pinned: Layout) -> Mapping[str, str]:
    """Return the names in the samples of JSON, in the order of the object, and the join of their types."""
    cleaner = Cleaner(recipe.clean)
    kinds: dict[str, str] = {}
    head = Window(source, pinned.start, pinned.start + HEAD_BYTES, pinned.encoding, pinned.unit)
    for window, row in _samples(source, pinned, head):
        for start, stop in _places(window, row, pinned):
            try:
                found = json_rows.parse(decode(window.bytes(start, stop), pinned.encoding)[0])
            except Misfit:
                continue
            for name, value in found.items():
                if isinstance(value, str) and not isinstance(value, Number):
                    value = cleaner.one(value)
                kinds[name] = json_rows.infer(value, kinds.get(name, "null"))
    return kinds


def _lines(size_bytes: int, recipe: TableRecipe, pinned: Layout, number: int) -> list[Line]:
    chunk = chunk_bytes(size_bytes, recipe)
    grid = pinned.cell_bytes if recipe.output == "parquet" else None
    _check_count(size_bytes, chunk, grid)
    chunk = max(pinned.unit, chunk // pinned.unit * pinned.unit)
    cuts = set(range(chunk, size_bytes, chunk))
    if grid:
        cuts |= set(range(grid, size_bytes, grid))
    return _spans([pinned.start, *sorted(cut for cut in cuts if cut > pinned.start), size_bytes], number)


def _spans(edges: Sequence[int], number: int = 0) -> list[Line]:
    return [
        Line(f"{number}-{index:05}", ROLE, {"start": start, "stop": stop})
        for index, (start, stop) in enumerate(pairwise(edges))
    ]


def _check_count(size_bytes: int, chunk: int, grid: int | None) -> None:
    """Raise TooManyChunks where an object would have more chunks than a job may have."""
    if (count := _count(size_bytes, chunk, grid)) > CHUNKS_LIMIT:
        least = chunk
        while _count(size_bytes, least, grid) > CHUNKS_LIMIT:
            least *= 2
        raise TooManyChunks(
            f"chunks of {chunk:,} bytes would be {count:,}, and a job may have {CHUNKS_LIMIT:,}: "
            f"`chunk: {-(-least // 1024)}KiB` or more fits"
        )


def chunk_bytes(size_bytes: int, recipe: TableRecipe) -> int:
    """Return how large a chunk is: what the recipe says, or what gives every worker allowed at once its share."""
    if recipe.chunk != "auto":
        return recipe.chunk
    if recipe.output == "parquet":
        chunk = _cell_bytes(size_bytes)  # smaller ones would have to be packed, in a round of their own
    else:
        chunk = CHUNK_MIN_BYTES
        while chunk < CHUNK_MAX_BYTES and chunk * recipe.concurrency < size_bytes:
            chunk *= 2
    while size_bytes > CHUNKS_LIMIT * chunk:
        chunk *= 2
    return chunk


def _cell_bytes(size_bytes: int) -> int:
    cell = layout.CELL_BYTES
    while size_bytes > ROW_GROUPS_LIMIT * cell:
        cell *= 2
    return cell


def _count(size_bytes: int, chunk: int, grid: int | None) -> int:
    """Return about how many spans there will be; never fewer."""
    return -(-size_bytes // chunk) + (size_bytes // grid if grid and chunk % grid else 0)
