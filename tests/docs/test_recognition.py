"""The engine that docs/recognition.md adds is one, and the numbers of the page are those of the code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from fanfold import kinds, recognition
from fanfold.kinds.image.recipe import ImageRecipe
from fanfold.kinds.image.recognition import pieces
from tests.docs.test_docs import ROOT, blocks
from tests.kinds.driver import run
from tests.kinds.image.pictures import saved

PAGE = ROOT / "docs/recognition.md"


def test_the_engine_of_the_page_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands there, named in ENGINES, on an image that is recognised in pieces."""
    [code] = blocks(PAGE, "python")
    (tmp_path / "shadows.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(recognition.ENGINES, "shadows", "shadows")
    monkeypatch.setattr(pieces, "SIDE", 100)
    monkeypatch.setattr(pieces, "OVERLAP", 40)
    image = Image.new("RGB", (170, 90), "white")
    image.paste("black", (70, 20, 100, 50))
    recipe = ImageRecipe.model_validate({"recognise": {"engine": "shadows"}})
    found = json.loads(run(kinds.get("image"), saved(image, "PNG"), recipe).outputs["recognised.json"])
    assert found["engine"] == {"name": "shadows", "version": "1"}
    assert found["faces"] == [{"score": 1.0, "box": [70, 20, 100, 50]}]


def test_the_sizes_of_the_page_are_those_of_the_code() -> None:
    text = " ".join(PAGE.read_text().split())
    assert f"pieces of at most {pieces.SIDE:,} × {pieces.SIDE:,} pixels, which overlap by {pieces.OVERLAP} at" in text
    assert all(f"| `{name}` |" in text for name in recognition.ENGINES)
