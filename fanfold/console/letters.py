"""Dead letters: listed, looked at, and sent again to the queues that they came from."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from fanfold.aws.dead_letters import HIDDEN_S, DeadLetters, Letter
from fanfold.console.runs import Runs
from fanfold.errors import UsageError

Show = Callable[..., Response]

LOOKED_AT = 20

SOURCES = {"IntakeDeadLetters": "IntakeQueue"}
"""Where the letters of a queue are sent again. Others hold what AWS delivers by itself, to no queue of ours."""


@dataclass(slots=True)
class Held:
    """The letters that somebody looks at, by their queue and id, until others see them again."""

    _letters: dict[tuple[str, str], tuple[float, Letter]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, queue: str, letters: list[Letter]) -> None:
        with self._lock:
            until = time.monotonic() + HIDDEN_S
            self._letters |= {(queue, letter.id): (until, letter) for letter in letters}

    def of(self, queue: str) -> list[Letter]:
        with self._lock:
            now = time.monotonic()
            self._letters = {key: held for key, held in self._letters.items() if held[0] > now}
            return [letter for (name, _), (_, letter) in self._letters.items() if name == queue]

    def drop(self, queue: str, letter_id: str) -> None:
        with self._lock:
            self._letters.pop((queue, letter_id), None)


def about(letter: Letter) -> dict[str, Any]:
    """Return what a letter is about, the object of an upload or the name of an execution, and its body as JSON."""
    try:
        body = json.loads(letter.body)
    except ValueError:
        return {"object": "", "body": letter.body}
    detail = body.get("detail", {}) if isinstance(body, dict) else {}
    detail = detail if isinstance(detail, dict) else {}
    bucket, made = detail.get("bucket"), detail.get("object")
    if isinstance(bucket, dict) and isinstance(made, dict):
        return {"object": f"s3://{bucket.get('name')}/{made.get('key')}", "body": body}
    return {"object": str(detail.get("name", "")), "body": body}


def routes(runs: Runs, show: Show) -> list[BaseRoute]:
    """Return the addresses of dead letters."""
    stack = runs.stack
    held = Held()

    def queue_of(name: str) -> DeadLetters:
        url = stack.queues.get(name, "") if name.endswith("DeadLetters") else ""
        if not url:
            raise UsageError(f"the stack has no dead letters called {name!r}")
        return DeadLetters(stack.account.client("sqs"), url)

    def names() -> list[str]:
        return sorted(name for name in stack.queues if name.endswith("DeadLetters"))

    def page(request: Request) -> Response:
        queues = [
            {
                "name": name,
                "count": queue_of(name).count(),
                "letters": [(letter, about(letter)) for letter in held.of(name)],
                "again": SOURCES.get(name) if SOURCES.get(name) in stack.queues else None,
            }
            for name in names()
        ]
        return show("letters.html", section="Dead letters", queues=queues, hidden_s=HIDDEN_S)

    def back() -> Response:
        return RedirectResponse("/dead-letters", 303)

    def look(request: Request) -> Response:
        name = request.path_params["queue"]
        queue = queue_of(name)
        queue.show(held.of(name))
        for letter in held.of(name):
            held.drop(name, letter.id)
        held.take(name, queue.look(LOOKED_AT))
        return back()

    async def again(request: Request) -> Response:
        name = request.path_params["queue"]
        queue, source = queue_of(name), stack.queues.get(SOURCES.get(name, ""))
        wanted = set(parse_qs((await request.body()).decode()).get("letter", []))
        letters = [letter for letter in held.of(name) if letter.id in wanted]
        if source is None or not letters:
            raise UsageError(f"none of these letters can be sent again: look at them first, within {HIDDEN_S} s")
        for letter in letters:
            await run_in_threadpool(queue.send_again, letter, source)
            held.drop(name, letter.id)
        return back()

    return [
        Route("/dead-letters", page),
        Route("/dead-letters/{queue}/look", look, methods=["POST"]),
        Route("/dead-letters/{queue}/again", again, methods=["POST"]),
    ]
