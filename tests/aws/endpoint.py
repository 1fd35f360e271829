"""An endpoint that answers as it is told to, over real connections on 127.0.0.1."""

from __future__ import annotations

import json
import select
import socket
import ssl
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Answer:
    """What the endpoint says once."""

    body: Any = field(default_factory=dict)
    status: int = 200
    checksum: int | None = None
    """A wrong one, where it is not that of the body."""
    hangs_up: bool = False
    gate: threading.Barrier | None = None
    """Where it waits for others before it is given."""


@dataclass
class Endpoint:
    """A server, what it was asked, and what it will answer; `{}` once that is used up."""

    url: str
    asked: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)


@contextmanager
def tunnelling() -> Iterator[tuple[str, list[str]]]:
    """Serve as a proxy that joins connections; yield its URL and what it was asked to join."""
    joined: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            joined.append(self.path)
            host, _, port = self.path.rpartition(":")
            with socket.create_connection((host, int(port))) as there:
                self.send_response(200)
                self.end_headers()
                sides = {self.connection: there, there: self.connection}
                while True:
                    for ready in select.select(list(sides), [], [])[0]:
                        if not (data := ready.recv(1 << 16)):
                            self.close_connection = True
                            return
                        sides[ready].sendall(data)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with _running(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        yield f"http://127.0.0.1:{port}", joined


@contextmanager
def _running(server: ThreadingHTTPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def serving(*answers: Answer, tls: ssl.SSLContext | None = None) -> Iterator[Endpoint]:
    """Serve until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            endpoint.asked.append(({name.lower(): value for name, value in self.headers.items()}, body))
            answer = endpoint.answers.pop(0) if endpoint.answers else Answer()
            if answer.gate:
                answer.gate.wait()
            if answer.hangs_up:
                self.close_connection = True
                return
            data = json.dumps(answer.body).encode()
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(data)))
            checksum = zlib.crc32(data) if answer.checksum is None else answer.checksum
            self.send_header("x-amz-crc32", str(checksum))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    scheme = "https" if tls else "http"
    endpoint = Endpoint(f"{scheme}://127.0.0.1:{server.server_address[1]}", answers=list(answers))
    with _running(server):
        yield endpoint
