"""From a job to files: its outputs, below a folder and nowhere else."""

from __future__ import annotations

import errno
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from fanfold.errors import UsageError

if TYPE_CHECKING:
    from fanfold.aws.stack import Stack


FETCHES_AT_ONCE = 8


def below(folder: Path, name: str) -> Path:
    """Return the path of an output below `folder`, whatever its name says."""
    steps = [step for step in PurePosixPath(name).parts if step not in ("/", "//", "..")]
    return folder.joinpath(*(steps or ["unnamed"]))


def fetch(stack: Stack, outputs: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """Download outputs; return them with the `path` of each. Raises UsageError where one cannot be written."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(FETCHES_AT_ONCE) as pool:
        paths = pool.map(lambda output: _fetched(stack, output, folder), outputs)
        return [output | {"path": str(path)} for output, path in zip(outputs, paths, strict=True)]


def _fetched(stack: Stack, output: dict[str, Any], folder: Path) -> Path:
    from fanfold.aws.faults import translated

    path = below(folder, output["name"])
    bucket = stack.stores.outputs.name
    key = output["uri"].removeprefix(f"s3://{bucket}/")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if output["bytes"] == 0:
            # S3 has no range of no bytes; its refusal names the key, and is no XML where that has control characters.
            path.write_bytes(b"")
            return path
        with translated(f"fetching {output['uri']}"):
            stack.account.client("s3").download_file(bucket, key, str(path))
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
    return path
