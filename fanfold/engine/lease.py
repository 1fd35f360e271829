"""Leases: an engine lives while somebody holds a connection to it, or has told it to stay.

A connection closes with its process, however the process ends: a killed command frees its engine as a clean one
does. One line of JSON each way: {"secret", "say"} is answered by what the engine knows. What can be said: `hold`
(tell me what you know), `keep` (stay when all have gone), `deployed` (with `digest`), `console` (start it, and tell
me a link to it), `bye` and `stop`.
"""

from __future__ import annotations

import hmac
import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


class Lease:
    """The client's end of a connection to an engine."""

    def __init__(self, connection: socket.socket, secret: str = "") -> None:
        self._connection = connection
        self._lines = connection.makefile("r", encoding="utf-8")
        self.secret = secret

    @classmethod
    def connect(cls, port: int, secret: str, timeout_s: float = 10) -> Lease:
        """Connect to the lease port of an engine; raise OSError when nobody answers."""
        connection = socket.create_connection(("127.0.0.1", port), timeout_s)
        return cls(connection, secret)

    def hear(self) -> dict[str, Any] | None:
        """Return the next line of the engine; None when it has gone."""
        try:
            line = self._lines.readline()
        except ConnectionError:
            return None
        return dict(json.loads(line)) if line.endswith("\n") else None

    def say(self, what: str, **more: Any) -> dict[str, Any] | None:
        """Tell the engine something, and return its answer; None when it has gone."""
        message = json.dumps({"secret": self.secret, "say": what, **more})
        try:
            self._connection.sendall(message.encode() + b"\n")
        except (BrokenPipeError, ConnectionError):
            return None
        return self.hear()

    def close(self) -> None:
        self._lines.close()
        self._connection.close()


@dataclass
class Leases:
    """The engine's side: counts who is there, and calls `on_empty` when the last one has gone."""

    secret: str
    on_empty: Callable[[], None]
    on_deployed: Callable[[], None]
    on_console: Callable[[], str | None] = lambda: None
    known: dict[str, Any] = field(default_factory=dict)
    """What every answer carries: `deployed` is the digest of the stack that is deployed."""
    kept: bool = False
    held: int = 0
    stopping: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def listen(self) -> int:
        """Accept leases on a free port of 127.0.0.1, and return the port."""
        server = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, args=(server,), name="fanfold-leases", daemon=True).start()
        return int(server.getsockname()[1])

    def adopt(self, connection: socket.socket) -> None:
        """Take the connection of the process that started this engine: it needs no secret."""
        self._serve(connection, trusted=True)

    def _accept(self, server: socket.socket) -> None:
        while True:
            connection, _ = server.accept()
            self._serve(connection, trusted=False)

    def _serve(self, connection: socket.socket, *, trusted: bool) -> None:
        if trusted:
            self.held += 1
        threading.Thread(target=self._talk, args=(connection, trusted), name="fanfold-lease", daemon=True).start()

    def _talk(self, connection: socket.socket, holds: bool) -> None:
        trusted = holds
        try:
            with connection, connection.makefile("r", encoding="utf-8") as lines:
                for line in lines:
                    message = json.loads(line)
                    if not trusted and not hmac.compare_digest(message.get("secret", ""), self.secret):
                        return
                    if not holds:
                        with self._lock:
                            if self.stopping:
                                return
                            self.held += 1
                        holds = trusted = True
                    leaves = self._obey(message)
                    told = {"console": self.on_console()} if message.get("say") == "console" else {}
                    if leaves:
                        holds = False
                    connection.sendall(json.dumps({**self.known, **told, "stopping": self.stopping}).encode() + b"\n")
                    if leaves:
                        return
        except (ConnectionError, ValueError):
            return
        finally:
            if holds:
                self._leave()
            elif self.stopping:
                self.on_empty()

    def _obey(self, message: dict[str, Any]) -> bool:
        what = message.get("say")
        if what == "keep":
            self.kept = True
        elif what == "deployed":
            self.known["deployed"] = message["digest"]
            self.on_deployed()
        elif what == "stop":
            self.stopping = True
            return True
        elif what == "bye":
            with self._lock:
                self.held -= 1
                self.stopping = self.stopping or (self.held == 0 and not self.kept)
            return True
        return False

    def _leave(self) -> None:
        with self._lock:
            self.held -= 1
            self.stopping = self.stopping or (self.held == 0 and not self.kept)
        if self.stopping:
            self.on_empty()
