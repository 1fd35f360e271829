"""Only who was given a link gets in, only our own pages change something, and no file of the host is to be had."""

from __future__ import annotations

import ast
import socket
from pathlib import Path

import pytest

import fanfold.console
from fanfold.console.guard import POLICY, Secrets
from tests.console.conftest import Console

PACKAGE = Path(fanfold.console.__file__).parent


def test_without_the_cookie_there_is_nothing_to_see(console: Console) -> None:
    for path in ("/", "/static/console.css", "/live", "/runs/x", "/?token=wrong", "/?token="):
        answer, body = console.ask("GET", path)
        assert answer.status == 403, path
        assert b"fanfold up" in body
    assert console.ask("GET", "/", cookie=f"{console.guard.cookie}=wrong")[0].status == 403


def test_a_link_works_once(console: Console) -> None:
    link = console.guard.url().removeprefix(console.base)
    answer, _ = console.ask("HEAD", link)
    assert answer.status == 403, "what only looks ahead does not use it up"
    answer, _ = console.ask("GET", link)
    assert (answer.status, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "Path=/"} <= set(cookie.split("; "))
    assert "samesite=lax" in cookie.lower()
    assert console.ask("GET", "/", cookie=cookie.split(";")[0])[0].status == 200
    assert console.ask("GET", link)[0].status == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "localhost.:{port}"]
)
def test_another_name_for_this_host_is_refused(console: Console, host: str) -> None:
    """A name that was bound to 127.0.0.1 must not read anything, cookie or not."""
    answer, _ = console.ask("GET", "/", host=host.format(port=console.guard.port), cookie=console.cookie)
    assert answer.status == 421


@pytest.mark.parametrize("origin", [None, "null", "http://evil.example", "http://127.0.0.1:1", "https://{base}"])
def test_only_our_own_pages_change_something(console: Console, origin: str | None) -> None:
    headers = {} if origin is None else {"origin": origin.format(base=console.base)}
    for path in ("/uploads?name=a.csv", "/replays", "/runs/x/stop"):
        assert console.ask("POST", path, b"", cookie=console.cookie, **headers)[0].status == 403


def test_a_page_on_another_port_of_this_machine_reads_nothing(console: Console) -> None:
    answer, _ = console.ask("GET", "/", cookie=console.cookie, sec_fetch_site="same-site")
    assert answer.status == 403


def test_pages_allow_nothing_from_elsewhere_and_nothing_inline(console: Console) -> None:
    answer, body = console.ask("GET", "/", cookie=console.cookie)
    assert answer.headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert b"style=" not in body
    assert b"http://" not in body.replace(console.base.encode(), b"").replace(
        console.runs.stack.account.endpoint.encode(), b""
    )


@pytest.mark.parametrize(
    "name",
    ["../console.py", "..%2f..%2ferrors.py", "%2e%2e/guard.py", "/etc/passwd", "....//guard.py", "NOTICE.md", "x"],
)
def test_no_file_of_the_host_can_be_had(console: Console, name: str) -> None:
    answer, body = console.ask("GET", f"/static/{name}", cookie=console.cookie)
    assert answer.status in (404, 421)
    assert b"root:" not in body
    assert b"import" not in body


def test_it_listens_on_127_0_0_1_alone(console: Console) -> None:
    others = {found[4][0] for found in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} - {"127.0.0.1"}
    for address in others | {"127.0.0.2"}:
        with pytest.raises(OSError), socket.create_connection((address, console.guard.port), 1):
            pass


def test_of_many_links_and_browsers_the_latest_are_known() -> None:
    secrets = Secrets()
    first, *_, last = [secrets.link() for _ in range(101)]
    assert secrets.exchange(first) is None
    session = secrets.exchange(last)
    assert session is not None
    assert secrets.admits(session)
    assert not secrets.admits("")
    for _ in range(100):
        secrets.exchange(secrets.link())
    assert not secrets.admits(session)


def test_the_console_knows_nothing_of_the_engine() -> None:
    """What it shows of the engine it would show of AWS: it has no other way to ask."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.startswith(("fanfold.engine", "fanfold.cli", "ministack"))], path
