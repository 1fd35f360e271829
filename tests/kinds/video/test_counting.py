"""A few bytes of an index can claim millions of samples: such an object is refused before they are read."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold import kinds
from fanfold.errors import UnsupportedVideo
from fanfold.kinds.video import samples
from fanfold.kinds.video.mp4 import counting
from fanfold.kinds.video.mp4.boxes import box, full
from fanfold.kinds.video.mp4.muxing import IDENTITY, ftyp
from fanfold.kinds.video.recipe import VideoRecipe
from tests.kinds.driver import run
from tests.kinds.video.clips import clip

VIDEO = kinds.get("video")
RECIPE = VideoRecipe.model_validate({})


def track(number: int, samples: int, each_bytes: int, handler: bytes = b"soun", entry: bytes = b"mp4a") -> bytes:
    """Return a track that says of all its samples at once how large they are."""
    sound = box(entry, struct.pack(">6xHIIHHHHI", 1, 0, 0, 2, 16, 0, 0, 48000 << 16))
    table = box(
        b"stbl",
        full(b"stsd", 0, 0, struct.pack(">I", 1), sound),
        full(b"stts", 0, 0, struct.pack(">III", 1, samples, 1)),
        full(b"stsz", 0, 0, struct.pack(">II", each_bytes, samples)),
        full(b"stsc", 0, 0, struct.pack(">IIII", 1, 1, samples, 1)),
        full(b"stco", 0, 0, struct.pack(">II", 1, 0)),
    )
    reference = box(b"dinf", full(b"dref", 0, 0, struct.pack(">I", 1), full(b"url ", 0, 1)))
    media = box(
        b"mdia",
        full(b"mdhd", 0, 0, struct.pack(">IIIIHH", 0, 0, 48000, 0, 0x55C4, 0)),
        full(b"hdlr", 0, 0, bytes(4), handler, bytes(13)),
        box(b"minf", full(b"smhd", 0, 0, bytes(4)), reference, table),
    )
    return box(b"trak", full(b"tkhd", 0, 3, struct.pack(">IIIII", 0, 0, number, 0, 0), bytes(16), IDENTITY), media)


def index(*tracks: bytes) -> bytes:
    movie = full(b"mvhd", 0, 0, struct.pack(">IIII", 0, 0, 1000, 1000), bytes(80))
    return ftyp(b"isom", b"mp42") + box(b"moov", movie, *tracks)


def fragments(runs: int, samples: int, each_bytes: int, number: int = 1, fields: int = 0) -> bytes:
    """Return a clip whose only fragment has runs that say of all their samples at once how large they are."""
    data = clip("fragmented.mp4", 2)
    header = full(b"tfhd", 0, 0x20018, struct.pack(">III", number, 1, each_bytes))
    run = full(b"trun", 0, fields, struct.pack(">I", samples))
    body = box(b"traf", header, *[run] * runs)
    return data[: data.index(b"moof") - 4] + box(b"moof", full(b"mfhd", 0, 0, bytes(4)), body)


CLAIMS = {
    "one track": (lambda: index(track(1, 4_000_000, 1)), "claims 4,000,000 samples that have 4,000,000 bytes"),
    "two tracks": (lambda: index(track(1, 500, 1), track(2, 500, 1)) + bytes(80), "claims 500 samples"),
    "what is left out": (lambda: index(track(1, 100_000_000, 1, b"meta")), "claims 100,000,000 samples"),
    "uncompressed sound": (lambda: index(track(1, 4_000_000_000, 2, entry=b"sowt")), "claims 4,000,000,000 samples"),
    "empty runs": (lambda: fragments(40, 100_000, 0), "100,000 samples without a byte"),
    "many empty runs": (lambda: fragments(50_000, 1, 0), "1 samples without a byte"),
    "one empty run": (lambda: fragments(1, 4_000_000_000, 0), "4,000,000,000 samples without a byte"),
    "runs of a byte": (lambda: fragments(4, 800, 1), "claims 800 samples"),
    "runs of no track": (lambda: fragments(40, 100_000, 0, number=9), "100,000 samples without a byte"),
    "a run that says less": (
        lambda: fragments(1, 4_000_000_000, 1, fields=0x100),
        "says less of them than it promises",
    ),
}
"""What an object is, the object, and what it is refused with."""

ROOT = Path(__file__).parents[3]

PROGRAM = """
import base64, json, sys, time
from fanfold import kinds
from fanfold.errors import FanfoldError
from fanfold.kinds.held import Held
from fanfold.kinds.video import planning
from fanfold.kinds.video.recipe import VideoRecipe
from tests.memory import peak_bytes
told = {}
for name, data in json.load(sys.stdin).items():
    began = time.perf_counter()
    try:
        planning.plan(Held(base64.b64decode(data)), VideoRecipe.model_validate({}))
    except FanfoldError as error:
        told[name] = [str(error), time.perf_counter() - began]
print(json.dumps([told, peak_bytes() >> 20]))
"""


def test_a_tiny_index_that_claims_much_is_refused_at_once() -> None:
    """In a process of its own, whose memory is measured."""
    fed = json.dumps({name: b64encode(data()).decode() for name, (data, _) in CLAIMS.items()})
    line = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(line, input=fed.encode(), capture_output=True, check=True, cwd=ROOT)
    told, peak_mib = json.loads(done.stdout)
    for name, (_, says) in CLAIMS.items():
        said, seconds = told[name]
        assert says in said
        assert seconds < 2
    assert peak_mib < 100


@pytest.mark.parametrize("name", ["plain.mp4", "fragmented.mp4"])
def test_a_movie_has_so_many_samples_at_most(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over all its tracks, of which none has too many."""
    monkeypatch.setattr(counting, "SAMPLES_LIMIT", 155)
    assert run(VIDEO, clip(name, 2), RECIPE).outputs
    monkeypatch.setattr(counting, "SAMPLES_LIMIT", 154)
    with pytest.raises(UnsupportedVideo, match="claims 155 samples, all tracks together; at most 154 are read"):
        run(VIDEO, clip(name, 2), RECIPE)


@given(st.lists(st.integers(-5, 5), max_size=40).map(lambda apart: [at + 3 * n for n, at in enumerate(apart)]))
def test_samples_are_put_in_order_a_few_at_a_time(times: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(samples, "SORTED_AT_ONCE", 4)
        assert list(samples.in_order(times)) == sorted(range(len(times)), key=times.__getitem__)


def test_samples_that_are_decoded_far_too_early_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "APART_LIMIT", 5000)
    with pytest.raises(UnsupportedVideo, match="more than 5,000 samples before they are due"):
        list(samples.in_order(range(9000, 0, -1)))
