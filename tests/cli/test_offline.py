"""The command line where nothing runs: errors in one line, exit statuses, plans, and what it does not import."""

from __future__ import annotations

import errno
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from fanfold.cli import app as application
from fanfold.cli import doctor, given, show


def fanfold(
    *words: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from fanfold.cli import main; main()", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=env, timeout=60)


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_help_and_recipes_check_load_nothing_heavy(tmp_path: Path) -> None:
    recipes = written(tmp_path, "r.yaml", "version: 1\nrecipes: {orders: {table: {}}}\n")
    for words in (["--help"], ["recipes", "check", str(recipes)]):
        code = (
            "import sys\nfrom fanfold.cli import main\n"
            f"sys.argv = ['fanfold', *{words!r}]\n"
            "try: main()\nexcept SystemExit as end: assert not end.code\n"
            "heavy = {'boto3', 'botocore', 'pyarrow', 'ministack'} & set(sys.modules)\n"
            "assert not heavy, heavy"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run"], "Missing argument 'PATH…'. See `fanfold run --help`"),
        (["run", "good.csv", "--colour"], "No such option: --colour"),
        (["fold"], "No such command 'fold'. See `fanfold --help`"),
        (["query", "orders"], "either `--key` or `--word`"),
        (["query", "talks", "--key", "a", "--word", "b"], "either `--key` or `--word`"),
        (["query", "talks", "--word", "…"], "no letter or digit"),
        (["ls", "--limit", "0"], "Invalid value for '--limit'"),
        (["ls", "--status", "lost"], "--status is 'lost', and a job's is one of PENDING"),
        (["run", "missing.csv"], "missing.csv is not there"),
        (["run", "/dev/null"], "/dev/null is no regular file"),
        (["run", "good.csv", "folder/good.csv"], "good.csv and folder/good.csv have one name"),
        (["put", "good.csv", "good.csv"], "good.csv and good.csv have one name"),
        (["run", "good.csv", "--out", "good.yaml"], "--out is 'good.yaml', and "),
        (["run", "bad\udcff.csv"], "is not UTF-8"),
        (["run", "."], ". is a folder"),
        (["run", "good.csv", "--chunk", "big"], "--chunk is 'big'"),
        (["run", "good.csv", "--recipes", "none.yaml"], "none.yaml is not a file of recipes"),
        (["run", "good.csv", "--recipes", "bad.yaml"], "recipes.orders.table.delimeter: unknown field (given ';')"),
        (["run", "good.csv", "--recipes", "good.yaml", "--recipe", "other"], "no recipe is called 'other'"),
        (["recipes", "check", "bad.yaml"], "bad.yaml: recipes.orders.table.delimeter"),
        (["recipes", "push", "bad.yaml"], "bad.yaml: recipes.orders.table.delimeter"),
        (["plan", "missing.csv"], "missing.csv is not a file"),
        (["plan", "good.csv", "--recipe", "orders"], "--recipe needs --recipes"),
        (["plan", "good.csv", "--chunk", "x"], "a size is a whole number"),
    ],
)
def test_a_command_that_makes_no_sense_ends_with_2_and_one_line(tmp_path: Path, words: list[str], said: str) -> None:
    written(tmp_path, "good.csv", "a,b\n1,2\n")
    (tmp_path / "folder").mkdir()
    written(tmp_path / "folder", "good.csv", "a,b\n1,2\n")
    written(tmp_path, "bad\udcff.csv", "a,b\n1,2\n")
    written(tmp_path, "good.yaml", "version: 1\nrecipes: {orders: {table: {}}}\n")
    written(tmp_path, "bad.yaml", "version: 1\nrecipes: {orders: {table: {delimeter: ';'}}}\n")
    done = fanfold(*words, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("fanfold: ")
    assert done.stdout == ""
    assert not (tmp_path / ".fanfold").exists()


def test_a_file_that_no_kind_reads_cannot_be_planned(tmp_path: Path) -> None:
    path = tmp_path / "paper.csv"
    path.write_bytes(b"%PDF-1.7\n\x00\x00")
    done = fanfold("plan", path)
    assert done.returncode == 1
    assert "UnknownFormat" in done.stderr


def test_a_plan_says_how_many_chunks_and_what_was_read_for_it(tmp_path: Path) -> None:
    path = written(tmp_path, "t.csv", "a,b\n" + "1,2\n" * 50_000)
    found = json.loads(fanfold("plan", path, "--chunk", "10KiB", "--json").stdout)
    assert found["chunks"] == -(-path.stat().st_size // 10240)
    assert 0 < found["plan_read_bytes"] <= 1 << 20
    assert found["cost_usd"] > 0
    alone = json.loads(fanfold("plan", path, "--json").stdout)
    assert (alone["chunks"], alone["chunk"]) == (1, path.stat().st_size)
    assert 0 < alone["worker_seconds"] < alone["expected_seconds"]


def test_a_plan_of_a_compressed_table_tells_about_how_much_it_holds(tmp_path: Path) -> None:
    text = b"a,b\n" + b"".join(b"%d,%d\n" % (n, n * n) for n in range(20_000))
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(text))
    found = json.loads(fanfold("plan", path, "--chunk", "32KiB", "--json").stdout)
    assert found["opening"] == {"chunks": -(-path.stat().st_size // 32768), "text_bytes": len(text)}
    assert found["chunks"] == -(-len(text) // 32768)
    assert "opened first, in 1, to about" in fanfold("plan", path).stdout


def test_the_doctor_finds_a_sound_machine_sound() -> None:
    done = fanfold("doctor", "--json")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert {one["what"] for one in found} >= {"Python", "extra table", "extra local", "engine", "disk"}
    assert (done.returncode == 0) == all(one["ok"] for one in found)


@pytest.mark.parametrize("words", [[], ["recipes"]])
def test_without_a_command_the_help_is_shown(words: list[str]) -> None:
    done = fanfold(*words)
    assert (done.returncode, done.stderr) == (2, "")
    assert "Usage: fanfold" in done.stdout


NOBODY = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/nowhere", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere"}
SOMEBODY = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}


@pytest.mark.parametrize(
    ("words", "environment", "said"),
    [
        (["--profile", "nobody-has-this"], NOBODY, "nobody-has-this"),
        (["--region", "us-east-1"], NOBODY, "Unable to locate credentials"),
        (["--stack", "mine"], SOMEBODY, "You must specify a region"),
        (["--region", "us-east-1"], SOMEBODY, "Could not connect to the endpoint"),
    ],
)
def test_aws_out_of_reach_is_said_in_one_line(words: list[str], environment: dict[str, str], said: str) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = fanfold("ls", *words, env=kept | environment)
    assert done.returncode == 2
    assert done.stderr.startswith("fanfold: Unreachable: AWS cannot be asked: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_ctrl_c_says_how_to_look_on() -> None:
    code = (
        "import os, signal, sys\nfrom fanfold.cli import doctor, main\n"
        # A shell's background job inherits that the signal is ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "doctor.findings = lambda: os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.argv = ['fanfold', 'doctor']\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 130
    assert done.stderr == "fanfold: interrupted. `fanfold ls` shows how far the job came.\n"


def test_a_run_that_would_fill_the_disk_is_refused_before_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, "t.csv", "a,b\n" + "1,2\n" * 300)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(given.shutil, "disk_usage", lambda folder: SimpleNamespace(free=4096))
    monkeypatch.setattr(sys, "argv", ["fanfold", "run", str(path)])
    with pytest.raises(SystemExit) as end:
        application.run()
    said = capsys.readouterr().err
    assert end.value.code == 1
    assert said.startswith("fanfold: NoSpace: a run of 1.2 KiB needs about 5.9 KiB of disk")
    assert said.count("\n") == 1
    assert not (tmp_path / ".fanfold").exists()


def test_a_disk_that_fills_up_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(**options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "out/rows.jsonl")

    monkeypatch.setattr(application, "app", full)
    with pytest.raises(SystemExit):
        application.run()
    assert "no space left on the disk of out/rows.jsonl" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["ls"], ["up"], ["down"]])
def test_a_home_that_cannot_be_one_is_said_in_one_line(tmp_path: Path, command: list[str]) -> None:
    home = written(tmp_path, "home", "a file")
    done = fanfold(*command, env=os.environ | {"FANFOLD_HOME": str(home)})
    assert done.returncode in (1, 2)
    assert str(home) in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_doctor_names_an_engine_that_is_not_the_pinned_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from fanfold.engine import mend

    monkeypatch.setattr(mend, "digest", lambda text: "another")
    [engine] = [one for one in doctor.findings() if one.what == "engine"]
    assert not engine.ok
    assert "has hash another" in engine.found
    assert engine.remedy == f"pip install 'ministack[full]=={mend.PINNED}'"


def test_no_text_of_a_key_commands_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    key = "a\x1b[31m\n\x9b2J\u202e[bold]\udcff.csv"
    show.table(["object"], [[key]])
    show.say(f"{key}\n\tand more")
    show.wrong("NotATable", key, "Mend it.")
    said = capsys.readouterr()
    for text in (said.out, said.err):
        assert not {"\x1b", "\x9b", "\u202e"} & set(text)
        assert "a\\x1b[31m" in text
        assert "\\x9b2J\\u202e[bold]\\udcff.csv" in text
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 << 30, "5.0 GiB"), (1 << 50, "1024.0 TiB")]
)
def test_sizes_are_read_easily(count: int, text: str) -> None:
    assert show.size(count) == text


@pytest.mark.parametrize(("seconds", "text"), [(None, "–"), (0.04, "0.0 s"), (75, "1 min 15 s"), (7260, "2 h 1 min")])
def test_durations_are_read_easily(seconds: float | None, text: str) -> None:
    assert show.duration(seconds) == text
