"""A process that has imported what functions import, and forks the workers: `python -m fanfold.engine.zygote FD`.

A worker that starts by itself spends most of a second on imports. It has one thread, so forking it is safe. It ends,
and its workers with it, when the engine's end of its socket closes.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import json
import os
import random
import runpy
import selectors
import signal
import socket
import sys
from typing import Any

PRELOADED = (
    "boto3",
    "botocore.handlers",
    "aws_lambda_powertools.utilities.batch",
    "aws_lambda_powertools.utilities.data_classes",
    "fanfold.intake",
    "fanfold.steps",
    "fanfold.watch",
    "fanfold.aws.stores",
    "fanfold.kinds.table",
    "pyarrow.compute",
    "pyarrow.csv",
    "pyarrow.parquet",
    "orjson",
)
"""What is not installed is left out: a function that needs it says so."""

MESSAGE_BYTES = 1 << 20


def main() -> None:
    """Serve the engine until it goes."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    for name in PRELOADED:
        if importlib.util.find_spec(name.partition(".")[0]):
            importlib.import_module(name)
    children: set[int] = set()
    reading, writing = os.pipe()
    for end in (reading, writing):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(writing)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        selector.register(reading, selectors.EVENT_READ)
        while True:
            ready = {key.fd for key, _ in selector.select()}
            if reading in ready:
                os.read(reading, 4096)
                _collect(children, connection)
            if connection.fileno() in ready:
                message, files, _, _ = socket.recv_fds(connection, MESSAGE_BYTES, 3)
                if not message:
                    break
                child = _fork(json.loads(message), files, (connection.fileno(), reading, writing))
                children.add(child)
                for file in files:
                    os.close(file)
                _say(connection, {"started": child})
    for child in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def _collect(children: set[int], connection: socket.socket) -> None:
    """Tell the engine of the workers that have ended."""
    while children:
        child, status = os.waitpid(-1, os.WNOHANG)
        if not child:
            return
        children.discard(child)
        _say(connection, {"ended": child, "status": os.waitstatus_to_exitcode(status)})


def _say(connection: socket.socket, message: dict[str, Any]) -> None:
    # When the engine has gone, the next look at the socket tells.
    with contextlib.suppress(BrokenPipeError, ConnectionError):
        connection.send(json.dumps(message).encode())


def _fork(order: dict[str, Any], files: list[int], own: tuple[int, ...]) -> int:
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for place, file in enumerate(files):
            os.dup2(file, place)
        for file in {*files, *own} - {0, 1, 2}:
            os.close(file)
        _become(order)
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        raise
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(status)


def _become(order: dict[str, Any]) -> None:
    """Be a process that runs a script, with nothing left of this one but what it imported."""
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(io.FileIO(0, closefd=False), encoding="utf-8")  # type: ignore[misc]
    for name, file in (("stdout", 1), ("stderr", 2)):
        stream = io.TextIOWrapper(
            io.BufferedWriter(io.FileIO(file, "w", closefd=False)),
            encoding="utf-8",
            errors="backslashreplace",
            line_buffering=True,
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["folder"])
    random.seed()
    script = order["script"]
    sys.argv = [script]
    sys.path.insert(0, os.path.dirname(script))  # noqa: PTH120 - as Python does for a script
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main()
