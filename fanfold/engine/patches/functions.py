"""Lambda: what a function's failure is called, what an invocation costs, and how many run at a time."""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from typing import Any

from fanfold.engine import workers
from fanfold.engine.mend import Original, Patch

RUNTIME = "ministack.core.lambda_runtime"
SERVICE = "ministack.services.lambda_svc"
SCRIPT = Original(RUNTIME, "_PYTHON_WORKER_SCRIPT", "368800addf4dc998")
INVOKE = Original(RUNTIME, "Worker.invoke", "96751a75471021ec")
SPAWN = Original(RUNTIME, "Worker._spawn", "c55febf956565c5e")
DRAIN = Original(RUNTIME, "Worker._drain_stderr_bounded", "3fd7cc742872e604")
WARM = Original(SERVICE, "_execute_function_warm", "62b9218bef5b948a")

END = "\0end of invocation"
"""What a worker writes to stderr after the handler's last word."""

LAST_WORDS_S = 1.0
"""How long the log of an invocation may lag behind its result."""

WORKERS = max(2, os.cpu_count() or 2)
"""How many workers one function has at most."""

logger = logging.getLogger("fanfold.engine")


class InitError(RuntimeError):
    """A worker whose module cannot be imported. `error_type` is what Lambda calls that."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__(answer.get("error"))
        self.error_type = answer.get("etype", "Runtime.Unknown")


def failure(result: dict[str, Any], error_type: str, request_id: str) -> dict[str, Any]:
    """Return the payload of a failed invocation, as the Python runtime of Lambda has it."""
    if result.get("etype"):
        return {
            "errorMessage": result["error"],
            "errorType": result["etype"],
            "requestId": request_id,
            "stackTrace": result.get("trace", "").splitlines(keepends=True),
        }
    message = str(result.get("error", ""))
    if error_type == "Sandbox.Timedout":
        return {"errorType": error_type, "errorMessage": f"RequestId: {request_id} Error: {message}"}
    if "status" in result and "exit" in result:
        return {"errorType": "Runtime.ExitError", "errorMessage": f"RequestId: {request_id} Error: {message}"}
    return {"errorType": error_type, "errorMessage": message}


def _ended(worker: Any) -> dict[str, Any]:
    """Return what is known of a worker process that ended during an invocation."""
    process = worker._proc
    try:
        code = process.wait(timeout=LAST_WORDS_S)
    except TimeoutError:
        code = None
    how = f"signal: {-code}" if code is not None and code < 0 else f"exit status {code}"
    return {"status": "error", "exit": code, "error": f"Runtime exited with error: {how}"}


def _error_names() -> None:
    SCRIPT.amend(
        (
            '"error": str(e), "trace": traceback.format_exc()',
            '"error": str(e), "etype": type(e).__name__, "trace": traceback.format_exc()',
        ),
        (
            '"status": "error", "error": str(e)}) +',
            '"status": "error", "error": str(e), "etype": "Runtime.ImportModuleError" '
            "if isinstance(e, ImportError) else type(e).__name__}) +",
        ),
    )
    INVOKE.amend(
        ('{"status": "error", "error": "Worker process died"}', "_ended(self)"),
        _ended=_ended,
    )
    SPAWN.amend(
        ("""RuntimeError(f"Worker init failed: {response.get('error')}")""", "_InitError(response)"),
        _InitError=InitError,
    )
    WARM.amend(
        (
            """                "body": {
                    "errorMessage": error_msg,
                    "errorType": error_type,
                },
""",
            """                "body": _failure(result, error_type, request_id),
""",
        ),
        ('"errorType": type(e).__name__', '"errorType": getattr(e, "error_type", type(e).__name__)'),
        _failure=failure,
    )


def _living_workers() -> None:
    # What a handler raises ends the invocation; the process lives on, as Lambda's execution environment does.
    INVOKE.amend(
        (
            'if response.get("status") == "error":',
            'if response.get("status") == "error" and "etype" not in response:',
        ),
    )


def _drain(worker: Any, first_line_wait: float = 0, idle_confirm: float = 0, hard_cap: float = 0) -> str:
    """Return what the handler logged: everything up to the mark that the worker writes after it."""
    lines: list[str] = []
    deadline = time.monotonic() + LAST_WORDS_S
    while (left := deadline - time.monotonic()) > 0:
        try:
            line = worker._stderr_queue.get(timeout=left if worker._proc is not None else min(left, 0.05))
        except queue.Empty:
            break
        if line == END:
            break
        lines.append(line)
    return "\n".join(lines)


def _log_mark() -> None:
    SCRIPT.amend(
        (
            """        try:
            result = handler_fn(event, context)
            _real_stdout.write(json.dumps({"status": "ok", "result": result}) + "\\n")
""",
            f"""        try:
            result = handler_fn(event, context)
            answer = json.dumps({{"status": "ok", "result": result}})
            print({END!r}, file=sys.__stderr__, flush=True)
            _real_stdout.write(answer + "\\n")
""",
        ),
        (
            """        except Exception as e:
            _real_stdout""",
            f"""        except Exception as e:
            print({END!r}, file=sys.__stderr__, flush=True)
            _real_stdout""",
        ),
    )
    DRAIN.replace(_drain)


class Turns:
    """Lets as many invocations of a function run as it may have workers; the others wait for their turn.

    A function that a worker calls does not wait: its caller holds a turn while it waits for the answer.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._gates: dict[str, threading.Semaphore] = {}

    def take(self, function: str, depth: int) -> threading.Semaphore:
        if depth > 1:
            return threading.Semaphore(0)
        with self._lock:
            gate = self._gates.setdefault(function, threading.Semaphore(self._limit))
        gate.acquire()
        return gate


def _worker_cap() -> None:
    turns = Turns(WORKERS)
    WARM.amend(
        (
            "    worker, reason = acquire_worker(",
            "    turn = _turns.take(func_name, _invoke_depth.get() or 0)\n    worker, reason = acquire_worker(",
        ),
        (
            "    finally:\n        release_worker(worker)",
            "    finally:\n        release_worker(worker)\n        turn.release()",
        ),
        # So that a call by a worker is told from a first one, wherever the first one came from.
        ("depth=_invoke_depth.get(),", "depth=_invoke_depth.get() or 1,"),
        _turns=turns,
    )


WATCH = """
import os as _os, threading as _threading, time as _time

def _leave_with(parent):
    while _os.getppid() == parent:
        _time.sleep(0.5)
    _os._exit(1)

_threading.Thread(target=_leave_with, args=(_os.getppid(),), daemon=True).start()
"""


def _orphans() -> None:
    imports = "import sys, json, importlib, traceback, os, time\n"
    SCRIPT.amend((imports, imports + WATCH))


def _forks() -> None:
    SPAWN.amend(("subprocess.Popen(", "_launch("), _launch=workers.launch)


PATCHES = [
    Patch(
        "forked-workers",
        "Each worker imports everything anew, which takes most of a second.",
        (SPAWN,),
        _forks,
    ),
    Patch(
        "error-names",
        "Every failure of a function is Runtime.HandlerError, so that no Retry and no Catch by name matches.",
        (SCRIPT, INVOKE, SPAWN, WARM),
        _error_names,
    ),
    Patch(
        "living-workers",
        "A handler that raises ends its worker, so that the next call is cold.",
        (INVOKE,),
        _living_workers,
    ),
    Patch(
        "log-mark",
        "Each invocation waits 50 ms for log lines that may not come.",
        (SCRIPT, DRAIN),
        _log_mark,
    ),
    Patch(
        "worker-cap",
        "Each concurrent call has a process of its own: a Map of 40 starts 40.",
        (WARM,),
        _worker_cap,
    ),
    Patch(
        "orphans",
        "A worker whose engine is killed runs on until its handler returns.",
        (SCRIPT,),
        _orphans,
    ),
]
