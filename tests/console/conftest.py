"""A console in this process, beside the engine that all tests share or over buckets that moto plays, and a browser."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from fanfold.aws.account import Account
from fanfold.aws.stack import Stack
from fanfold.console.guard import Guard
from fanfold.console.runs import Runs
from fanfold.console.serve import serve
from fanfold.engine import Engine
from tests.console.jobs import States
from tests.fakes import made_stores

MACHINE = Path(__file__).parents[2] / "statemachines/fanout.asl.json"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)


@dataclass
class Console:
    """A console that runs, and a visitor who was let in."""

    guard: Guard
    runs: Runs
    cookie: str = ""
    contexts: list[Any] = field(default_factory=list)
    """The browsers that look at it; they leave before it ends."""

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.guard.port}"

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[HTTPResponse, bytes]:
        """Send a request as it is told, with no header of a browser's."""
        connection = HTTPConnection("127.0.0.1", self.guard.port, timeout=30)
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        read = answer.read()
        connection.close()
        return answer, read

    def get(self, path: str) -> str:
        """Return a page, as the visitor sees it."""
        answer, body = self.ask("GET", path, cookie=self.cookie)
        assert answer.status == 200, (path, answer.status, body[:500])
        return body.decode()

    def post(self, path: str, body: Any = None, **headers: str) -> tuple[HTTPResponse, bytes]:
        return self.ask("POST", path, body, cookie=self.cookie, origin=self.base, **headers)


@contextlib.contextmanager
def console_of(stack: Stack) -> Iterator[Console]:
    """Serve a stack in a thread of this process."""
    ready = threading.Event()
    told: dict[str, Any] = {}

    def listening(server: Any, guard: Any) -> None:
        told.update(server=server, guard=guard)
        ready.set()

    thread = threading.Thread(target=serve, args=(stack, 0, listening), daemon=True)
    thread.start()
    assert ready.wait(20)
    found = Console(told["guard"], told["guard"].app.state.runs)
    link = found.guard.url().removeprefix(found.base)
    answer, _ = found.ask("GET", link)
    found.cookie = answer.headers["set-cookie"].split(";")[0]
    try:
        yield found
    finally:
        while found.contexts:
            found.contexts.pop().close()
        told["server"].should_exit = True
        thread.join(20)


@pytest.fixture(scope="session")
def engine_stack(engine: Engine) -> Stack:
    return Stack.find(Account(region=engine.region, endpoint=engine.endpoint), engine.stack)


@pytest.fixture(scope="session")
def console(engine_stack: Stack) -> Iterator[Console]:
    """The console of the engine with the project's stack."""
    with console_of(engine_stack) as found:
        yield found


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """A stack whose buckets and tables moto plays in this process, with a told Step Functions."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        outputs = {"UploadsBucket": "uploads", "WorkBucket": "work", "OutputsBucket": "outputs"}
        tables = {"JobsTable": "jobs", "RecordsTable": "records", "TableMachine": "arn:machine"}
        stores = made_stores()
        stores.account._clients["stepfunctions"] = States(json.loads(MACHINE.read_text()))
        yield Stack(stores.account, "fanfold", outputs | tables)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless Chromium. In CI it must be there; elsewhere its tests are skipped without it."""
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium: .ci/run installs it (apt-get install chromium)")
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        yield made
        made.close()


@pytest.fixture
def visit(browser: Any) -> Iterator[Any]:
    """Return what opens a page of a console in a browser of its own, and holds it to what it may say and load."""
    seen = []

    def opened(console: Console, path: str = "/", **settings: Any) -> Any:
        context = browser.new_context(viewport={"width": 1280, "height": 900}, **settings)
        console.contexts.append(context)
        wrong: list[str] = []
        seen.append((console, context, wrong))
        ours = (console.base, "blob:", "data:")
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: message.type == "error" and wrong.append(message.text))
        page.on("request", lambda request: request.url.startswith(ours) or wrong.append(request.url))
        page.goto(console.guard.url())
        if path != "/":
            page.goto(console.base + path)
        return page

    yield opened
    for console, context, wrong in seen:
        if context in console.contexts:
            console.contexts.remove(context)
            context.close()
        assert wrong == []
