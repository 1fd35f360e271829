"""Read every table below the folders that are named (else: installed packages) and compare it with `csv.reader`.

Prints what was read, how many boundaries had to be repaired, each table that differs, and each whose delimiter is not
what its name or `csv.Sniffer` says. The exit status is 1 where one differs.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from pathlib import Path

from fanfold.fields import size_bytes
from tests.corpus.checking import Checked, Outcome, check
from tests.corpus.finding import homes, tables


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m tests.corpus", description=__doc__)
    arguments.add_argument("folders", nargs="*", type=Path)
    arguments.add_argument("--limit", type=size_bytes, default=32 << 20, help="leave larger tables out")
    given = arguments.parse_args()
    began = time.monotonic()
    outcomes = []
    for table in tables(given.folders or homes(), given.limit):
        outcomes.append(outcome := check(table))
        if outcome.mismatch:
            say(f"differs: {outcome.name}: {outcome.mismatch}")
    report(outcomes)
    say(f"{time.monotonic() - began:.0f} s")
    return any(outcome.mismatch for outcome in outcomes)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def report(outcomes: list[Outcome]) -> None:
    """Print the sums, and what people should look at."""
    read = [outcome for outcome in outcomes if outcome.checked]
    for outcome in (outcome for outcome in outcomes if outcome.refused):
        say(f"refused: {outcome.name}: {outcome.refused}")
    for outcome in read:
        if outcome.delimiter != outcome.by_name or outcome.by_sniffer not in (None, outcome.delimiter):
            say(
                f"delimiter {outcome.delimiter!r}, its name says {outcome.by_name!r}, csv.Sniffer "
                f"{outcome.by_sniffer!r}: {outcome.name}"
            )
    by_chunk: dict[int, list[Checked]] = defaultdict(list)
    for outcome in read:
        for nth, checked in enumerate(outcome.checked):
            by_chunk[nth].append(checked)
    say(
        f"{len(outcomes):,} tables, {len(read):,} read, {sum(outcome.size_bytes for outcome in read) / 1e6:,.1f} MB, "
        f"{sum(outcome.checked[0].rows for outcome in read):,} rows, "
        f"{sum(outcome.checked[0].rejected for outcome in read):,} rejected"
    )
    every = [checked for outcome in read for checked in outcome.checked]
    for nth, some in sorted(by_chunk.items()):
        summed(f"chunk size {nth + 1} of each table, {min(one.chunk for one in some):,} B and more", some)
    summed("all", every)
    say(f"{sum(bool(outcome.mismatch) for outcome in outcomes)} differ from csv.reader")


def summed(name: str, checked: list[Checked]) -> None:
    boundaries = sum(one.boundaries for one in checked)
    repaired = sum(one.repaired for one in checked)
    rounds = max((one.rounds for one in checked), default=0)
    share = repaired / boundaries if boundaries else 0
    say(f"{name}: {boundaries:,} boundaries, {repaired:,} repaired ({share:.4%}), {rounds} rounds at most")


if __name__ == "__main__":
    sys.exit(main())
