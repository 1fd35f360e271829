"""Parts: what the worker of a line leaves, the record that says it is there, and how others find it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from itertools import zip_longest
from typing import IO, Any

from fanfold import answers
from fanfold.job import Keys, canonical, line_to_json
from fanfold.model import Json, Line, Part, PartObject
from fanfold.setting import Setting

READS_AT_ONCE = 32

INDEX = "index"
"""The role of the lines that write records, and put outputs in their place."""

REQUESTS_OF_ANSWERS = 2
"""The manifest of a round's answers, and the object that it names: as much as the records of so many lines."""


class Attempt:
    """One try at one line: in which execution, which number from 1, and for how long so far."""

    def __init__(self, event: Mapping[str, Any]) -> None:
        self.execution: str = event["execution"]
        self.number: int = event["attempt"]
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        return round(time.monotonic() - self._began, 3)


class PartDesk:
    """Where a worker notes and writes, under keys that its line's fingerprint makes its own."""

    def __init__(self, setting: Setting, line: Line, layout: Json) -> None:
        self._work = setting.work
        self._keys = setting.keys
        self._line = line
        self._fingerprint = setting.fingerprint(line, layout)
        self.objects: dict[str, PartObject] = {}

    def note(self, facts: Json) -> None:
        self._work.put(self._keys.note(self._line, self._fingerprint), canonical(facts).encode())

    def write(self, name: str, data: bytes | IO[bytes]) -> None:
        key = self._keys.part_object(self._line, self._fingerprint, name)
        size = len(data) if isinstance(data, bytes) else data.seek(0, 2)
        if not isinstance(data, bytes):
            data.seek(0)
        self._work.put(key, data, "application/octet-stream")
        self.objects[name] = PartObject(key, size)

    def read(self, part_object: PartObject, start: int = 0, stop: int | None = None) -> bytes:
        whole = start == 0 and stop in (None, part_object.size_bytes)
        stop = part_object.size_bytes if stop is None else stop
        return self._work.get(part_object.key) if whole else self._work.read(part_object.key, start, stop)

    def finish(self, facts: Mapping[str, Json], run: Attempt) -> dict[str, Any]:
        """Write the part's record, last of all: from here on the line is done, whoever asks. Return the answer."""
        record = {
            "line": line_to_json(self._line),
            "facts": facts,
            "objects": {name: asdict(made) for name, made in self.objects.items()},
            "execution": run.execution,
            "attempt": run.number,
            "seconds": run.seconds,
        }
        key = self._keys.part(self._line, self._fingerprint)
        self._work.put(key, canonical(record).encode())
        return answers.answer(self._line, key, record, reused=False)


def places(setting: Setting, line: Line, layout: Json) -> list[str]:
    """Return the keys under which the record of a line's part may lie: of this job, or of one that it may reuse.

    Records of the index name the job that wrote them, so an index line is never done by another job.
    """
    fingerprint = setting.fingerprint(line, layout)
    reused = setting.job.reuse if line.role != INDEX else ()
    return [Keys(job_id).part(line, fingerprint) for job_id in (setting.keys.job, *reused)]


def find_record(setting: Setting, keys: Sequence[str]) -> tuple[str, Json] | None:
    """Return the record that is there under one of the keys, and its key; None if the line is not finished."""
    for key in keys:
        if found := setting.work.find(key):
            return key, json.loads(found)
    return None


def read_parts(
    setting: Setting,
    rounds: Sequence[Sequence[Line]],
    layouts: Sequence[Json],
    manifests: Sequence[str | None] = (),
) -> dict[str, Part | None]:
    """Return the part of every line by the line's id, None where it is not finished.

    manifests: of each round, where its Map Run's answers are; what they do not hold is asked for, line by line.
    """
    lines = [line for lines in rounds for line in lines]
    keys = {line.id: places(setting, line, layouts[line.layout]) for line in lines}
    line_of = {key: line for line in lines for key in keys[line.id]}
    worth = [
        manifest
        for lines_of_round, manifest in zip_longest(rounds, manifests)
        if manifest and len(lines_of_round or ()) > REQUESTS_OF_ANSWERS
    ]
    found: dict[str, Part | None] = dict.fromkeys(keys)
    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        for answered in pool.map(lambda one: list(answers.read(setting.work, setting.keys, one, line_of)), worth):
            found |= {line_of[key].id: _part(line_of[key], record) for key, record in answered}
        left = [line for line in lines if found[line.id] is None]
        for line, record in zip(left, pool.map(lambda line: find_record(setting, keys[line.id]), left), strict=True):
            found[line.id] = _part(line, record[1]) if record else None
    return found


def _part(line: Line, record: Json) -> Part:
    objects = {name: PartObject(**made) for name, made in record["objects"].items()}
    return Part(line, record["facts"], objects, record["execution"], record["attempt"], record["seconds"])
