"""Dead letters: listed, looked at, and sent again to who they were for."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from botocore.exceptions import BotoCoreError, ClientError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from fanfold.aws.dead_letters import HIDDEN_S, DeadLetters, Letter
from fanfold.aws.resending import Receiver, receiver
from fanfold.console.runs import Runs
from fanfold.errors import FanfoldError, UsageError, remedy_of

Show = Callable[..., Response]

LOOKED_AT = 20


@dataclass(slots=True)
class Looked:
    """A letter that somebody looks at, and why it could not be sent again where that was tried."""

    letter: Letter
    until: float
    refused: dict[str, str] | None = None


@dataclass(slots=True)
class Held:
    """The letters that somebody looks at, by their queue and id, until others see them again."""

    _looked: dict[tuple[str, str], Looked] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, queue: str, letters: list[Letter]) -> None:
        with self._lock:
            until = time.monotonic() + HIDDEN_S
            self._looked |= {(queue, letter.id): Looked(letter, until) for letter in letters}

    def of(self, queue: str) -> list[Looked]:
        with self._lock:
            now = time.monotonic()
            self._looked = {key: looked for key, looked in self._looked.items() if looked.until > now}
            return [looked for (name, _), looked in self._looked.items() if name == queue]

    def drop(self, queue: str, letter_id: str) -> None:
        with self._lock:
            self._looked.pop((queue, letter_id), None)


def about(letter: Letter) -> dict[str, Any]:
    """Return what a letter is about, in a few words, and its body as JSON: an object, an execution, some changes."""
    try:
        body = json.loads(letter.body)
    except ValueError:
        return {"what": "", "body": letter.body}
    match body.get("requestPayload", body) if isinstance(body, dict) else body:
        case {"detail": {"bucket": {"name": bucket}, "object": {"key": key}}}:
            what = f"s3://{bucket}/{key}"
        case {"detail": {"name": name, "status": status}}:
            what = f"{name} {status}"
        case {"DDBStreamBatchInfo": {"batchSize": count, "approximateArrivalOfFirstRecord": arrived}}:
            what = f"{count} changes of {arrived}"
        case _:
            what = ""
    return {"what": what, "body": body}


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
                "letters": [(looked, about(looked.letter)) for looked in held.of(name)],
                "receiver": receiver(stack, name).name,
            }
            for name in names()
        ]
        return show("letters.html", section="Dead letters", queues=queues, hidden_s=HIDDEN_S)

    def back() -> Response:
        return RedirectResponse("/dead-letters", 303)

    def look(request: Request) -> Response:
        name = request.path_params["queue"]
        queue = queue_of(name)
        known = [looked.letter for looked in held.of(name)]
        queue.show(known)
        for letter in known:
            held.drop(name, letter.id)
        held.take(name, queue.look(LOOKED_AT))
        return back()

    async def again(request: Request) -> Response:
        name = request.path_params["queue"]
        queue = queue_of(name)
        wanted = set(parse_qs((await request.body()).decode()).get("letter", []))
        chosen = [looked for looked in held.of(name) if looked.letter.id in wanted]
        if not chosen:
            raise UsageError(f"none of these letters can be sent again: look at them first, within {HIDDEN_S} s")
        await run_in_threadpool(send, name, queue, chosen, receiver(stack, name))
        return back()

    def send(name: str, queue: DeadLetters, chosen: list[Looked], to: Receiver) -> None:
        """Send letters again; what is refused stays, with the reason, and the next one is sent."""
        for looked in chosen:
            try:
                queue.send_again(looked.letter, to)
            except (FanfoldError, BotoCoreError, ClientError) as error:
                kind = type(error).__name__
                looked.refused = {"name": kind, "message": str(error), "remedy": remedy_of(kind)}
            else:
                held.drop(name, looked.letter.id)

    return [
        Route("/dead-letters", page),
        Route("/dead-letters/{queue}/look", look, methods=["POST"]),
        Route("/dead-letters/{queue}/again", again, methods=["POST"]),
    ]
