"""Server-sent events: parts of a page, sent again when they have changed.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping

from botocore.exceptions import BotoCoreError, ClientError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import StreamingResponse

from fanfold.errors import FanfoldError

EVERY_S = 0.8
SIGN_OF_LIFE_S = 15.0

logger = logging.getLogger("fanfold.console")

Parts = Mapping[str, str]
"""HTML, or JSON for what draws itself, by the name that the page has for it."""


def stream(request: Request, render: Callable[[], Parts]) -> StreamingResponse:
    """Return a response that goes on sending those parts that have changed, until its reader leaves."""
    return StreamingResponse(_events(request, render), media_type="text/event-stream")


async def _events(request: Request, render: Callable[[], Parts]) -> AsyncIterator[str]:
    sent: dict[str, str] = {}
    spoke = time.monotonic()
    yield "retry: 2000\n\n"
    server = request.app.state.server
    while not server.should_exit and not await request.is_disconnected():
        try:
            parts = await run_in_threadpool(render)
        except (FanfoldError, BotoCoreError, ClientError) as error:
            # The page stays as it was, and says so; the next round may do better.
            logger.warning("a page is not live: %s", error)
            parts = {"trouble": f"{type(error).__name__}: {error}"}
        else:
            parts = {"trouble": "", **parts}
        changed = {name: text for name, text in parts.items() if sent.get(name) != text}
        if changed:
            sent |= changed
            yield f"data: {json.dumps(changed)}\n\n"
            spoke = time.monotonic()
        elif time.monotonic() - spoke > SIGN_OF_LIFE_S:
            yield ": still here\n\n"
            spoke = time.monotonic()
        await asyncio.sleep(EVERY_S)
