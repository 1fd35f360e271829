"""An engine's life: one a home, held by those who use it, gone with them, and nothing left behind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError

from fanfold import engine as engines
from fanfold.engine import mend
from fanfold.engine.home import Home
from fanfold.engine.mend import Original, Patch
from fanfold.errors import EngineError
from tests.engine.conftest import engine_without
from tests.engine.place import APP, Place, until

HOLD = """
import sys, time
from pathlib import Path
from fanfold import engine
with engine.session(Path(sys.argv[1]), folder=Path(sys.argv[2])) as running:
    print(running.pid, flush=True)
    time.sleep(60)
"""


def alive(pid: int) -> bool:
    """Tell whether a process runs: a zombie that nobody has collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def family(pid: int) -> list[int]:
    """Return the living processes of an engine's session."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.getsid(int(entry.name)) == pid and alive(int(entry.name)):
                    found.append(int(entry.name))
            except ProcessLookupError:
                continue
    return found


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A command that holds a session, and the engine's process."""
    command = [sys.executable, "-c", HOLD, str(tmp_path), str(APP)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process, int(process.stdout.readline())
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_command_takes_its_engine_with_it(
    tmp_path: Path, holder: tuple[subprocess.Popen[str], int], number: int
) -> None:
    process, pid = holder
    found = engines.find(tmp_path)
    assert found is not None
    place = Place(found)
    place.invoke(do="echo")
    place.put("kept", b"kept")
    assert len(family(pid)) > 1
    process.send_signal(number)
    process.wait()
    until(lambda: not family(pid))
    assert not (tmp_path / "tmp").exists()
    assert engines.find(tmp_path) is None
    with engines.session(tmp_path, folder=APP) as again:
        assert Place(again).get("kept") == b"kept"


def test_an_engine_outlives_the_command_that_started_it_while_another_uses_it(
    tmp_path: Path, holder: tuple[subprocess.Popen[str], int]
) -> None:
    process, pid = holder
    with engines.session(tmp_path, folder=APP) as shared:
        assert shared.pid == pid
        process.kill()
        process.wait()
        time.sleep(0.3)
        Place(shared).put("still")
    assert not family(pid)


def test_up_stays_and_down_leaves_nothing(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Temporary files in a folder that is the engine's alone: any process may write to /tmp meanwhile.
    temporary = tmp_path_factory.mktemp("temporary")
    monkeypatch.setenv("TMPDIR", str(temporary))
    assert not engines.down(tmp_path)
    engine = engines.up(tmp_path, folder=APP)
    place = Place(engine)
    place.invoke(do="echo")
    with engines.session(tmp_path, folder=APP) as same:
        assert same == engine
    assert engines.find(tmp_path) == engine
    assert engines.up(tmp_path, folder=APP) == engine
    assert engines.down(tmp_path)
    assert not family(engine.pid)
    assert engines.find(tmp_path) is None
    assert not engines.down(tmp_path)
    assert not (tmp_path / "tmp").exists()
    assert not list(temporary.iterdir())


def test_commands_that_start_at_once_share_one_engine(tmp_path: Path) -> None:
    found = []
    threads = [threading.Thread(target=lambda: found.append(engines.up(tmp_path, folder=APP).pid)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    try:
        assert len(found) == 4
        assert len(set(found)) == 1
    finally:
        engines.down(tmp_path)


def test_two_homes_do_not_meet(tmp_path: Path, place: Place) -> None:
    with engines.session(tmp_path, folder=APP) as other:
        assert other.endpoint != place.engine.endpoint
        Place(other).put("only-here")
        assert not place.keys("only-here")


def test_a_killed_engine_is_seen_to_be_dead_and_another_starts(tmp_path: Path) -> None:
    engine = engines.up(tmp_path, folder=APP)
    Place(engine).invoke(do="echo")
    os.kill(engine.pid, signal.SIGKILL)
    os.waitpid(engine.pid, 0)
    assert (tmp_path / "engine.json").exists()
    assert engines.find(tmp_path) is None
    until(lambda: not family(engine.pid))
    with engines.session(tmp_path, folder=APP) as again:
        assert again.pid != engine.pid
        assert Place(again).invoke(do="echo", value=1) == (None, 1)


def busy_worker(place: Place) -> bool:
    """Kill the engine while a worker is busy; tell whether the worker outlives it by more than a second."""
    place.invoke(do="echo")
    threading.Thread(target=lambda: _lost(place), daemon=True).start()
    time.sleep(0.3)
    members = [pid for pid in family(place.engine.pid) if pid != place.engine.pid]
    os.kill(place.engine.pid, signal.SIGKILL)
    time.sleep(1.2)
    return any(map(alive, members))


def _lost(place: Place) -> None:
    with suppress(BotoCoreError):
        place.invoke(do="sleep", seconds=2.8)


@pytest.mark.parametrize(
    ("patches", "outlives"), [([], False), (["forked-workers"], False), (["forked-workers", "orphans"], True)]
)
def test_a_busy_worker_ends_with_its_engine(tmp_path: Path, patches: list[str], outlives: bool) -> None:
    """A zygote takes its workers with it; those that start by themselves look after the engine, thanks to the patch."""
    with engine_without(tmp_path, *patches) as place:
        assert busy_worker(place) is outlives


def test_an_engine_whose_home_is_removed_ends(tmp_path: Path) -> None:
    home = tmp_path / "home"
    engine = engines.up(home, folder=APP)
    until(lambda: shutil.rmtree(home, ignore_errors=True) or not home.exists())
    until(lambda: not family(engine.pid))
    with engines.session(home, folder=APP) as again:
        assert again.pid != engine.pid


def test_it_answers_on_the_loopback_alone(place: Place) -> None:
    inodes = {
        str(entry.readlink())[8:-1]
        for entry in Path(f"/proc/{place.engine.pid}/fd").iterdir()
        if str(entry.readlink()).startswith("socket:")
    }
    listening = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[9] in inodes and fields[3] == "0A":
                listening.append(fields[1].partition(":")[0])
    assert listening
    assert set(listening) == {socket.inet_aton("127.0.0.1")[::-1].hex().upper()}


def test_a_home_is_closed_to_others(place: Place) -> None:
    assert place.engine.home.stat().st_mode & 0o077 == 0 or place.engine.home.parent.stat().st_mode & 0o077 == 0
    assert (place.engine.home / "engine.json").stat().st_mode & 0o077 == 0


def test_a_stranger_cannot_stop_an_engine(place: Place) -> None:
    record = Home.at(place.engine.home).read()
    assert record
    with socket.create_connection(("127.0.0.1", record["lease_port"])) as connection:
        connection.sendall(b'{"secret": "guess", "say": "stop"}\n')
        assert connection.recv(100) == b""
    assert alive(place.engine.pid)


def test_another_ministack_is_refused_with_what_differs_and_the_remedy() -> None:
    other = Original("ministack.services.stepfunctions", "_start_execution", "0" * 16)
    gone = Original("ministack.services.stepfunctions", "_gone", "0" * 16)
    patch = Patch("test", "Nothing.", (other, gone), lambda: pytest.fail("it was applied"))
    with pytest.raises(
        EngineError, match=r"2 differences.*_start_execution has hash .*pip install 'ministack\[full\]==1"
    ):
        mend.mend([patch], "9.9.9")


def test_a_state_of_another_version_is_refused(tmp_path: Path) -> None:
    with engines.session(tmp_path, folder=APP):
        pass
    facts = tmp_path / "state" / "current" / "snapshot.json"
    facts.write_text(facts.read_text().replace('"ministack": "', '"ministack": "0'))
    with (
        pytest.raises(EngineError, match=r"was written by ministack 0.*remove the folder to start afresh"),
        engines.session(tmp_path, folder=APP),
    ):
        pytest.fail("it started")


def test_a_template_that_is_refused_is_told_of(tmp_path: Path) -> None:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "template.yaml").write_text(
        "Transform: AWS::Serverless-2016-10-31\nGlobals: {Function: {Colour: red}}\n"
        "Resources: {Queue: {Type: AWS::SQS::Queue}}"
    )
    with (
        pytest.raises(EngineError, match=r"template.yaml was refused.*Colour"),
        engines.session(tmp_path / "home", folder=folder),
    ):
        pytest.fail("it was deployed")
    assert engines.find(tmp_path / "home") is None


def test_code_that_has_changed_is_what_runs_next(tmp_path: Path) -> None:
    folder = tmp_path / "app"
    shutil.copytree(APP, folder)
    engines.up(tmp_path / "home", folder=folder)
    try:
        with engines.session(tmp_path / "home", folder=folder) as engine:
            place = Place(engine)
            _, (before, _) = place.invoke(do="family")
            assert place.invoke(do="family")[1][0] == before
        probe = folder / "probe.py"
        probe.write_text(probe.read_text().replace('return "slept"', 'return "dreamt"'))
        with engines.session(tmp_path / "home", folder=folder):
            assert place.invoke(do="sleep", seconds=0) == (None, "dreamt")
            until(lambda: not alive(before))
    finally:
        engines.down(tmp_path / "home")


def test_workers_start_also_when_their_zygote_has_died(tmp_path: Path) -> None:
    with engines.session(tmp_path, folder=APP) as engine:
        place = Place(engine)
        _, (worker, zygote) = place.invoke(do="family")
        os.kill(zygote, signal.SIGKILL)
        until(lambda: not alive(worker))
        assert place.invoke(do="echo", value=1)[0] in (None, "Unhandled")
        assert until(lambda: place.invoke(do="echo", value=1) == (None, 1))
