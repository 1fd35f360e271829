"""What sample entries say of HEVC: as players of Apple have it, wherever that is true."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.kinds.video.boxes import box
from fanfold.kinds.video.entries import out_of_band
from tests.kinds.video.clips import clip
from tests.kinds.video.probes import complaints, psnr
from tests.kinds.video.test_exact import made

X265 = "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=48 -an"


@pytest.mark.parametrize("name", ["hev1.mp4", "hevc.mkv", "hevc.ts"])
def test_hevc_is_copied_as_hvc1(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = clip(name, 6, X265)
    monkeypatch.setattr("tests.kinds.video.test_exact.clip", lambda name: source)
    renditions = [{"name": "copy"}, {"name": "movie", "format": "mov"}]
    paths = made(tmp_path, name, "2s", {"renditions": renditions})
    for output in ("copy.mp4", "movie.mov"):
        with av.open(str(paths[output])) as found:
            assert found.streams.video[0].codec_context.codec_tag == "hvc1"
        assert complaints(paths[output]) == ""
        assert psnr(paths[output], paths[name]) == float("inf")


def hevc(arrays: list[tuple[int, list[bytes]]]) -> bytes:
    """Return an entry of these arrays of parameter sets."""
    made = [
        bytes([kind]) + len(units).to_bytes(2, "big") + b"".join(len(one).to_bytes(2, "big") + one for one in units)
        for kind, units in arrays
    ]
    record = bytes(22) + bytes([len(made)]) + b"".join(made)
    return box(b"hev1", bytes(78), box(b"hvcC", record), box(b"pasp", bytes(8)))


@given(st.lists(st.tuples(st.sampled_from([32, 33, 34, 39]), st.lists(st.binary(max_size=5), max_size=3)), max_size=6))
def test_it_is_told_only_where_all_sets_are_there(arrays: list[tuple[int, list[bytes]]]) -> None:
    entry = hevc(arrays)
    told = out_of_band(entry)
    if {32, 33, 34} <= {kind for kind, units in arrays if units}:
        complete = [(kind | 0x80 if units else kind, units) for kind, units in arrays]
        assert told == hevc(complete).replace(b"hev1", b"hvc1", 1)
    else:
        assert told == entry


@given(st.binary(max_size=60))
def test_a_broken_record_is_left_alone(record: bytes) -> None:
    entry = box(b"hev1", bytes(78), box(b"hvcC", record))
    told = out_of_band(entry)
    assert len(told) == len(entry)
