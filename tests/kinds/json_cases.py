"""Random JSON of every form: arrays that look like rows inside rows, strings full of brackets, every white space."""

from __future__ import annotations

import json
import random

from tests.kinds.oracle import JsonCase

NUMBERS = ["1", "-0", "-0.0", "1.50", "0.5", "1e5", "1E-7", "123456789012345678901234567890", "9007199254740993"]
NUMBERS += ["0.1234567890123456789", "0.30000000000000004", "18446744073709551615", "0.00001", "123456789.25", "10.0"]
STRINGS = [
    '""',
    '" x "',
    '"é"',
    '"\\u00e9"',
    '"a\\nb"',
    '"\\ud83d\\ude00"',
    '"\\ud800"',
    '"\\\\"',
    '"\\\\\\""',
    '"12.50"',
]
MARKS = ["{", "}", "[", "]", ",", ":", '\\"', "\\\\", "},{", '"},{"'.replace('"', '\\"'), "1.50, 2e5", "a", "\\n"]
SPACES = ["", "", " ", "\n", "\n  ", "\r\n\t", " " * 30]
NAMES = ["a", "b", "c", "a b", "é", "{", '\\"', "x" * 20]


class Writer:
    """Writes JSON with white space of its own."""

    def __init__(self, pick: random.Random) -> None:
        self.pick = pick
        style = pick.random()
        self._spaces = [""] if style < 0.3 else ["\n  "] if style < 0.5 else SPACES
        self._stray = pick.random() < 0.3

    def space(self) -> str:
        return self.pick.choice(self._spaces)

    def string(self) -> str:
        pick = self.pick
        if pick.random() < 0.5:
            return pick.choice(STRINGS)
        if pick.random() < 0.1:
            # A document inside a string, which looks like the one around it.
            return json.dumps(self.array([self.row(3) for _ in range(pick.randint(1, 3))]))
        return '"' + "".join(pick.choice(MARKS) for _ in range(pick.randint(0, 12))) + '"'

    def value(self, depth: int) -> str:
        pick = self.pick
        kind = pick.random()
        if depth < 4 and kind < 0.15:
            return self.array([self.value(depth + 1) for _ in range(pick.randint(0, 4))])
        if depth < 4 and kind < 0.25:
            return self.array([self.row(depth + 1) for _ in range(pick.randint(1, 5))])
        if depth < 4 and kind < 0.4:
            return self.row(depth + 1)
        if kind < 0.65:
            return self.string()
        return pick.choice([*NUMBERS, "true", "false", "null"])

    def row(self, depth: int = 0) -> str:
        names = (self.pick.choice(NAMES) for _ in range(self.pick.randint(0, 4)))
        return self.members([(name, self.value(depth)) for name in names])

    def members(self, members: list[tuple[str, str]]) -> str:
        space = self.space
        inner = ",".join(f'{space()}"{name}"{space()}:{space()}{value}{space()}' for name, value in members)
        return "{" + (inner or space()) + "}"

    def array(self, values: list[str]) -> str:
        inner = ",".join(f"{self.space()}{value}{self.space()}" for value in values)
        return "[" + (inner or self.space()) + "]"

    def rows(self) -> list[str]:
        pick = self.pick
        made = [self.row() for _ in range(pick.choice([0, 1, 3, 9, 30]))]
        if made and self._stray:
            made[pick.randrange(len(made))] = pick.choice(
                ["1", '"text"', "[1]", "null", "[{}, {}]", '{"a": NaN}', '{"a": 01}', "{,}", '{"a" 1}', "-", "nul"]
            )
        return made


def json_case(pick: random.Random) -> JsonCase:
    """Return one random case: an array at the root or under a pointer, or values that follow each other."""
    writer = Writer(pick)
    form = pick.random()
    pointer: str | None = ""
    text = ""
    if form < 0.4:
        text = writer.array(writer.rows())
    elif form < 0.7:
        pointer, text = _pointed(writer)
    else:
        pointer = None
        between = pick.choice([[""], ["\n"], ["", " ", "\r\n", "\n\n"]])
        text = "".join(row + pick.choice(between) for row in [writer.row(), *writer.rows()])
        if text[:1] == "[":
            text = "{}" + text
    text = writer.space() + text + writer.space()
    if pick.random() < 0.15:
        text = _harmed(pick, text)
    encoding = pick.choice(["utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
    size = len(text.encode(encoding))
    chunk = pick.choice([1, 2, 3, pick.randint(1, 30), 200, size])
    chunk = max(chunk, size // pick.choice([5, 20, 20, 20, 150]), 1)
    return JsonCase(text or " ", pointer, chunk, encoding, pick.choice([None, 1, 2]))


def _pointed(writer: Writer) -> tuple[str, str]:
    """Return a pointer and an object in which it leads to rows, mostly."""
    pick = writer.pick
    value, steps = writer.array(writer.rows()), ""
    for _ in range(pick.randint(1, 3)):
        before = [writer.value(2) for _ in range(pick.randint(0, 2))]
        behind = [writer.value(2) for _ in range(pick.randint(0, 2))]
        if pick.random() < 0.3:
            steps = f"/{len(before)}{steps}"
            value = writer.array([*before, value, *behind])
        else:
            name, step = pick.choice([("data", "data"), ("a/b", "a~1b"), ("~", "~0"), ("é", "é"), ("", "")])
            members = [(pick.choice(["p", "q", "r"]), inner) for inner in (*before, *behind)]
            members.insert(len(before), (name, value))
            if pick.random() < 0.05:
                members.insert(pick.randint(0, len(members)), (name, writer.value(2)))
            steps, value = f"/{step}{steps}", writer.members(members)
    return (steps if pick.random() < 0.95 else steps + "/0"), value


def _harmed(pick: random.Random, text: str) -> str:
    """Return a text with something taken out, put in or cut off."""
    at = pick.randrange(len(text) or 1)
    kind = pick.random()
    if kind < 0.3:
        return text[:at]
    if kind < 0.6:
        return text[:at] + text[at + 1 :]
    return text[:at] + pick.choice(["{", "}", "[", "]", ",", ":", '"', "\\", "x", "1", "\0", "\t"]) + text[at:]
