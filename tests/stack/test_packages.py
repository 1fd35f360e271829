"""The Lambda packages: what a list may name, what pruning takes away, and what a package is refused for."""

from __future__ import annotations

import importlib.util
import re
import struct
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from tests.stack.template import ROOT

LISTS = {path.stem: path.read_text() for path in sorted((ROOT / "packaging").glob("*.txt"))}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def script(name: str) -> ModuleType:
    """Return a script of packaging/ as a module; the folder shares its name with a package on every machine."""
    spec = importlib.util.spec_from_file_location(f"packaging_{name}", ROOT / "packaging" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


prune, check = script("prune"), script("check")


def pinned(text: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))


def wanted(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=]", requirement)[0] for requirement in requirements}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_pins_every_package_by_hash_and_names_no_address(name: str) -> None:
    text = LISTS[name]
    assert "/" not in text
    assert "#" not in text
    entries = re.split(r"\n(?=\S)", text.strip())
    assert len(entries) == len(pinned(text))
    assert all(re.fullmatch(r"[a-z0-9-]+==\S+( \\\n    --hash=sha256:[0-9a-f]{64})+", entry) for entry in entries)


def test_the_lists_hold_what_the_project_asks_for_at_the_same_versions() -> None:
    core, table = pinned(LISTS["core"]), pinned(LISTS["table"])
    assert core.items() <= table.items()
    assert wanted(PROJECT["dependencies"]) <= set(core)
    assert wanted(PROJECT["optional-dependencies"]["table"]) <= set(table) - set(core)


def laid_out(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 10)
    return root


def files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_pruning_keeps_what_handlers_load_and_drops_the_rest(tmp_path: Path) -> None:
    kept = {
        "fanfold/steps.py",
        "handlers/work.py",
        "botocore/client.py",
        "botocore/data/endpoints.json",
        "botocore/data/s3/2006-03-01/service-2.json.gz",
    }
    dropped = {
        "fanfold/cli/app.py",
        "fanfold/engine/__init__.py",
        "fanfold/__pycache__/steps.cpython-313.pyc",
        "botocore/data/ec2/2016-11-15/service-2.json.gz",
        "bin/jp.py",
        "yaml/__init__.pyi",
    }
    prune.prune(laid_out(tmp_path, *kept, *dropped))
    assert files(tmp_path) == kept


def test_of_three_names_of_a_library_the_one_that_is_linked_to_stays(tmp_path: Path) -> None:
    three = ("pyarrow/libarrow.so", "pyarrow/libarrow.so.2600", "pyarrow/libarrow.so.2600.1.0")
    prune.keep_one_name_of_each_library(laid_out(tmp_path, *three, "pyarrow/libalone.so") / "pyarrow")
    assert files(tmp_path) == {"pyarrow/libarrow.so.2600", "pyarrow/libalone.so"}


def test_a_rule_that_matches_nothing_is_an_error(tmp_path: Path) -> None:
    """A new version of a package moves its files: the rule must be mended, or the package grows unseen."""
    laid_out(tmp_path, "pyarrow/lib.so", "botocore/data/s3/2006-03-01/service-2.json.gz")
    with pytest.raises(SystemExit, match="matches nothing"):
        prune.prune(tmp_path)


def elf(machine: int) -> bytes:
    return b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack("<HH", 3, machine)


def test_a_package_over_the_limit_is_refused_by_its_bytes(tmp_path: Path) -> None:
    with (tmp_path / "lib").open("wb") as file:
        file.truncate(check.LIMIT_BYTES)
    assert check.complaints(tmp_path, "aarch64") == []
    (tmp_path / "one").write_bytes(b"x")
    (complaint,) = check.complaints(tmp_path, "aarch64")
    assert "262144001 bytes" in complaint
    assert "262144000" in complaint


def test_a_library_for_another_machine_is_refused(tmp_path: Path) -> None:
    (tmp_path / "right.so").write_bytes(elf(183))
    (tmp_path / "linked.so.26").write_bytes(elf(62))
    (complaint,) = check.complaints(tmp_path, "aarch64")
    assert "linked.so.26" in complaint
    assert "62" in complaint
