"""The bytes of S3 objects on disk: a body is a row of slices of files, so that a copy moves nothing.

MiniStack keeps each object as `bytes`. A `Body` answers what it asks of them (length, truth, slices), reads no more
than a slice asks for, and joins without reading. Short bodies stay `bytes`.
"""

from __future__ import annotations

import hashlib
import os
import uuid
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SHORT_BYTES = 64 * 1024
"""Bodies up to this length are kept in memory, and in the state's JSON."""

PIECE_BYTES = 1024 * 1024
"""How much of a body is in memory at a time when all of it is read."""


class File:
    """One file below the folder of bodies. It is removed some time after nothing refers to it."""

    __slots__ = ("__weakref__", "name", "path")

    def __init__(self, store: Store, name: str) -> None:
        self.name = name
        self.path = store.folder / name
        weakref.finalize(self, store.dead.append, name).atexit = False


@dataclass(frozen=True, slots=True)
class Extent:
    """The bytes [start, stop) of a file."""

    file: File
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


class Body:
    """The bytes of an object, somewhere on disk."""

    __slots__ = ("_length", "extents")

    def __init__(self, extents: Iterable[Extent]) -> None:
        self.extents = tuple(extent for extent in extents if len(extent))
        self._length = sum(map(len, self.extents))

    def __len__(self) -> int:
        return self._length

    def __copy__(self) -> Body:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Body:
        return self

    def __getitem__(self, wanted: slice) -> Body | bytes:
        """Return the bytes of a short slice, and a body of a long one; raise ValueError for another step than 1."""
        start, stop, step = wanted.indices(len(self))
        if step != 1:
            raise ValueError(f"step {step}: a body is sliced with step 1")
        part = Body(self._cut(start, stop))
        return part if len(part) > SHORT_BYTES else bytes(part)

    def _cut(self, start: int, stop: int) -> Iterator[Extent]:
        for extent in self.extents:
            first, last = max(0, start), min(len(extent), stop)
            if first < last:
                yield Extent(extent.file, extent.start + first, extent.start + last)
            start, stop = start - len(extent), stop - len(extent)

    def pieces(self) -> Iterator[bytes]:
        """Yield all bytes, at most PIECE_BYTES at a time."""
        for extent in self.extents:
            file = os.open(extent.file.path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                at = extent.start
                while at < extent.stop:
                    piece = os.pread(file, min(PIECE_BYTES, extent.stop - at), at)
                    if not piece:
                        raise OSError(f"{extent.file.path} ends at byte {at}, before byte {extent.stop}")
                    yield piece
                    at += len(piece)
            finally:
                os.close(file)

    def __bytes__(self) -> bytes:
        return b"".join(self.pieces())

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return bytes(self).decode(encoding, errors)

    def md5(self) -> str:
        """Return the MD5 of all bytes, as S3's ETag has it."""
        digest = hashlib.md5(usedforsecurity=False)
        for piece in self.pieces():
            digest.update(piece)
        return digest.hexdigest()


class Store:
    """The folder of bodies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.dead: list[str] = []
        self._files: weakref.WeakValueDictionary[str, File] = weakref.WeakValueDictionary()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def file(self, name: str) -> File:
        """Return the file called `name`, the same object for all who ask."""
        found = self._files.get(name)
        if found is None:
            found = self._files[name] = File(self, name)
        return found

    def keep(self, body: bytes | Body) -> bytes | Body:
        """Return `body` as it is to be kept: short as bytes, long on disk."""
        if isinstance(body, Body) or len(body) <= SHORT_BYTES:
            return body
        file = self.file(uuid.uuid4().hex)
        file.path.write_bytes(body)
        return Body([Extent(file, 0, len(body))])

    def join(self, parts: Iterable[bytes | Body]) -> bytes | Body:
        """Return the parts as one body. Long parts are referred to, not copied; short ones are written together."""
        extents: list[Extent] = []
        short: list[bytes] = []

        def flush() -> None:
            text = b"".join(short)
            short.clear()
            if text:
                file = self.file(uuid.uuid4().hex)
                file.path.write_bytes(text)
                extents.append(Extent(file, 0, len(text)))

        parts = list(parts)
        if sum(map(len, parts)) <= SHORT_BYTES:
            return b"".join(map(bytes, parts))
        for part in parts:
            if isinstance(part, Body):
                flush()
                extents.extend(part.extents)
            else:
                short.append(part)
        flush()
        return Body(extents)

    def sweep(self) -> None:
        """Remove the files that no body refers to: at the start, when all bodies have been restored."""
        for path in self.folder.iterdir():
            if path.name not in self._files:
                path.unlink()

    def bury(self, names: list[str]) -> None:
        """Remove the files of bodies that were gone before the last state was saved."""
        for name in names:
            if name not in self._files:
                (self.folder / name).unlink(missing_ok=True)

    def encode(self, body: Body) -> dict[str, list[list[Any]]]:
        """Return what the state's JSON holds of a body."""
        return {"__body__": [[extent.file.name, extent.start, extent.stop] for extent in body.extents]}

    def restore(self, value: dict[str, list[list[Any]]]) -> Body:
        """Return the body of which `encode` told."""
        return Body(Extent(self.file(name), start, stop) for name, start, stop in value["__body__"])
