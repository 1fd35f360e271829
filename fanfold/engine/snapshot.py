"""The engine's state on disk: one folder a snapshot, written whole, then made the current one by a rename.

MiniStack saves each service for itself when it stops. A snapshot has all services of one moment, can be taken while
the engine works, and is never half-written: a killed engine loses what happened since the last one.
"""

from __future__ import annotations

import json
import logging
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fanfold.engine.bodies import Body, Store
from fanfold.errors import EngineError

logger = logging.getLogger("fanfold.engine")

MOVED = ("cloudformation", "eventbridge", "lambda", "sqs")
"""The services whose state names the engine's own address, which changes when its port is taken."""


@dataclass
class Snapshots:
    """Saves and restores the state of all services."""

    folder: Path
    store: Store
    identity: dict[str, str]
    """The versions that wrote a state; another one's is refused, not misread."""
    endpoint: str
    known: dict[str, Any]
    """Facts of the engine's own that live as long as the state: `deployed`."""
    _last: int = 0
    _saving: threading.Lock = field(default_factory=threading.Lock)

    def save(self, states: dict[str, Callable[[], Any]]) -> None:
        """Write a snapshot of what each of `states` returns, and make it the current one."""
        with self._saving:
            dead = list(self.store.dead)
            self._last += 1
            made = self.folder / f"{self._last:08}"
            shutil.rmtree(made, ignore_errors=True)
            # Not with its parents: a home that was removed stays so.
            made.mkdir(mode=0o700)
            for name, state in states.items():
                value = _steady(state)
                if value is not None:
                    (made / f"{name}.json").write_text(json.dumps(value, default=self._encode))
            facts = {"identity": self.identity, "endpoint": self.endpoint, "known": self.known}
            (made / "snapshot.json").write_text(json.dumps(facts))
            link = self.folder / "next"
            link.unlink(missing_ok=True)
            link.symlink_to(made.name)
            link.replace(self.folder / "current")
            for path in self.folder.iterdir():
                if path.name not in ("current", made.name):
                    shutil.rmtree(path)
            self.store.bury(dead)
            del self.store.dead[: len(dead)]

    def load(self) -> dict[str, Any]:
        """Return the state of each service in the current snapshot; raise EngineError for another version's."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        current = self.folder / "current"
        if not current.exists():
            return {}
        facts = json.loads((current / "snapshot.json").read_text())
        if facts["identity"] != self.identity:
            raise EngineError(
                f"the state in {self.folder.parent} was written by {_words(facts['identity'])}, and this is "
                f"{_words(self.identity)}: install what wrote it, or remove the folder to start afresh"
            )
        self._last = int(current.resolve().name)
        self.known.update(facts["known"])
        states = {}
        for path in sorted(current.glob("*.json")):
            text = path.read_text()
            if path.stem in MOVED:
                text = text.replace(facts["endpoint"], self.endpoint)
            if path.stem != "snapshot":
                states[path.stem] = json.loads(text, object_hook=self._decode)
        return states

    def _encode(self, value: Any) -> Any:
        from ministack.core.persistence import _json_default

        if isinstance(value, Body):
            return self.store.encode(value)
        if isinstance(value, set):
            return {"__set__": sorted(value)}
        if hasattr(value, "_data"):
            # A copy in one step: others write to it meanwhile.
            steady = type(value)()
            steady._data = dict(value._data)
            value = steady
        return _json_default(value)

    def _decode(self, value: dict[str, Any]) -> Any:
        from ministack.core.persistence import _json_object_hook

        if "__body__" in value:
            return self.store.restore(value)
        if "__set__" in value:
            return set(value["__set__"])
        return _json_object_hook(value)


def _steady(state: Callable[[], Any], attempts: int = 20) -> Any:
    """Return a state that nothing changed while it was copied."""
    for _ in range(attempts - 1):
        try:
            return state()
        except RuntimeError as error:  # "dictionary changed size during iteration": a request came between
            logger.debug("copying a state again: %s", error)
            time.sleep(0.01)
    return state()


def _words(identity: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in identity.items())


class Keeper(threading.Thread):
    """Saves a snapshot some time after something worth keeping happened; never spends more than a tenth of the time."""

    def __init__(self, save: Callable[[], None], pause_s: float = 2.0) -> None:
        super().__init__(name="fanfold-keeper", daemon=True)
        self._save = save
        self._pause_s = pause_s
        self._due = threading.Event()

    def remember(self) -> None:
        self._due.set()

    def run(self) -> None:
        pause_s = 0.0
        while True:
            self._due.wait()
            time.sleep(pause_s)
            self._due.clear()
            began = time.monotonic()
            try:
                self._save()
            except (OSError, RuntimeError) as error:
                logger.error("the state could not be saved, and will be later: %s", error)
                self._due.set()
            pause_s = max(self._pause_s, 10 * (time.monotonic() - began))
