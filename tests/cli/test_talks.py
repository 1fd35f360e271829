"""A talk through the command line and the engine: from the upload to the second at which a word is spoken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fanfold.engine import Engine
from tests.cli.test_engine import fanfold, ran, told
from tests.kinds.video.test_speech import TWO_CITIES

RECIPES = """
version: 1
recipes:
  talks:
    video: {transcript: {language: en}, keywords: 12}
  lectures:
    video: {transcript: {language: de, engine: transcribe}}
"""


def test_a_word_of_a_talk_is_found_at_its_second(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "recipes.yaml").write_text(RECIPES)
    (tmp_path / "two_cities.m4a").write_bytes(TWO_CITIES.read_bytes())
    out = tmp_path / "out"
    found = ran(engine, tmp_path, "two_cities.m4a", "--recipe", "talks", "--recipes", "recipes.yaml", "--out", out)
    assert found["stats"]["words"] == pytest.approx(119, abs=4)
    said = json.loads((out / "transcript.json").read_text())["text"]
    assert "worst of times" in said
    [record] = told(fanfold(engine, tmp_path, "query", "talks", "--word", "worst of Times!", "--json"))
    assert record["key"] == "talks/two_cities.m4a"
    assert record["at_s"] == pytest.approx(3.5, abs=0.3)
    assert "worst of times" in record["text"]
    [first, *cues] = told(fanfold(engine, tmp_path, "query", "talks", "--key", record["key"], "--json"))
    assert first["streams"]
    assert " ".join(cue["text"] for cue in cues) == said
    assert told(fanfold(engine, tmp_path, "query", "talks", "--word", "unspoken", "--json")) == []


def test_the_engine_has_no_amazon_transcribe_and_makes_nothing_up(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "recipes.yaml").write_text(RECIPES)
    (tmp_path / "talk.m4a").write_bytes(TWO_CITIES.read_bytes())
    asked = ("--recipe", "lectures", "--recipes", "recipes.yaml", "--json")
    done = fanfold(engine, tmp_path, "run", "talk.m4a", *asked)
    [found] = told(done)
    assert done.returncode == 1
    assert found["error"]["name"] == "PermanentError"
    assert "there is no Amazon Transcribe at http://127.0.0.1" in found["error"]["message"]
    assert "use `engine: embedded`" in found["error"]["message"]
