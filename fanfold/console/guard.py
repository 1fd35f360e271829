"""Who may see the console: whoever started it, in a browser that they opened with a link that works once.

It listens on 127.0.0.1, which keeps other machines away and not other web pages: those can send requests here, and by
rebinding a name of theirs even read answers. So a request must name this very host, must come from our own pages where
it changes something, and must carry the cookie that the link was exchanged for.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LINKS_MAX = SESSIONS_MAX = 100
"""How many unused links and how many browsers are known at a time; of more the oldest is forgotten."""

ZOOM_RULE = "'sha256-9xTiqzfwFaL2SGb1rmr8gysEwVVjIvqWAgmZgqFqpEE='"
"""The one inline style: a rule about the focus of its canvas that OpenSeadragon adds, by the hash of its text."""

POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        f"style-src 'self' {ZOOM_RULE}",
        "img-src 'self' data:",
        "media-src 'self' blob: data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)
"""The pages' Content-Security-Policy: nothing from elsewhere, nothing inline. A track of hls.js begins as `data:`."""

HEADERS = {
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}

SAFE_METHODS = ("GET", "HEAD")

REFUSED = (
    "This console is closed to this browser.\n\n"
    "Open the link that `fanfold up` or `fanfold console` prints. Each link works once; run the command again for a "
    "new one.\n"
)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


@dataclass(slots=True)
class Secrets:
    """The links that were not used yet and the browsers that used one, kept as digests alone."""

    _links: list[bytes] = field(default_factory=list)
    _sessions: list[bytes] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def link(self) -> str:
        """Return a new token for a link."""
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._links = [*self._links[-LINKS_MAX + 1 :], _digest(token)]
        return token

    def exchange(self, token: str) -> str | None:
        """Return a new session for the token of a link, which works no more; None for a token that does not."""
        with self._lock:
            known = _find(token, self._links)
            if known is None:
                return None
            self._links.remove(known)
            session = secrets.token_urlsafe(32)
            self._sessions = [*self._sessions[-SESSIONS_MAX + 1 :], _digest(session)]
            return session

    def admits(self, session: str) -> bool:
        with self._lock:
            return _find(session, self._sessions) is not None


def _find(secret: str, digests: list[bytes]) -> bytes | None:
    """Return the digest of a secret if it is among these, in a time that does not depend on which it is."""
    wanted, found = _digest(secret), None
    for digest in digests:
        if hmac.compare_digest(wanted, digest):
            found = digest
    return found


@dataclass(slots=True)
class Guard:
    """The ASGI application around all others."""

    app: ASGIApp
    secrets: Secrets
    port: int

    @property
    def hosts(self) -> set[str]:
        return {f"{name}:{self.port}" for name in ("127.0.0.1", "localhost")}

    @property
    def cookie(self) -> str:
        # Cookies do not know ports: two consoles on one machine each have their own.
        return f"fanfold-{self.port}"

    def url(self) -> str:
        """Return a link that admits one browser."""
        return f"http://127.0.0.1:{self.port}/?token={self.secrets.link()}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = self._answer(scope, Headers(scope=scope))
        await (answer or self.app)(scope, receive, _with_headers(send))

    def _answer(self, scope: Scope, headers: Headers) -> Response | None:
        """Return what a request gets instead of a page; None where it may have one."""
        host = headers.get("host", "")
        if host not in self.hosts:
            return PlainTextResponse(f"The console is at http://127.0.0.1:{self.port}, under no other name.\n", 421)
        if scope["method"] not in SAFE_METHODS and headers.get("origin") != f"http://{host}":
            return PlainTextResponse("Only the console's own pages may change something.\n", 403)
        if headers.get("sec-fetch-site", "none") == "same-site":
            # Another port of this machine counts as the same site, and would be sent our cookie.
            return PlainTextResponse("Only the console's own pages may read it.\n", 403)
        if self.secrets.admits(cookie_parser(headers.get("cookie", "")).get(self.cookie, "")):
            return RedirectResponse("/", 303) if _token(scope) else None
        session = self.secrets.exchange(_token(scope)) if scope["method"] == "GET" else None
        if session is None:
            return PlainTextResponse(REFUSED, 403)
        admitted = RedirectResponse("/", 303)
        # Lax and not strict: a link that is opened from another page would else seem not to work.
        admitted.set_cookie(self.cookie, session, httponly=True, samesite="lax", path="/")
        return admitted


def _token(scope: Scope) -> str:
    query: dict[str, Any] = parse_qs(scope["query_string"].decode("latin-1"))
    return str(query.get("token", [""])[0]) if scope["path"] == "/" else ""


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sent
