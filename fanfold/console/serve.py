"""The console's server: on 127.0.0.1, for as long as somebody wants it."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Callable

import uvicorn

from fanfold.aws.stack import Stack
from fanfold.console.app import application
from fanfold.console.guard import Guard, Secrets

LAST_WORDS_S = 2
"""How long open streams may go on once the console ends."""


def serve(stack: Stack, port: int, ready: Callable[[uvicorn.Server, Guard], None]) -> None:
    """Serve a stack's console until it is told to end; `ready` is called once it listens.

    port: 0 takes a free one. Raises OSError where the port is taken.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    app = application(stack)
    guard = Guard(app, Secrets(), listener.getsockname()[1])
    config = uvicorn.Config(
        guard,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=LAST_WORDS_S,
    )
    server = uvicorn.Server(config)
    app.state.server = server
    ready(server, guard)
    server.run(sockets=[listener])
    app.state.runs.stack.remembered.close()


def attend(server: uvicorn.Server, guard: Guard) -> None:
    """Answer every line of standard input with a new link; end with it, however its writer ended."""

    def listen() -> None:
        for _ in sys.stdin:
            sys.stdout.write(json.dumps({"console": guard.url()}) + "\n")
            sys.stdout.flush()
        server.should_exit = True

    threading.Thread(target=listen, name="fanfold-console-links", daemon=True).start()
