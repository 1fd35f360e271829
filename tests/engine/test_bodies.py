"""A body on disk is the bytes it was made of, however it is cut and joined."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanfold.engine import bodies
from fanfold.engine.bodies import Body, Extent, Store


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a few bytes are a long body already."""
    monkeypatch.setattr(bodies, "SHORT_BYTES", 3)
    monkeypatch.setattr(bodies, "PIECE_BYTES", 4)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


places = st.one_of(st.none(), st.integers(-30, 30))


@settings(deadline=None)
@given(parts=st.lists(st.binary(max_size=12), max_size=5), cuts=st.lists(st.tuples(places, places), max_size=3))
def test_slices_and_joins_are_those_of_bytes(
    folder: Path, parts: list[bytes], cuts: list[tuple[int | None, int | None]]
) -> None:
    store = Store(folder / "law")
    whole = b"".join(parts)
    body = store.join([store.keep(part) for part in parts])
    assert (len(body), bytes(body), bool(body)) == (len(whole), whole, bool(whole))
    for start, stop in cuts:
        body, whole = body[start:stop], whole[start:stop]
        assert bytes(body) == whole
    twice = store.join([body, body])
    assert bytes(twice) == whole + whole
    if isinstance(body, Body):
        assert bytes(store.restore(store.encode(body))) == whole
        assert all(len(piece) <= 4 for piece in body.pieces())


def test_a_join_of_long_parts_writes_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    parts = [store.keep(b"12345"), store.keep(b"67890")]
    before = set(tmp_path.iterdir())
    assert bytes(store.join(parts)) == b"1234567890"
    assert set(tmp_path.iterdir()) == before


def test_files_go_when_nothing_refers_to_them_and_the_state_without_them_is_saved(tmp_path: Path) -> None:
    store = Store(tmp_path)
    kept = store.keep(b"kept on disk")
    part = kept[1:8]
    gone = store.keep(b"gone from disk")
    assert isinstance(gone, Body)
    del gone
    assert len(list(tmp_path.iterdir())) == 2
    store.bury(list(store.dead))
    assert len(list(tmp_path.iterdir())) == 1
    del kept
    store.bury(list(store.dead))
    assert bytes(part) == b"ept on "


def test_files_of_no_body_are_swept(tmp_path: Path) -> None:
    (tmp_path / "stray").write_bytes(b"left by a killed engine")
    store = Store(tmp_path)
    body = store.keep(b"body")
    store.sweep()
    assert bytes(body) == b"body"
    assert not (tmp_path / "stray").exists()


def test_a_file_that_was_cut_is_told_of(tmp_path: Path) -> None:
    store = Store(tmp_path)
    file = store.file("short")
    file.path.write_bytes(b"12")
    with pytest.raises(OSError, match="ends at byte 2, before byte 5"):
        bytes(Body([Extent(file, 0, 5)]))


def test_a_body_is_cut_with_step_one() -> None:
    with pytest.raises(ValueError, match="step 2"):
        Body([])[::2]
