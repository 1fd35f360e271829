"""What a job leaves in the outputs bucket: written by its merge, or put in its place by workers before that.

Outputs of which each is one piece of a part, by the thousand, are copied inside S3 by lines of the `index` role, while
the job holds the right to publish. Lists of their names lie in the work bucket until a job of the object has published:
whatever no result names is deleted then.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from fanfold.aws.ledger import Ledger
from fanfold.aws.stores import Stores
from fanfold.job import Job
from fanfold.model import Copied, Json, Output, Piece

OUTPUTS_AT_ONCE = 16

GROUP_BYTES = 4 << 20
"""What is read at once of outputs that lie one behind the other: tiles, by the thousand."""

PLACED = "records/placed/"
"""Where the lists of what was put in its place lie."""


def placed(stores: Stores, job: Job) -> Ledger[tuple[str]]:
    """Return the lists of outputs that jobs of this object put in their place."""
    return Ledger(stores.work, job, PLACED)


def place(stores: Stores, job: Job, name: str, span: Mapping[str, Any]) -> dict[str, Json]:
    """Put the outputs of a line in their place, and leave a list of them as `name` before."""
    placed(stores, job).write(name, [(output,) for output in names(span)])

    def copy(one: Sequence[Any]) -> None:
        output, key, start, stop = one
        stores.outputs.copy(job.output_key(output), Copied(key, start, stop), stores.work, span["type"])

    with ThreadPoolExecutor(OUTPUTS_AT_ONCE) as pool:
        for _ in pool.map(copy, span["place"]):
            pass
    return {"placed": len(span["place"])}


def write(stores: Stores, job: Job, outputs: Sequence[Output]) -> list[dict[str, Json]]:
    """Write what is not in its place yet; return all outputs as a result lists them."""
    waiting = [output for output in outputs if not output.placed]
    with ThreadPoolExecutor(OUTPUTS_AT_ONCE) as pool:
        written = pool.map(lambda group: _written(stores, job, group), neighbours(waiting))
        sizes = {name: size for group in written for name, size in group}
    return [
        {
            "name": output.name,
            "uri": f"s3://{stores.outputs.name}/{job.output_key(output.name)}",
            "bytes": output.size_bytes if output.placed else sizes[output.name],
        }
        for output in outputs
    ]


def neighbours(outputs: Sequence[Output]) -> Iterator[list[Output]]:
    """Group outputs in their order: small ones that lie one behind the other in one object are read in one request."""
    group: list[Output] = []
    size = 0
    for output in outputs:
        match output.pieces:
            case [Copied(key, start, stop)] if stop - start < GROUP_BYTES:
                before = group[-1].pieces[0] if group else None
                follows = isinstance(before, Copied) and (before.key, before.stop) == (key, start)
                if group and (not follows or size + stop - start > GROUP_BYTES):
                    yield group
                    group, size = [], 0
                group.append(output)
                size += stop - start
            case _:
                if group:
                    yield group
                    group, size = [], 0
                yield [output]
    if group:
        yield group


def _written(stores: Stores, job: Job, group: Sequence[Output]) -> list[tuple[str, int]]:
    """Write outputs that are neighbours."""
    first, last = group[0].pieces, group[-1].pieces
    if len(group) > 1 and isinstance(first[0], Copied) and isinstance(last[0], Copied):
        data = stores.work.read(first[0].key, first[0].start, last[0].stop)
        group = [replace(output, pieces=[_cut(data, output.pieces[0], first[0].start)]) for output in group]
    outputs, work = stores.outputs, stores.work
    return [
        (output.name, outputs.assemble(job.output_key(output.name), output.pieces, work, output.content_type))
        for output in group
    ]


def _cut(data: bytes, piece: Piece, start: int) -> bytes:
    assert isinstance(piece, Copied)
    return data[piece.start - start : piece.stop - start]


def names(span: Mapping[str, Any]) -> list[str]:
    """Return what a line puts in its place."""
    return [name for name, *_ in span["place"]]


def delete_stale(
    stores: Stores, job: Job, outputs: Sequence[Mapping[str, Json]], known: Mapping[str, Sequence[str]]
) -> list[str]:
    """Delete what other jobs of the object left and this one did not: a folder of parts is read as a whole.

    known: what is on lists of this job, by the name of the list: they are not read. Return the keys of all lists.
    """
    last = stores.outputs.find(job.output_key("result.json"))
    left = {output["name"] for output in json.loads(last)["outputs"]} if last else set()
    lists = placed(stores, job)
    read = {lists.key(name): on_it for name, on_it in known.items()}
    keys = lists.of_all()
    for key in keys:
        left.update(read[key] if key in read else (name for (name,) in lists.read(key)))
    stores.outputs.delete_all([job.output_key(name) for name in sorted(left - {one["name"] for one in outputs})])
    return keys
