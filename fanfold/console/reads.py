"""Reads of AWS, remembered and paced: however many pages are open, a quota is not used up and no page waits for it.

A value that has aged is still answered, while one thread reads it anew. Calls of operations with small quotas are
spaced out by token buckets, as AWS counts them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

from fanfold.aws.stack import Stack

T = TypeVar("T")

KEPT = 2048
"""Values that are remembered at most."""

READERS = 16
"""Threads that read anew what has aged."""

FOREVER = float("inf")

logger = logging.getLogger("fanfold.console")

# Refill rate a second and bucket of about half of AWS's quotas, which the runs themselves and other people share:
# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html#service-limits-api-action-throttling-general
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
PACES = {
    "DescribeExecution": (8.0, 100),
    "DescribeMapRun": (0.5, 5),
    "DescribeStateMachine": (5.0, 50),
    "DescribeStateMachineForExecution": (0.5, 50),
    "FilterLogEvents": (2.5, 10),
    "GetExecutionHistory": (8.0, 100),
    "ListExecutions": (3.0, 50),
    "ListMapRuns": (0.5, 50),
}


@dataclass(slots=True)
class Pace:
    """A token bucket; `take` waits for a token."""

    per_s: float
    bucket: float
    _tokens: float = 0
    _at: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._tokens = self.bucket

    @property
    def spare(self) -> bool:
        """Whether the bucket is more than half full: what is only nice to know may take from it."""
        return min(self.bucket, self._tokens + (time.monotonic() - self._at) * self.per_s) > self.bucket / 2

    def take(self) -> None:
        """Take a token; wait until there is one."""
        with self._lock:
            now = time.monotonic()
            self._tokens = min(self.bucket, self._tokens + (now - self._at) * self.per_s) - 1
            self._at = now
            wait = -self._tokens / self.per_s
        if wait > 0:
            time.sleep(wait)


@dataclass(slots=True)
class Paced:
    """Counts the calls of a stack's clients, and holds back those that would come too soon."""

    paces: dict[str, Pace] = field(default_factory=lambda: {name: Pace(*pace) for name, pace in PACES.items()})
    calls: Counter[str] = field(default_factory=Counter)

    def watch(self, client: Any) -> None:
        client.meta.events.register("before-call", self._before)

    def _before(self, model: Any, **_: Any) -> None:
        self.calls[model.name] += 1
        if pace := self.paces.get(model.name):
            pace.take()


class Remembered:
    """Values by key, each read by one thread at a time and answered at once however old it is."""

    def __init__(self) -> None:
        self._entries: OrderedDict[Hashable, _Entry[Any]] = OrderedDict()
        self._lock = threading.Lock()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="fanfold-console-read")

    def get(self, key: Hashable, fresh_s: float, read: Callable[[], T]) -> T:
        """Return the value of a key; wait for it only where none is known. What `read` raises then is raised."""
        entry = self._entry(key)
        with entry.lock:
            if not entry.known:
                entry.take(read())
                return cast(T, entry.value)
        self._renew(entry, fresh_s, read)
        return cast(T, entry.value)

    def peek(self, key: Hashable, fresh_s: float, read: Callable[[], T]) -> T | None:
        """Return the value of a key, None while it is being read for the first time; never wait."""
        entry = self._entry(key)
        self._renew(entry, fresh_s, read)
        return cast(T | None, entry.value)

    def close(self) -> None:
        """Read nothing any more."""
        self._readers.shutdown(cancel_futures=True)

    def forget(self, word: str) -> None:
        """Forget all values whose keys hold a word: something has just been changed, and who did it wants to see it."""
        with self._lock:
            for key in [key for key in self._entries if isinstance(key, tuple) and word in key]:
                del self._entries[key]

    def _entry(self, key: Hashable) -> _Entry[Any]:
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                entry = self._entries[key] = _Entry()
            self._entries.move_to_end(key)
            while len(self._entries) > KEPT:
                self._entries.popitem(last=False)
            return entry

    def _renew(self, entry: _Entry[T], fresh_s: float, read: Callable[[], T]) -> None:
        with self._lock:
            if entry.reading or (entry.known and time.monotonic() - entry.at < fresh_s):
                return
            entry.reading = True
        self._readers.submit(self._read, entry, read).add_done_callback(_tell)

    def _read(self, entry: _Entry[T], read: Callable[[], T]) -> None:
        """Read a value anew; where that fails the old one stays, and the next to ask has it tried again."""
        try:
            entry.take(read())
        finally:
            entry.reading = False


def _tell(reading: Future[None]) -> None:
    if reading.cancelled():
        return
    if error := reading.exception():
        logger.warning("could not read anew: %s: %s", type(error).__name__, error)


class _Entry(Generic[T]):
    __slots__ = ("at", "known", "lock", "reading", "value")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.value: T | None = None
        self.known = False
        self.reading = False
        self.at = 0.0

    def take(self, value: T) -> None:
        self.value, self.at, self.known = value, time.monotonic(), True


@dataclass(frozen=True)
class WatchedStack(Stack):
    """A stack whose clients are counted and paced."""

    paced: Paced = field(default_factory=Paced)
    remembered: Remembered = field(default_factory=Remembered)

    @classmethod
    def of(cls, stack: Stack) -> WatchedStack:
        watched = cls(stack.account, stack.name, stack.outputs)
        for service in ("dynamodb", "logs", "s3", "sqs", "stepfunctions"):
            watched.paced.watch(stack.account.client(service))
        return watched
