"""Run a pruned package: import every handler, make every client, and take a file of its kind through every output.

Usage: python -I -S probe.py DIRECTORY HANDLER..., the package built for the machine and Python that run this. With
-I and -S nothing that is installed can stand in for what was pruned.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import importlib
import io
import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

CLIP = ROOT / "samples" / "testcard.mp4"

ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "MACHINES": "{}",
    "POWERTOOLS_SERVICE_NAME": "fanfold",
}

CLIENTS = ["dynamodb", "rekognition", "s3", "stepfunctions", "transcribe"]

COLUMNS = {"id": "integer", "at": "date", "price": "decimal(10,2)", "note": "text"}

TABLE = b'id,at,price,note\n1,2026-01-01, 1.50,"a\nb"\n2,2026-01-02,,\n3,2026-01-03,2.25,x\n'


def make_clients() -> None:
    """Make a client of every service that the handlers call, with paginators of those that page."""
    import boto3

    for service in CLIENTS:
        boto3.client(service)
    boto3.client("dynamodb").get_paginator("query")
    boto3.client("s3").get_paginator("list_objects_v2")
    boto3.client("stepfunctions").get_paginator("list_map_runs")


def sniff() -> None:
    """Tell a table by its first bytes, as Intake does: whatever codecs a kind has must wait for its workers."""
    from fanfold import kinds

    assert kinds.sniff(TABLE, "orders.csv") == "table"


def fold_tables() -> None:
    """Take a table in small chunks from plan to outputs, types inferred and declared, in every output format."""
    from fanfold.kinds import table
    from fanfold.kinds.table.recipe import TableRecipe
    from tests.kinds.driver import run

    rows = list(csv.DictReader(io.StringIO(TABLE.decode(), newline="")))
    for columns in (COLUMNS, "auto", "text"):
        for output in ("jsonl", "csv", "parquet"):
            made = run(table, TABLE, TableRecipe(columns=columns, output=output, chunk=16)).outputs[f"rows.{output}"]
            assert notes(made, output) == [row["note"] or None for row in rows], (columns, output, made)


def open_tables() -> None:
    """Take the table compressed in every way."""
    import pyarrow

    from fanfold.kinds import table
    from fanfold.kinds.table.recipe import TableRecipe
    from tests.kinds.driver import run

    zstd = pyarrow.compress(TABLE, codec="zstd", asbytes=True)
    for packed in (gzip.compress(TABLE), bz2.compress(TABLE), zstd):
        assert run(table, packed, TableRecipe()).outputs == run(table, TABLE, TableRecipe()).outputs


def fold_images() -> None:
    """Take an image from plan to outputs, whole and in rectangles, in every format that is read and written."""
    import pillow_heif
    from PIL import Image

    from fanfold.kinds import image
    from fanfold.kinds.image import limits
    from fanfold.kinds.image.recipe import ImageRecipe
    from tests.kinds.driver import run
    from tests.kinds.image.pictures import opened, picture, saved

    formats = ("jpeg", "png", "webp", "avif")
    drawn = picture(300, 200)
    heic = io.BytesIO()
    pillow_heif.from_pillow(drawn).save(heic)
    given = [saved(drawn, format) for format in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "AVIF")]
    for whole_pixels in (limits.WHOLE_PIXELS, 10_000):
        limits.WHOLE_PIXELS = limits.LEVEL_PIXELS = whole_pixels
        for data in (*given, heic.getvalue()):
            renditions = [{"name": format, "width": 90, "format": format} for format in formats]
            recipe = ImageRecipe.model_validate(
                {"renditions": renditions, "tiles": {"size": 64}, "convert": {"format": "png"}}
            )
            outputs = run(image, data, recipe).outputs
            assert opened(outputs["converted.png"]).size == drawn.size
            assert [opened(outputs[name]).size for name in ("jpeg.jpg", "png.png", "webp.webp")] == [(90, 60)] * 3
            assert {"avif.avif", "tiles.dzi", "metadata.json"} < outputs.keys()
    assert Image.open(io.BytesIO(outputs["jpeg.jpg"])).format == "JPEG"


def recognise() -> None:
    """Have an image recognised that is cut and one that is not, and read what is written on it."""
    import cv2
    import numpy
    from PIL import Image

    from fanfold.kinds import image
    from fanfold.kinds.image import limits
    from fanfold.kinds.image.recipe import ImageRecipe
    from tests.kinds.driver import run

    pixels = numpy.full((200, 400, 3), 255, numpy.uint8)
    cv2.putText(pixels, "fanfold", (60, 110), cv2.FONT_HERSHEY_SIMPLEX, 2, (0, 0, 0), 3)
    saved = io.BytesIO()
    Image.fromarray(pixels).save(saved, "PNG")
    for whole_pixels in (limits.WHOLE_PIXELS, 10_000):
        limits.WHOLE_PIXELS = limits.LEVEL_PIXELS = whole_pixels
        made = run(image, saved.getvalue(), ImageRecipe.model_validate({"recognise": {}})).outputs["recognised.json"]
        seen = json.loads(made)
        assert [line["text"] for line in seen["text"]] == ["fanfold"], seen
        assert seen["faces"] == []


def plan_videos() -> None:
    """Plan a video by its index, and open it as the describing workers do."""
    from fanfold.kinds import video
    from fanfold.kinds.video.recipe import VideoRecipe
    from tests.kinds.driver import CountingSource

    plan = video.plan(CountingSource(CLIP.read_bytes()), VideoRecipe.model_validate({"renditions": [{"name": "web"}]}))
    assert len(plan.lines) == 2
    assert {one["type"] for one in plan.layout["described"]["streams"]} == {"video", "audio"}


def fold_videos() -> None:
    """Take a video from plan to outputs, with every encoder."""
    from fanfold.kinds import video
    from fanfold.kinds.video.recipe import AUDIO_CODECS, VIDEO_CODECS, VideoRecipe
    from tests.kinds.driver import run

    codecs = [(format, codec) for format in VIDEO_CODECS for codec in VIDEO_CODECS[format]]
    renditions = [
        {"name": f"{codec}-{format}", "format": format, "video": codec, "height": 90, "audio": AUDIO_CODECS[format][-1]}
        for format, codec in codecs
    ]
    outputs = run(video, CLIP.read_bytes(), VideoRecipe.model_validate({"renditions": renditions})).outputs
    assert len(outputs) > len(renditions)


def describe_videos() -> None:
    """Look at a video and listen to it, as far as that goes without the model."""
    from fanfold.kinds import video
    from fanfold.kinds.video.recipe import VideoRecipe
    from fanfold.kinds.video.speech import hearing
    from tests.kinds.driver import run

    hearing.spans = lambda *_: iter(())
    asked = {"scenes": True, "posters": {}, "subtitles": "vtt", "transcript": {}, "keywords": 5}
    outputs = run(video, CLIP.read_bytes(), VideoRecipe.model_validate(asked)).outputs
    assert outputs["posters.jpg"].startswith(b"\xff\xd8")
    assert json.loads(outputs["scenes.json"])["scenes"]


def hear() -> None:
    """Hear words, here in noise: what is sure enough is another matter."""
    import numpy as np

    from fanfold.kinds.video.recipe import Transcript
    from fanfold.kinds.video.speech import hearing, whisper
    from fanfold.model import Line
    from tests.kinds.driver import MemoryDesk

    samples = np.random.default_rng(1).normal(0, 3000, 32_000).astype("<i2").tobytes()
    desk = MemoryDesk(Line("1-00000", hearing.ROLE, {}), {"sound": samples})
    span = {"speech": [[0, 32_000, 0, 0]]}
    whisper.UNSURE = -100
    assert hearing.process(Transcript(), {"heard": [["sound", len(samples)]]}, span, desk)["words"] > 0


def notes(made: bytes, output: str) -> list[str | None]:
    """Return the column `note` of an output, empty text as None."""
    if output == "jsonl":
        return [json.loads(line)["note"] for line in made.splitlines()]
    if output == "csv":
        return [row["note"] or None for row in csv.DictReader(io.StringIO(made.decode(), newline=""))]
    import pyarrow.parquet

    # Without threads of its own: at a process's end they have been seen to abort it.
    table = pyarrow.parquet.read_table(io.BytesIO(made), use_threads=False, pre_buffer=False)
    found: list[str | None] = table.column("note").to_pylist()
    return found


if __name__ == "__main__":
    package, handlers = Path(sys.argv[1]), sys.argv[2:]
    # The checkout comes last: it lends the driver of the tests, and the package everything else.
    sys.path = [str(package), *sys.path, str(ROOT)]
    sys.dont_write_bytecode = True
    os.environ.update(ENVIRONMENT)
    for handler in handlers:
        importlib.import_module(f"handlers.{handler}")
    make_clients()
    sniff()
    if (package / "pyarrow").is_dir():
        fold_tables()
        open_tables()
    if (package / "rapidocr").is_dir():
        recognise()
    elif (package / "pyvips").is_dir():
        fold_images()
    if (package / "numpy").is_dir() and (package / "av").is_dir():
        plan_videos()
        describe_videos()
    if (package / "ctranslate2").is_dir():
        hear()
    if (package / "imageio_ffmpeg").is_dir():
        fold_videos()
    import fanfold

    assert Path(fanfold.__file__).is_relative_to(package)
    print(f"{package.name}: handlers {', '.join(handlers)} import and run")
