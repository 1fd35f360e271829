"""The folder an engine lives in: its record, its locks, its state and its temporary files."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fanfold.errors import EngineError


@dataclass(frozen=True, slots=True)
class Home:
    """The places below one folder. Whoever holds `engine.lock` is its engine; a dead one holds nothing."""

    path: Path

    @classmethod
    def at(cls, path: Path | None = None) -> Home:
        """Return the home at `path`, else at $FANFOLD_HOME, else at `.fanfold` in the current folder."""
        return cls(Path(path or os.environ.get("FANFOLD_HOME") or ".fanfold").absolute())

    @property
    def record(self) -> Path:
        """What a running engine says of itself: address, process, and the secret of its lease port."""
        return self.path / "engine.json"

    @property
    def log(self) -> Path:
        return self.path / "engine.log"

    @property
    def state(self) -> Path:
        return self.path / "state"

    @property
    def bodies(self) -> Path:
        """The bytes of the S3 objects."""
        return self.path / "objects"

    @property
    def temporary(self) -> Path:
        """TMPDIR of the engine and its workers."""
        return self.path / "tmp"

    def make(self) -> None:
        """Create the folder, closed to others: it holds objects, records and the secret of the lease port.

        Raises EngineError where it cannot be made.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            ignored = self.path / ".gitignore"
            if not ignored.exists():
                ignored.write_text("*\n")
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise
            raise EngineError(
                f"{self.path} cannot be the engine's home ({error.strerror}): name another one in FANFOLD_HOME"
            ) from error

    def wipe(self) -> None:
        """Remove what a dead engine leaves: its record and its temporary files. The caller holds a lock."""
        self.record.unlink(missing_ok=True)
        shutil.rmtree(self.temporary, ignore_errors=True)

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Hold the lock of those who start an engine or deploy to it, so that two commands start one."""
        self.make()
        with (self.path / "start.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def claim(self) -> int | None:
        """Take the engine's lock for as long as this process lives; None when an engine has it."""
        self.make()
        file = os.open(self.path / "engine.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return None
        os.truncate(file, 0)
        os.write(file, str(os.getpid()).encode())
        return file

    def owns(self, claim: int) -> bool:
        """Tell whether a lock that was taken is still the one in the folder: it is not when the folder was removed."""
        try:
            return os.path.samestat(os.fstat(claim), (self.path / "engine.lock").stat())
        except FileNotFoundError:
            return False

    def holder(self) -> int | None:
        """Return the process that holds the engine's lock, also when it has not written its record."""
        if not self.is_claimed():
            return None
        return int((self.path / "engine.lock").read_text() or 0) or None

    def is_claimed(self) -> bool:
        """Tell whether an engine lives here, also one that starts or stops just now."""
        if not (self.path / "engine.lock").exists():
            return False
        with (self.path / "engine.lock").open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def read(self) -> dict[str, Any] | None:
        """Return the record of a living engine, once it has written it."""
        if not self.is_claimed():
            return None
        try:
            return dict(json.loads(self.record.read_text()))
        except FileNotFoundError:
            return None

    def write(self, record: dict[str, Any]) -> None:
        beside = self.record.with_suffix(".new")
        beside.touch(mode=0o600)
        beside.write_text(json.dumps(record))
        beside.replace(self.record)
