"""Segments are cut at keyframes: when they are as long as was asked for, or have as many bytes as a worker holds."""

from __future__ import annotations

import tracemalloc
from itertools import accumulate, pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold import kinds
from fanfold.errors import UnsupportedVideo
from fanfold.kinds.video import planning, reading, working
from fanfold.kinds.video.cutting import cuts
from fanfold.kinds.video.recipe import VideoRecipe
from tests.kinds.driver import CountingSource, MemoryDesk, json_copy, run
from tests.kinds.video.clips import clip
from tests.kinds.video.test_exact import check_same

VIDEO = kinds.get("video")
INTRA = "-c:v mpeg4 -q:v 2 -g 1"

GROUPS = st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=5), min_size=1, max_size=12)
"""The sizes of the pictures of each closed group."""


@given(GROUPS, st.integers(1, 12), st.integers(1, 40))
def test_a_segment_is_as_long_as_asked_for_unless_its_bytes_are_too_many(
    groups: list[list[int]], ticks: int, most_bytes: int
) -> None:
    sizes = [size for group in groups for size in group]
    keys = list(accumulate((len(group) for group in groups), initial=0))[:-1]
    sums = list(accumulate(sizes, initial=0))

    def weigh(first: int, tail: int, start: int, stop: int) -> int:
        assert (start, stop) == (first, tail)
        return sums[tail] - sums[first]

    found = cuts(range(len(sizes)), keys, 0, len(sizes), ticks, weigh, most_bytes)
    assert [cut.first for cut in found] == [0, *(cut.last for cut in found[:-1])]
    assert found[-1].last == len(sizes)
    for cut in found:
        inner = [key for key in keys if cut.first < key < cut.last]
        # Only what cannot be cut is too large, and nothing is longer than the next keyframe behind what was asked for.
        assert not inner or sums[cut.last] - sums[cut.first] <= most_bytes
        assert not inner or inner[-1] < cut.first + ticks
    for before, after in pairwise(found):
        behind = next(key for key in [*keys, len(sizes)] if key > before.last)
        is_long = before.last - before.first >= ticks
        assert is_long or sums[behind] - sums[before.first] > most_bytes
        assert after.start == before.stop


@given(st.permutations(range(16)), st.sets(st.integers(0, 15)), st.integers(1, 9))
def test_a_segment_ends_before_the_next_one_begins(pts: list[int], keys: set[int], ticks: int) -> None:
    """In whatever order pictures are decoded, and wherever the keyframes are."""
    found = cuts(pts, sorted(keys | {0}), 0, 16, ticks, lambda *segment: 0, 1)
    for before, after in pairwise(found):
        assert max(pts[before.first : before.last]) < min(pts[after.first : after.last])
        assert [at for at in range(after.first, 16) if pts[at] < after.start] == [*range(after.first + 1, before.tail)]
    assert [at for cut in found for at in range(cut.first, cut.last)] == list(range(16))


def test_hevc_may_show_a_leading_picture_before_the_last_one_before_its_keyframe() -> None:
    """There it is not cut."""
    groups = [0, 4, 8, 12, 16, 10, 14, 20, 32, 24, 28, 36]
    found = cuts(groups, [0, 4, 8], 0, 40, 2, lambda *segment: 0, 1)
    assert [(cut.start, cut.stop, cut.tail) for cut in found] == [(0, 32, 11), (32, 40, 12)]


@pytest.mark.parametrize(("name", "arguments"), [("every.mp4", INTRA), ("open.mov", None), ("sound.m4a", None)])
def test_a_segment_of_too_many_bytes_is_cut_earlier(
    name: str, arguments: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else becomes of it: every picture and sample is there at its time."""
    data = clip(name, 4, arguments)
    most_bytes = len(data) // 2
    monkeypatch.setattr(planning, "SEGMENT_BYTES", most_bytes)
    rendition = {"name": "web", "height": 60} if "m4a" not in name else {"name": "web"}
    recipe = VideoRecipe.model_validate(
        {"segment": "600s", "renditions": [rendition, {"name": "copy", "format": "mov"}]}
    )
    done = run(VIDEO, data, recipe, seed=1)
    assert 2 <= len(done.layouts[0]["media"]["segments"]) <= 4
    (tmp_path / name).write_bytes(data)
    for output in ("web.mp4", "copy.mov"):
        (tmp_path / output).write_bytes(done.outputs[output])
        check_same(tmp_path / output, tmp_path / name)


def test_a_segment_that_cannot_be_cut_is_refused_with_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "SEGMENT_BYTES", 10_000)
    recipe = VideoRecipe.model_validate({"segment": "1s", "renditions": [{"name": "copy"}]})
    with pytest.raises(UnsupportedVideo, match=r"the segment from 0 s would have [\d,]+ bytes, .* 10,000 at most"):
        VIDEO.plan(CountingSource(clip("plain.mp4", 4)), recipe)


def test_a_worker_holds_a_segment_twice() -> None:
    """As it was read, and as it is written."""
    data = clip("dense.mp4", 3, f"-vf noise=alls=60:allf=t,scale=320:180 {INTRA}")
    renditions = [{"name": "copy"}, {"name": "sound", "video": "none"}]
    recipe = VideoRecipe.model_validate({"segment": "600s", "renditions": renditions})
    plan = VIDEO.plan(CountingSource(data), recipe)
    (line,) = plan.lines
    tracemalloc.start()
    try:
        working.process(CountingSource(data), recipe, json_copy(plan.layout), line, MemoryDesk(line, {}))
        assert tracemalloc.get_traced_memory()[1] < 2.2 * len(data)
    finally:
        tracemalloc.stop()


def test_what_lies_between_samples_is_read_along_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    places = [(at * 100, at * 100 + 10) for at in range(10)]
    assert reading._ranges(places) == [(0, 910)]
    monkeypatch.setattr(reading, "GAPS_BYTES", 90 * 4)
    assert reading._ranges(places) == [(0, 410), *places[5:]]
