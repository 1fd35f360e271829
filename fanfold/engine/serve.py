"""The engine's process: MiniStack, mended, behind a lease port. `python -m fanfold.engine.serve HOME LEASE_FD`."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import secrets
import signal
import socket
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fanfold.engine import STACK
from fanfold.engine.bodies import Store
from fanfold.engine.companion import Companion
from fanfold.engine.home import Home
from fanfold.engine.lease import Leases
from fanfold.engine.snapshot import Keeper, Snapshots
from fanfold.errors import EngineError

REGION = "us-east-1"
ADMINISTRATOR = "test"
"""The access key, and the secret, of the caller who may do everything."""

SERVICES = {
    *("cloudformation", "cloudwatch", "cloudwatch_logs", "dynamodb", "eventbridge", "iam", "kms", "lambda", "s3"),
    *("scheduler", "secretsmanager", "sns", "sqs", "ssm", "stepfunctions", "sts"),
}
"""The services whose state is kept. Loading one more costs each start its import."""

STATE_FORMAT = "1"
"""Changes with what the patches put into a state: another one is refused, not misread."""

logger = logging.getLogger("fanfold.engine")


def main() -> None:
    """Run an engine until nobody holds a lease on it; say how it went on the connection given by its number."""
    parser = argparse.ArgumentParser()
    parser.add_argument("home", type=Path)
    parser.add_argument("lease", type=int)
    parser.add_argument("--without", action="append", default=[], help="a patch to leave out: for the patches' tests")
    arguments = parser.parse_args()
    home = Home(arguments.home)
    connection = socket.socket(fileno=arguments.lease)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    claim = home.claim()
    if claim is None:
        _tell(connection, {"error": f"another engine lives in {home.path}"})
        sys.exit(1)
    try:
        asyncio.run(_serve(home, claim, connection, frozenset(arguments.without)))
    except EngineError as error:
        _tell(connection, {"error": str(error)})
        home.wipe()
        os._exit(1)
    if home.owns(claim):
        home.wipe()
    logging.shutdown()
    # Threads of MiniStack's that wait for something are not waited for: the state is saved, the workers are gone.
    os._exit(0)


async def _serve(home: Home, claim: int, connection: socket.socket, without: frozenset[str]) -> None:
    listener = _listener(home)
    port = listener.getsockname()[1]
    _settle(home, port)

    # MiniStack reads its environment when it is imported.
    import hypercorn.config
    from hypercorn.asyncio import serve
    from ministack import app
    from ministack.core import iam_actions

    from fanfold.engine import mend, patches, workers

    # MiniStack's Transcribe hears nothing, and makes its words up. Without a namespace its calls need no right, and so
    # it is not a role that seems to lack one.
    del app.SERVICE_HANDLERS["transcribe"], iam_actions.SERVICE_TO_IAM_NAMESPACE["transcribe"]
    # Was for MiniStack. The functions inherit the environment, and Powertools would take it as theirs.
    del os.environ["LOG_LEVEL"]
    loop = asyncio.get_running_loop()
    over = asyncio.Event()

    def stop() -> None:
        loop.call_soon_threadsafe(over.set)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)

    store = Store(home.bodies)
    chosen = [patch for patch in patches.every(store) if patch.name not in without]
    release = version("ministack")
    mend.mend(chosen, release)

    def deployed() -> None:
        workers.renew()
        keeper.remember()

    endpoint = f"http://127.0.0.1:{port}"
    console = Companion(endpoint, REGION, STACK)
    leases = Leases(secrets.token_hex(16), on_empty=stop, on_deployed=deployed, on_console=console.link)
    identity = {"ministack": release, "state format": STATE_FORMAT}
    snapshots = Snapshots(home.state, store, identity, endpoint, leases.known)
    states = snapshots.load()

    def save() -> None:
        states = app._build_persistence_save_dict()
        snapshots.save({name: state for name, state in states.items() if name in SERVICES})

    keeper = Keeper(save)
    patches.on_change = keeper.remember
    app._load_persisted_state = lambda: _restore(app, states, store)
    app.save_all = lambda services: None

    config = hypercorn.config.Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 0.2
    config.backlog = 1024
    config.loglevel = "WARNING"
    ready = asyncio.Event()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        async def told(message: Any) -> None:
            if message["type"] == "lifespan.startup.complete":
                ready.set()
            await send(message)

        await app.app(scope, receive, told if scope["type"] == "lifespan" else send)

    server = asyncio.create_task(serve(application, config, shutdown_trigger=over.wait))
    await asyncio.wait({server, asyncio.create_task(ready.wait())}, return_when=asyncio.FIRST_COMPLETED)
    if server.done():
        server.result()
        raise EngineError("MiniStack ended as it started")
    record = {
        "endpoint": endpoint,
        "region": REGION,
        "pid": os.getpid(),
        "port": port,
        "lease_port": leases.listen(),
        "secret": leases.secret,
        "keys": [ADMINISTRATOR, ADMINISTRATOR],
    }
    home.write(record)
    (home.path / "port").write_text(str(port))
    _tell(connection, {"record": record, **leases.known, "stopping": False})
    leases.adopt(connection)
    # Not before: its imports would take the time that somebody waits for the engine.
    workers.begin()
    keeper.start()
    watch = asyncio.create_task(_watch(home, claim, over))
    await server
    watch.cancel()
    leases.stopping = True
    console.end()
    workers.end()
    if home.owns(claim):
        save()


async def _watch(home: Home, claim: int, over: asyncio.Event) -> None:
    """End the engine when its home is removed: nobody could find it any more."""
    while home.owns(claim):
        await asyncio.sleep(1)
    over.set()


def _restore(app: Any, states: dict[str, Any], store: Store) -> None:
    for name, module in app._state_map.items():
        if name in states:
            app._get_module(module).load_persisted_state(states.pop(name))
    store.sweep()


def _listener(home: Home) -> socket.socket:
    """Return a socket on the port of last time, which clients may have noted, or on a free one."""
    try:
        last = int((home.path / "port").read_text())
    except (FileNotFoundError, ValueError):
        last = 0
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind(("127.0.0.1", last))
    except OSError:
        made.bind(("127.0.0.1", 0))
    return made


def _settle(home: Home, port: int) -> None:
    """Set the environment that MiniStack and the workers start from."""
    home.temporary.mkdir(mode=0o700, exist_ok=True)
    os.environ.update(
        TMPDIR=str(home.temporary),
        STATE_DIR=str(home.path / "code"),
        GATEWAY_PORT=str(port),
        BIND_HOST="127.0.0.1",
        MINISTACK_HOST="127.0.0.1",
        MINISTACK_REGION=REGION,
        NO_PROXY="127.0.0.1,localhost",
        IOT_MTLS_ENABLED="0",
        SFTP_ENABLED="0",
        PERSIST_STATE="1",
        S3_PERSIST="0",
        DOCKER_HOST=f"unix://{home.temporary}/no-docker",
        LOG_LEVEL=os.environ.get("FANFOLD_ENGINE_LOG", "WARNING"),
        AUTH="false" if os.environ.get("FANFOLD_ENGINE_IAM") == "0" else "true",
        LAMBDA_ACCOUNT_CONCURRENCY="0",
        LAMBDA_WARM_TTL_SECONDS="20",
        AWS_ACCESS_KEY_ID=ADMINISTRATOR,
        AWS_SECRET_ACCESS_KEY=ADMINISTRATOR,
        AWS_DEFAULT_REGION=REGION,
        AWS_REGION=REGION,
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true",
    )


def _tell(connection: socket.socket, answer: dict[str, Any]) -> None:
    try:
        connection.sendall(json.dumps(answer).encode() + b"\n")
    except (BrokenPipeError, ConnectionError):
        logger.warning("whoever started this engine has gone")


if __name__ == "__main__":
    main()
