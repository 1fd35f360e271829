"""Seeded fuzzing: `python -m tests.kinds.fuzz --seed 7 --seconds 60`, or `--cases 20000 --only json`.

Prints the first case that differs from the oracle, and how to run it again.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import math
import random
import sys
import time
from collections import Counter

from fanfold.kinds.table import bounds, certifying, csv_blocks, csv_grammar, json_grammar, json_numbers, json_reading
from tests.kinds.json_cases import json_case
from tests.kinds.oracle import CsvCase, Dialect, check_csv, check_json, check_jsonl

DIALECTS = [
    Dialect(),
    Dialect(";"),
    Dialect("\t"),
    Dialect("|", "'"),
    Dialect(escape="\\"),
    Dialect(",", None),
    Dialect(",", None, "\\"),
    Dialect(doubled=False),
    Dialect(escape="\\", doubled=False),
    Dialect(spaces=True),
    Dialect(";", "'", "\\", spaces=True),
]
ENCODINGS = [
    "utf-8",
    "utf-8-sig",
    "latin-1",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "utf-32",
    "utf-32-le",
    "cp1252",
    "shift_jis",
    "euc_kr",
]
LETTERS = ["a", "b", "é", "1", " "]


def csv_text(pick: random.Random, dialect: Dialect) -> str:
    """Return text that a writer wrote, or garbage of the characters that matter."""
    marks = [dialect.delimiter, '"', "'", "\n", "\r", "\r\n", "\\", '""', '",', ',"', '\n"', '"\n']
    if pick.random() < 0.5:
        return "".join(pick.choice(LETTERS + marks) for _ in range(pick.randint(1, 60)))
    file, width = io.StringIO(newline=""), pick.randint(1, 4)
    quoting = csv.QUOTE_NONE if dialect.quote is None else pick.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    writer = csv.writer(
        file, **(dialect.arguments | {"quoting": quoting}), lineterminator=pick.choice(["\n", "\r\n", "\r"])
    )
    for _ in range(pick.randint(0, 12)):
        row = []
        for _ in range(width if pick.random() < 0.9 else pick.randint(0, 5)):
            kind = pick.random()
            if kind < 0.6:
                row.append("".join(pick.choice(LETTERS + marks) for _ in range(pick.randint(0, 8))))
            elif kind < 0.7:
                row.append("\n".join(dialect.delimiter.join("xyz") for _ in range(pick.randint(1, 9))))
            else:
                row.append(str(pick.randint(0, 999)))
        try:
            writer.writerow(row)
        except csv.Error:
            continue
    text = file.getvalue()
    text = text.rstrip("\n") if pick.random() < 0.2 else text
    return text * (pick.choice([5, 60]) if pick.random() < 0.1 else 1) or "a"


def csv_case(pick: random.Random) -> CsvCase:
    """Return one random case."""
    dialect = pick.choice(DIALECTS)
    encoding = pick.choice(ENCODINGS)
    if encoding == "shift_jis" and any(
        sign and sign > "?" for sign in (dialect.delimiter, dialect.quote, dialect.escape)
    ):
        encoding = "utf-8"  # there a byte of these signs may be half of another character: refused
    text = csv_text(pick, dialect)
    text = text.encode(encoding, "ignore").decode(encoding)
    if encoding == "utf-8" and text.startswith("\ufeff"):
        text = "a" + text
    size = len(text.encode(encoding))
    chunk = pick.choice([97, 512, 5000]) if size > 2000 else pick.choice([1, 2, 3, pick.randint(1, 30), 200])
    return CsvCase(text or "a", dialect, encoding, chunk, pick.random() < 0.7, pick.choice([None, 1, 2]))


def jsonl_text(pick: random.Random) -> str:
    """Return lines of JSON objects, other JSON and no JSON."""
    numbers = ["1", "-0", "1.50", "1e5", "123456789012345678901234567890", "0.1234567890123456789", "NaN", "01"]
    strings = ['"a\\nb"', '"\\u00e9"', '"é"', '"\\ud83d\\ude00"', '"\\ud800"', '"\\\\ud800"', '" x "', '""']

    def value(depth: int) -> str:
        kind = pick.random()
        if depth < 3 and kind < 0.15:
            return "[" + ",".join(value(depth + 1) for _ in range(pick.randint(0, 3))) + "]"
        if depth < 3 and kind < 0.3:
            return obj(depth + 1)
        return pick.choice(numbers + strings + ["true", "null", "false"])

    def obj(depth: int) -> str:
        fields = (f'"{pick.choice("abc")}"{pick.choice(["", " "])}: {value(depth)}' for _ in range(pick.randint(0, 3)))
        return "{" + ", ".join(fields) + "}"

    lines = [
        pick.choice([obj(0), obj(0), obj(0), obj(0), "", "  ", "[1]", "{", "x", "7"]) for _ in range(pick.randint(1, 9))
    ]
    return '{"first": 1}\n' + pick.choice(["\n", "\r\n"]).join(lines) + pick.choice(["", "\n"])


def thresholds(pick: random.Random) -> None:
    """Choose at random what is tuned for speed alone, so that small cases go the ways of large ones."""
    certifying.SCAN_LIMIT_BYTES = pick.choice([0, 50, 8 << 20])
    csv_grammar.LEAP_BYTES = pick.choice([0, 4096])
    bounds.GUESS_BYTES = pick.choice([8, 1 << 20])
    csv_blocks.BLOCK_UNITS = pick.choice([1, 7, 100, 1 << 20])
    json_grammar.LOOK_BYTES = pick.choice([8, 100, 64 << 10])
    json_reading.BATCH_BYTES = pick.choice([1, 50, 128 << 10])
    json_numbers.PATIENCE = pick.choice([0, 2, 32])
    json_reading.LINES_BYTES = pick.choice([1, 50, 128 << 10])
    bounds.LOOK_STEPS_BYTES = pick.choice([(4, 8), (2,), (4 << 10, 8 << 10)])


def csv_round(number: int, pick: random.Random, count: Counter[str]) -> None:
    """Check one case of CSV."""
    case = csv_case(pick)
    try:
        result = check_csv(case)
    except BaseException:
        sys.stderr.write(f"case {number}: {case}\n")
        raise
    count["csv"] += 1
    count["unclosed"] += result is None
    if result:
        count["rounds"] = max(count["rounds"], len(result.rounds))
        count["repaired"] += result.folded.repaired
        count["chunks"] += len(result.rounds[0])


def json_round(number: int, pick: random.Random, count: Counter[str]) -> None:
    """Check one case of JSON Lines, of an array, or of values that follow each other."""
    if pick.random() < 0.25:
        text, chunk, encoding = jsonl_text(pick), pick.choice([1, 3, 20, 200]), pick.choice(["utf-8", "utf-16-le"])
        try:
            check_jsonl(text, chunk, encoding)
        except BaseException:
            sys.stderr.write(f"case {number}: {json.dumps(text)} chunk {chunk} {encoding}\n")
            raise
        count["jsonl"] += 1
        return
    case = json_case(pick)
    try:
        result = check_json(case)
    except BaseException:
        sys.stderr.write(f"case {number}: {case}\n")
        raise
    count["json"] += 1
    count["refused"] += result is None
    if result:
        count["json rounds"] = max(count["json rounds"], len(result.rounds))
        count["json repaired"] += result.folded.repaired
        count["json chunks"] += len(result.rounds[0])


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--seconds", type=float, default=None, help="30, or as long as it takes if --cases is given")
    arguments.add_argument("--cases", type=int, default=None, help="stop after so many")
    arguments.add_argument("--only", choices=["csv", "json"], default=None)
    given = arguments.parse_args()
    seconds = given.seconds if given.seconds is not None else 30 if given.cases is None else math.inf
    count: Counter[str] = Counter()
    began = time.monotonic()
    number = given.seed * 1_000_000
    last = math.inf if given.cases is None else number + given.cases
    while number < last and time.monotonic() - began < seconds:
        number += 1
        pick = random.Random(number)
        thresholds(pick)
        is_csv = pick.random() < 0.8
        run = csv_round if given.only == "csv" or (is_csv and given.only is None) else json_round
        run(number, pick, count)
    sys.stdout.write(f"seed {given.seed}: {dict(count)}\n")


if __name__ == "__main__":
    main()
