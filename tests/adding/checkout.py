"""A checkout of the project to which a kind was added, as docs/adding-a-kind.md says."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
ADDED = Path(__file__).with_name("words")


def made(folder: Path) -> Path:
    """Return a folder with the library, its stack, and the kind `words` besides those that there are."""
    for name in ("fanfold", "handlers", "statemachines"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ADDED, folder / "fanfold/kinds/words", ignore=shutil.ignore_patterns("__pycache__"))
    text = (ROOT / "template.yaml").read_text()
    (folder / "template.yaml").write_text(with_kind(text, "words", "count"))
    return folder


def with_kind(template: str, name: str, role: str) -> str:
    """Return a template with a kind that has one worker: what is there for images, once more under other names."""

    def renamed(text: str) -> str:
        for old, new in (("Pixels", role.capitalize()), ("pixels", role), ("Image", name.capitalize())):
            text = text.replace(old, new)
        return text.replace("-image", f"-{name}")

    template = re.sub(
        r"^  Image\w+:\n(?:    .*\n|\n(?=    ))+",
        lambda block: f"{block[0]}\n{renamed(block[0])}",
        template,
        flags=re.MULTILINE,
    )
    machine = f"{name.capitalize()}Machine"
    template = template.replace('{"image": ', f'{{"{name}": "${{{machine}}}", "image": ')
    template = template.replace("[!Ref ImageMachine, ", f"[!Ref {machine}, !Ref ImageMachine, ")
    return re.sub(
        r"^ +- !Sub .*\$\{ImageMachine\.Name\}.*\n",
        lambda line: line[0] + renamed(line[0]),
        template,
        flags=re.MULTILINE,
    )
