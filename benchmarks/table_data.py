"""The benchmark's data: twelve columns of mixed types, quotes and commas in the text, line ends in 2% of the rows.

The same seed gives the same bytes, whatever the size: a smaller file is a prefix, cut at a row.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import orjson

# fmt: off
NAMES = [
    "order_id", "sku", "created_at", "day", "qty", "price", "discount", "city", "status", "email", "active",
    "comment",
]
WORDS = [
    "alpha", "beta", "gamma", "delta", "epsilon", "pipe", "screen", "warranty", "customer", "said", "great",
    "product", "arrived", "late", "box", "damaged", "refund", "issued", "again", "order", "shipped", "via",
    "ground", "courier", "left", "at", "door", "café", "naïve", "日本語",
]
# fmt: on
CITIES = ["Paris", "London", "New York", "São Paulo", "Tokyo", "Washington, D.C.", "Berlin", "Oslo"]
STATES = ["new", "paid", "shipped", "returned", ""]
PIECES = 20_000
BATCH = 20_000


def rows(seed: int) -> Iterator[list[list[str]]]:
    """Yield batches of rows without end, each cell as the text of its value; an empty text is a null."""
    pick = Random(seed)
    begin = datetime(2023, 1, 1)
    days = [(begin + timedelta(days=day)).date().isoformat() for day in range(730)]
    clocks = [f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}" for second in range(0, 86_400, 7)]
    openings = [" ".join(pick.choices(WORDS, k=pick.randint(1, 9))) for _ in range(PIECES)]
    endings = [_ending(pick) for _ in range(PIECES)]
    number = 0
    while True:
        batch = []
        for _ in range(BATCH):
            drawn = pick.getrandbits(64)
            day = days[drawn % 730]
            batch.append(
                [
                    str(number),
                    f"SKU-{number * 7919 % 999_983:06d}",
                    f"{day}T{clocks[drawn % len(clocks)]}",
                    day,
                    "" if drawn % 50 == 0 else str(drawn % 499 + 1),
                    f"{drawn % 17_011 * (drawn % 7 + 1) / 100:.2f}",
                    "" if drawn % 10 < 3 else f"{drawn % 9_973 / 10_000:.4f}",
                    CITIES[drawn >> 8 & 7],
                    STATES[drawn % 5],
                    f"u{number * 31 % 100_003}@example.com",
                    "true" if drawn >> 11 & 1 else "false",
                    _comment(openings[drawn >> 16 & 16_383], endings[drawn >> 30 & 16_383], drawn >> 44),
                ]
            )
            number += 1
        yield batch


def _ending(pick: Random) -> str:
    text = " ".join(pick.choices(WORDS, k=pick.randint(2, 9)))
    kind = pick.random()
    return text + ', said "ok"' if kind < 0.08 else text.replace(" ", ", ", 1) if kind < 0.33 else text


def _comment(opening: str, ending: str, drawn: int) -> str:
    if drawn % 20 == 1:
        return ""
    return f"{opening}\n{ending}" if drawn % 50 == 0 else f"{opening} {ending}"


def write_csv(path: Path, size_bytes: int, seed: int = 7) -> Path:
    """Write at least `size_bytes` of CSV, unless the file is there; LF, quotes where they are needed."""
    if path.exists():
        return path
    made = path.with_suffix(".part")
    with made.open("w", newline="", encoding="utf-8") as file:
        file.write(",".join(NAMES) + "\n")
        for batch in rows(seed):
            for row in batch:
                for at in (7, 11):
                    if "," in row[at] or '"' in row[at] or "\n" in row[at]:
                        row[at] = '"' + row[at].replace('"', '""') + '"'
            file.write("\n".join([*map(",".join, batch), ""]))
            if file.tell() >= size_bytes:
                break
    return made.rename(path)


def write_json(path: Path, size_bytes: int, shape: str, seed: int = 7) -> Path:
    """Write at least `size_bytes` of JSON, unless the file is there: `lines`, or an array, `compact` or `pretty`."""
    if path.exists():
        return path
    shapes = {"lines": (b"", b"\n", b"\n"), "compact": (b"[", b",", b"]"), "pretty": (b"[\n", b",\n", b"\n]\n")}
    before, between, after = shapes[shape]
    made = path.with_suffix(".part")
    with made.open("wb") as file:
        file.write(before)
        for number, batch in enumerate(rows(seed)):
            file.write((between if number else b"") + between.join(_object(row, shape) for row in batch))
            if file.tell() >= size_bytes:
                break
        file.write(after)
    return made.rename(path)


def _object(row: list[str], shape: str) -> bytes:
    found: dict[str, object] = {name: cell or None for name, cell in zip(NAMES, row, strict=True)}
    for name, read in (("order_id", int), ("qty", int), ("price", float), ("discount", float)):
        found[name] = read(str(found[name])) if found[name] else None
    found |= {"active": row[10] == "true", "tags": [row[7], {"state": row[8]}]}
    return orjson.dumps(found, option=orjson.OPT_INDENT_2 if shape == "pretty" else None)
