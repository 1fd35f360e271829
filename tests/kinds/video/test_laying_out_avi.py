"""Many workers lay an AVI out as one would, though nothing in it says when a frame is: they count from elsewhere."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fanfold.errors import FanfoldError
from fanfold.kinds.video.laying import chunks, dividing, folding
from fanfold.kinds.video.ranges import opened
from tests.kinds.driver import CountingSource, run
from tests.kinds.video.clips import CLIPS, clip
from tests.kinds.video.laying import RECIPE, VIDEO, laid_out, shares_at

VARIABLE = "-vf select='not(mod(n,2))+gt(mod(n,7),3)' -fps_mode vfr"
"""Of which AVI makes empty frames, as it has but one rate."""

AVI = {
    "mpeg4.avi": CLIPS["mpeg4.avi"],
    "empty.avi": f"{VARIABLE} -c:v mpeg4 -g 24 -c:a libmp3lame",
    "empty-h264.avi": f"{VARIABLE} -c:v libx264 -preset veryfast -bf 0 -g 24 -c:a mp2",
    "h264.avi": "-c:v libx264 -preset veryfast -bf 0 -g 48 -c:a ac3",
    "aac.avi": "-c:v mpeg4 -bf 2 -g 24 -c:a aac",
    "straddling.avi": "-c:v mpeg4 -g 24 -c:a libmp3lame -b:a 128k",
    "pcm.avi": "-c:v mpeg4 -g 24 -c:a pcm_s16le -ar 16000",
}

SOUND_RATE = 128_000 // 8


def made(name: str) -> bytes:
    """Return a clip; one whose frames of sound begin in one chunk and end in another, as recorders write it."""
    data = clip(name, 12, AVI[name])
    return straddling(data, 1000) if name == "straddling.avi" else data


def straddling(data: bytes, width: int) -> bytes:
    """Write the sound of a clip in chunks of `width` bytes, whose times are counted in bytes."""
    movie = data.index(b"movi")
    at, stop = movie + 4, movie + struct.unpack_from("<I", data, movie - 4)[0]
    body, index, sound = b"", b"", b""

    def put(name: bytes, held: bytes, flags: int) -> None:
        nonlocal body, index
        index += name + struct.pack("<III", flags, 4 + len(body), len(held))
        body += name + struct.pack("<I", len(held)) + held + bytes(len(held) % 2)

    while at < stop:
        name, size = data[at : at + 4], struct.unpack_from("<I", data, at + 4)[0]
        held = data[at + 8 : at + 8 + size]
        if name == b"01wb":
            sound += held
            while len(sound) >= width:
                put(name, sound[:width], 16)
                sound = sound[width:]
        elif name == b"00dc":
            picture = held.find(b"\0\0\1\xb6")
            put(name, held, 0 if picture < 0 or held[picture + 4] & 0xC0 else 16)
        at += 8 + size + size % 2
    head = bytearray(data[: movie + 4].replace(b"indx", b"JUNK"))
    header = head.index(b"auds")
    struct.pack_into("<II", head, header + 20, 1, SOUND_RATE)
    struct.pack_into("<I", head, header + 44, 1)
    struct.pack_into("<IH", head, head.index(b"strf", header) + 16, SOUND_RATE, 1)
    struct.pack_into("<I", head, movie - 4, 4 + len(body))
    whole = head + body + b"idx1" + struct.pack("<I", len(index)) + index
    struct.pack_into("<I", whole, 4, len(whole) - 8)
    return bytes(whole)


@pytest.fixture(autouse=True, scope="module")
def short_before() -> Iterator[None]:
    """Let workers begin as little before their share as suits clips."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "BEFORE_BYTES", 60_000)
        yield


@pytest.mark.parametrize("name", AVI)
@settings(max_examples=10)
@given(first=st.floats(0.2, 0.5), second=st.floats(0.6, 0.9))
def test_shares_of_an_avi_come_to_what_one_pass_does(name: str, first: float, second: float) -> None:
    data = made(name)
    whole = laid_out(data, [True])
    ours = laid_out(data, shares_at([int(place * len(data)) for place in (first, second)], len(data)))
    assert ours.follow, ours.shares
    assert ours.tracks == whole.tracks


def test_empty_frames_are_counted() -> None:
    """Times have gaps where a frame is empty, and the clip has such frames."""
    data = made("empty.avi")
    assert data.count(b"00dc\0\0\0\0") > 20
    pts = laid_out(data, [True]).tracks[0]["pts"]
    assert pts[-1] - pts[0] > len(pts) + 20


@pytest.mark.parametrize("name", ["mpeg4.avi", "empty-h264.avi", "straddling.avi"])
@settings(max_examples=15)
@given(seed=st.integers(0, 1 << 32))
@example(seed=38816)  # in the index, by which libavformat goes then
@example(seed=6549)  # a chunk without a picture
def test_of_a_damaged_avi_shares_come_to_the_same_or_are_found_out(name: str, seed: int) -> None:
    pick = random.Random(seed)
    data = bytearray(made(name))
    for _ in range(pick.randint(1, 3)):
        at, width = pick.randrange(20_000, len(data)), pick.choice((1, 40, 188, 3000))
        data[at : at + pick.choice((0, width))] = pick.randbytes(width)
    cut = pick.randrange(90_000, len(data) - 100_000)
    try:
        whole = laid_out(bytes(data), [True])
    except FanfoldError:
        return
    with opened(CountingSource(bytes(data))) as found:
        if not chunks.are_interleaved(found):
            return
    ours = laid_out(bytes(data), shares_at([cut], len(data)))
    assert not ours.follow or ours.tracks == whole.tracks


@pytest.mark.parametrize("name", ["empty.avi", "straddling.avi"])
def test_outputs_of_an_avi_are_the_same_by_many_as_by_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = made(name)
    one = run(VIDEO, data, RECIPE)
    monkeypatch.setattr(dividing, "SHARE_BYTES", len(data) // 4)
    many = run(VIDEO, data, RECIPE, seed=1)
    assert len(one.rounds[0]) == 1
    assert len(many.rounds[0]) > 2
    assert many.outputs == one.outputs
    assert many.folded.repaired == 0


def test_an_avi_whose_streams_do_not_advance_together_is_laid_out_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sound 1.5 s at a time: libavformat may go by the index then, and shares go by the chunks."""
    monkeypatch.setattr(dividing, "SHARE_BYTES", 100_000)
    together, apart = made("straddling.avi"), straddling(clip("straddling.avi", 12, AVI["straddling.avi"]), 24_000)
    assert len(VIDEO.plan(CountingSource(together), RECIPE).lines) > 2
    assert [line.span for line in VIDEO.plan(CountingSource(apart), RECIPE).lines] == [{"prepare": True}]
    assert not laid_out(apart, shares_at([300_000], len(apart))).follow


def test_a_share_with_other_frames_at_its_seam_is_found_out() -> None:
    """Their places and the distances of their times are the same; the bytes of one are not."""
    ours = laid_out(made("h264.avi"), shares_at([250_000], len(made("h264.avi"))))
    assert ours.follow
    before, after = ours.shares
    after["first"][0][1][-1] ^= 1
    assert not folding.follow_each_other([before, after])
