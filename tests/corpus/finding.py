"""Finding tables: files by their names, packed ones and members of archives too, each content once."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import os
import sys
import sysconfig
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

TABLES = (".csv", ".tsv", ".tab", ".psv")
PACKED = {".gz": gzip.decompress, ".bz2": bz2.decompress, ".xz": lzma.decompress}
ARCHIVES = (".tar.gz", ".tgz", ".tar.bz2", ".tar", ".zip")

UNREADABLE = (OSError, EOFError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile, RuntimeError)
"""What a file raises that is not what its name says: there is no table in it."""


@dataclass(frozen=True)
class Table:
    """One table's bytes, and the path that leads to it: `package/data.zip!tables/a.csv`."""

    name: str
    data: bytes

    @property
    def suffix(self) -> str:
        return next(suffix for suffix in TABLES if suffix in self.name.lower())


def homes() -> list[Path]:
    """Return where this environment keeps installed packages, and the system its shared data."""
    return [Path(sysconfig.get_path("purelib")), Path(sys.base_prefix) / "lib", Path("/usr/share")]


def tables(folders: Iterable[Path], limit_bytes: int) -> Iterator[Table]:
    """Yield the tables below folders, in the order of their names; empty, equal and larger ones are left out."""
    met: set[bytes] = set()
    for folder in folders:
        for path in _files(folder):
            for table in _in_file(path, limit_bytes):
                digest = hashlib.sha256(table.data).digest()
                if table.data and digest not in met and len(table.data) <= limit_bytes:
                    met.add(digest)
                    yield table


def _files(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(root) / name for name in sorted(names))


def _is_table(name: str) -> bool:
    """Tell tables by their names; `._a.csv` is what macOS packs of a file beside its bytes."""
    return name.lower().endswith(TABLES) and not PurePath(name).name.startswith("._")


def _in_file(path: Path, limit_bytes: int) -> Iterator[Table]:
    name = path.name.lower()
    try:
        if _is_table(name):
            if path.stat().st_size <= limit_bytes:
                yield Table(str(path), path.read_bytes())
        elif name.endswith(ARCHIVES):
            yield from _members(path)
        elif path.suffix.lower() in PACKED and _is_table(path.stem):
            yield Table(str(path), PACKED[path.suffix.lower()](path.read_bytes()))
    except UNREADABLE:
        return


def _members(path: Path) -> Iterator[Table]:
    if path.suffix.lower() == ".zip":
        with zipfile.ZipFile(path) as archive:
            for name in sorted(archive.namelist()):
                if _is_table(name):
                    yield Table(f"{path}!{name}", archive.read(name))
        return
    with tarfile.open(path) as archive:
        for member in archive:
            if member.isfile() and _is_table(member.name) and (file := archive.extractfile(member)):
                yield Table(f"{path}!{member.name}", file.read())
