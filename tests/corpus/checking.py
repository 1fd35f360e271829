"""Checking one real table: the dialect that the splitter finds, and rows equal to those of `csv.reader`."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field

from fanfold.errors import FanfoldError, WrongEncoding
from fanfold.kinds import table
from fanfold.kinds.table.encodings import detect
from fanfold.kinds.table.recipe import TableRecipe
from tests.corpus.finding import Table
from tests.kinds.driver import CountingSource
from tests.kinds.oracle import NO_CLEAN, CsvCase, Dialect, check_csv

CHUNKS = (1009, 16_411, 131_101)
"""Primes, so that boundaries fall anywhere; each is raised to a thousandth of the table."""

EXPECTED = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".psv": "|"}

SNIFFED = ",;\t|"


@dataclass(frozen=True)
class Checked:
    """One table in chunks of one size."""

    chunk: int
    boundaries: int
    repaired: int
    rounds: int
    rows: int
    rejected: int


@dataclass
class Outcome:
    """What became of one table."""

    name: str
    size_bytes: int
    encoding: str = ""
    delimiter: str = ""
    by_name: str = ""
    """The delimiter that the file's name promises."""
    by_sniffer: str | None = None
    """What `csv.Sniffer` takes it for; None where it cannot tell."""
    refused: str = ""
    """Why fanfold does not read it."""
    mismatch: str = ""
    checked: list[Checked] = field(default_factory=list)


def check(found: Table, chunks: tuple[int, ...] = CHUNKS) -> Outcome:
    """Read a table in chunks of several sizes; compare rows, rejects and their offsets with the oracle."""
    outcome = Outcome(found.name, len(found.data), by_name=EXPECTED[found.suffix])
    try:
        text = _plan(found.data, outcome)
    except FanfoldError as error:
        outcome.refused = f"{type(error).__name__}: {error}"
        return outcome
    outcome.by_sniffer = _by_sniffer(text)
    for chunk in sorted({max(chunk, len(found.data) // 1000) for chunk in chunks}):
        if chunk >= len(found.data) and outcome.checked:
            break
        case = CsvCase(text, Dialect(outcome.delimiter), outcome.encoding, chunk, seed=1)
        if case.data != found.data:
            outcome.refused = f"the oracle cannot write it: its text in {outcome.encoding} has other bytes"
            return outcome
        try:
            result = check_csv(case)
        except (AssertionError, FanfoldError) as error:
            outcome.mismatch = f"chunk {chunk}: {type(error).__name__}: {str(error)[:200]}"
            return outcome
        if result is None:
            outcome.refused = "UnclosedQuote, as csv.reader shows too"
            return outcome
        stats = result.stats
        outcome.checked.append(
            Checked(
                chunk,
                len(result.rounds[0]) - 1,
                result.folded.repaired,
                len(result.rounds),
                stats["rows"],
                stats["rejected"],
            )
        )
    return outcome


def _plan(data: bytes, outcome: Outcome) -> str:
    """Note the encoding and delimiter that the splitter finds; return the text."""
    for encoding, text in _texts(data):
        recipe = TableRecipe(format="csv", encoding=encoding, columns="text", clean=NO_CLEAN, rejects="100%")
        layout = table.plan(CountingSource(data), recipe).layout
        outcome.delimiter = layout["dialect"][0]
        outcome.encoding = _name(data) if encoding == "auto" else encoding
        return text
    raise WrongEncoding("neither UTF-8, nor UTF-16, nor Latin-1")


def _texts(data: bytes) -> Iterator[tuple[str, str]]:
    """Yield the encodings to ask for, the automatic one first, with the table's text in each."""
    for name, asked in ((_name(data), "auto"), ("latin-1", "latin-1")):
        try:
            yield asked, data.decode(name)
        except UnicodeDecodeError:
            continue


def _name(data: bytes) -> str:
    """Return the codec, byte order mark included, of what `encoding: auto` finds."""
    found = detect(data[:4096], "auto")
    if found.bom_bytes:
        return "utf-8-sig" if found.unit == 1 else "utf-16"
    return found.name


def _by_sniffer(text: str) -> str | None:
    try:
        return csv.Sniffer().sniff(text[: 64 << 10], SNIFFED).delimiter
    except csv.Error:
        return None
