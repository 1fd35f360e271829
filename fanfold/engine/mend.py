"""How a fault of MiniStack is mended: a function, or a fragment of one, is replaced where its text is what was read.

Every patch names what it counts on as `Original("module", "name", "hash")`. The engine compares all of them before
it changes anything: with another MiniStack than the one that was read, it refuses to start.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import linecache
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from fanfold.errors import EngineError

PINNED = "1.5.33"

_amended: dict[tuple[str, str], str] = {}
"""The text of functions of which fragments have been replaced: the next patch of the same function starts from it."""


@dataclass(frozen=True, slots=True)
class Original:
    """A function, class or text of MiniStack that a patch replaces, or whose behaviour it counts on."""

    module: str
    name: str
    sha256: str
    """The first 16 digits of the hash of its text."""

    def owner(self) -> Any:
        found: Any = importlib.import_module(self.module)
        for part in self.name.split(".")[:-1]:
            found = getattr(found, part)
        return found

    @property
    def attribute(self) -> str:
        return self.name.rpartition(".")[2]

    def value(self) -> Any:
        return getattr(self.owner(), self.attribute)

    def text(self) -> str:
        """Return its text as MiniStack has it: the source of code, the value of a string."""
        value = self.value()
        return value if isinstance(value, str) else inspect.getsource(value)

    def differs(self) -> str | None:
        """Return what is not as it was read, or None."""
        try:
            found = digest(self.text())
        except (AttributeError, ImportError, OSError, TypeError) as error:
            return f"{self.module}.{self.name} is not there ({error})"
        return None if found == self.sha256 else f"{self.module}.{self.name} has hash {found}, not {self.sha256}"

    def replace(self, new: Any) -> Any:
        """Put `new` in its place, and return what was there."""
        old = self.value()
        setattr(self.owner(), self.attribute, new)
        return old

    def amend(self, *changes: tuple[str, str], times: int = 1, **names: Any) -> None:
        """Replace fragments of its text, each of which occurs `times`; `names` are what the new fragments may use.

        Raises EngineError when a fragment occurs more or less often.
        """
        key = (self.module, self.name)
        text = _amended.get(key) or textwrap.dedent(self.text())
        for old, new in changes:
            if text.count(old) != times:
                found = text.count(old)
                raise EngineError(f"{self.module}.{self.name} has {found} times, not {times}: {old.strip()!r}")
            text = text.replace(old, new)
        _amended[key] = text
        if isinstance(self.value(), str):
            self.replace(text)
            return
        module = importlib.import_module(self.module)
        vars(module).update(names)
        self.replace(_compiled(text, module, self.attribute, f"<fanfold: {self.module}.{self.name}>"))


def _compiled(text: str, module: ModuleType, name: str, file: str) -> Any:
    # So that a traceback shows the amended lines.
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    scope: dict[str, Any] = {}
    # In the module's own globals, of which `scope` only keeps the name from being bound twice.
    exec(compile(text, file, "exec", dont_inherit=True), vars(module), scope)  # noqa: S102 - its text was compared
    return scope[name]


@dataclass(frozen=True, slots=True)
class Patch:
    """One fault, what it is mended in, and how."""

    name: str
    fault: str
    """One sentence: what MiniStack does that AWS does not."""
    originals: tuple[Original, ...]
    apply: Callable[[], None]


def digest(text: str) -> str:
    """Return the first 16 digits of the hash by which originals are known."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def refused(patches: Iterable[Patch]) -> list[str]:
    """Return what is not as the patches were written for: nothing, when the pinned MiniStack is installed."""
    originals = {(original.module, original.name): original for patch in patches for original in patch.originals}
    return [reason for original in originals.values() if (reason := original.differs())]


def mend(patches: Iterable[Patch], version: str) -> None:
    """Apply all patches; raise EngineError, before anything is changed, where MiniStack is not the one they are for."""
    patches = list(patches)
    reasons = refused(patches)
    if reasons:
        raise EngineError(
            f"MiniStack {version} is not what this engine was made for ({len(reasons)} differences, the first: "
            f"{reasons[0]}): pip install 'ministack[full]=={PINNED}'"
        )
    for patch in patches:
        patch.apply()
