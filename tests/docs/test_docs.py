"""The docs tell the truth: every recipe field, command and file that they name is there, and the reverse."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
import yaml
from pydantic import BaseModel
from typer.main import get_command

from fanfold import errors, kinds, recipes
from fanfold.cli.app import app
from fanfold.engine import patches
from fanfold.engine.bodies import Store
from fanfold.kinds.image import recipe as image_recipe
from fanfold.kinds.table import recipe
from fanfold.kinds.video import recipe as video_recipe
from tests.docs import cli_reference

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("samples/*.md")])
COMMANDS = get_command(app)


def blocks(page: Path, language: str) -> list[str]:
    """Return the fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def rows(page: str) -> dict[str, list[str]]:
    """Return the table rows of a page whose first cell is code, by that code."""
    return _rows((ROOT / page).read_text())


def _rows(text: str) -> dict[str, list[str]]:
    found = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
        if len(cells) > 1 and (name := re.match(r"`([^`]+)`", cells[0])):
            found[name[1]] = cells[1:]
    return found


def recipe_rows(kind: str) -> dict[str, list[str]]:
    """Return the table rows of docs/recipes.md that are about a kind, or about every kind."""
    text = (ROOT / "docs/recipes.md").read_text()
    others = [f"`{name}`" for name in kinds.NAMES if name != kind]
    sections = re.split(r"^## ", text, flags=re.MULTILINE)
    return _rows("\n".join(section for section in sections if section.split("\n")[0] not in others))


def fields(model: type[BaseModel]) -> set[str]:
    return set(model.model_fields)


def test_every_field_of_a_recipe_is_documented_and_no_other() -> None:
    documented = recipe_rows("table")
    table = fields(recipe.TableRecipe) | fields(recipe.Clean)
    nested = {f"index.{name}" for name in fields(recipe.Index)} | {f"totals[].{name}" for name in fields(recipe.Total)}
    assert set(documented) == table | nested


IMAGE_PARTS = {
    "": image_recipe.ImageRecipe,
    "renditions[].": image_recipe.Rendition,
    "tiles.": image_recipe.Tiles,
    "convert.": image_recipe.Convert,
    "recognise.": image_recipe.Recognise,
}


def test_every_field_of_an_image_recipe_is_documented_and_no_other() -> None:
    nested = {place + name for place, model in IMAGE_PARTS.items() for name in fields(model)}
    assert set(recipe_rows("image")) == nested


VIDEO_PARTS = {
    "": video_recipe.VideoRecipe,
    "renditions[].": video_recipe.Rendition,
    "posters.": video_recipe.Posters,
    "transcript.": video_recipe.Transcript,
}


def test_every_field_of_a_video_recipe_is_documented_and_no_other() -> None:
    nested = {place + name for place, model in VIDEO_PARTS.items() for name in fields(model)}
    formats = set(get_args(video_recipe.Format))
    assert set(recipe_rows("video")) == nested | formats


@pytest.mark.parametrize(("kind", "parts"), [("image", IMAGE_PARTS), ("video", VIDEO_PARTS)])
def test_the_documented_defaults_of_media_are_the_defaults(kind: str, parts: dict[str, type[BaseModel]]) -> None:
    documented = recipe_rows(kind)
    for place, model in parts.items():
        for name, field in model.model_fields.items():
            value = "" if field.is_required() else field.default
            shown = "none" if value in (None, ()) else str(value).lower()
            if isinstance(value, tuple) and value:
                shown = f"[{', '.join(value)}]"
            assert documented[place + name][1].strip("`") == shown, place + name


def test_the_documented_defaults_are_the_defaults() -> None:
    documented = recipe_rows("table")
    defaults = recipe.TableRecipe()
    for name in fields(recipe.TableRecipe) - {"clean", "parquet"}:
        value = getattr(defaults, name)
        shown = documented[name][1].strip("`")
        assert shown == {
            None: "none" if name == "index" else "null",
            (): "none",
            "": '""',
            True: "true",
            False: "false",
        }.get(value, str(value)), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_recipes_in_the_docs_are_valid(page: Path) -> None:
    for block in blocks(page, "yaml"):
        if "recipes" in (yaml.safe_load(block) or {}):
            assert recipes.read(block).recipes


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_in_the_docs_are_commands_with_those_options(page: Path) -> None:
    for block in blocks(page, "console"):
        for command in re.findall(r"^\$ (?:uv run )?fanfold (.+)$", block, flags=re.MULTILINE):
            words = command.split("#")[0].split()
            found = COMMANDS
            while words and words[0] in getattr(found, "commands", {}):
                found = found.commands[words.pop(0)]
            assert found is not COMMANDS, f"{page.name}: `fanfold {command}` is no command"
            known = {option for parameter in found.params for option in parameter.opts}
            used = {word.split("=")[0] for word in words if word.startswith("--")}
            assert used <= known, f"{page.name}: `fanfold {command}`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_the_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


FILES_SHOWN = ROOT / "docs/adding-a-kind.md"
"""Its Python is files of a kind that is not there: tests/adding adds it."""


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page != FILES_SHOWN], ids=lambda page: str(page.relative_to(ROOT))
)
def test_python_in_the_docs_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for block in blocks(page, "python"):
        exec(compile(block, str(page), "exec"), {})


def test_every_folder_and_module_that_the_architecture_names_is_there() -> None:
    for name in rows("docs/architecture.md"):
        if name.startswith(("fanfold/", "handlers/")):
            assert (ROOT / name).exists(), name


def test_every_decision_is_in_the_list_and_every_one_listed_is_there() -> None:
    folder = ROOT / "docs/decisions"
    listed = set(re.findall(r"\]\((\d{4}-[^)]+\.md)\)", (folder / "README.md").read_text()))
    assert listed == {page.name for page in folder.glob("[0-9]*.md")}


def test_errors_that_the_docs_name_are_in_the_tree() -> None:
    named = set(
        re.findall(
            r"\b([A-Z][a-z]+(?:[A-Z][a-z]+)*Error|RowTooLarge|TooManyChunks)\b", "".join(p.read_text() for p in PAGES)
        )
    )
    ours = {name for name in named if hasattr(errors, name)}
    assert {"TransientError", "RowTooLarge", "TooManyChunks"} <= ours


def test_the_reference_of_the_command_line_is_what_the_commands_say() -> None:
    """Make it anew with `python -m tests.docs.cli_reference`."""
    assert cli_reference.PAGE.read_text() == cli_reference.render()


def test_every_command_and_option_says_what_it_is_for() -> None:
    for name, command in cli_reference.commands(COMMANDS, "fanfold"):
        assert command.help, name
        for one in command.params:
            assert one.help, f"{name} {one.name}"


def test_every_command_takes_json() -> None:
    for name, command in cli_reference.commands(COMMANDS, "fanfold"):
        assert "--json" in {option for one in command.params for option in one.opts}, name


def test_every_patch_of_the_engine_is_listed_with_its_fault_and_no_other(tmp_path: Path) -> None:
    documented = rows("docs/engine.md")
    listed = {name: cells[0] for name, cells in documented.items() if not name.startswith("FANFOLD_")}
    assert listed == {patch.name: patch.fault for patch in patches.every(Store(tmp_path))}


def test_every_variable_of_the_environment_is_listed() -> None:
    code = "".join(path.read_text() for path in (ROOT / "fanfold").rglob("*.py"))
    assert set(re.findall(r"\bFANFOLD_[A-Z_]+\b", code)) == {name for name in rows("docs/engine.md") if name.isupper()}
