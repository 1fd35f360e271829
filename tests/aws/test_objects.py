"""Objects: reads pinned to a version, and outputs assembled from pieces without moving what S3 can copy."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanfold.aws import objects
from fanfold.aws.objects import PART_MAX_BYTES, PART_MIN_BYTES, PARTS_MAX, S3Source, head, upload_parts
from fanfold.aws.stores import Stores
from fanfold.errors import SourceChanged, SourceGone
from fanfold.model import Copied, ObjectRef, Piece
from tests.fakes import uploaded

MIB = 1 << 20
sizes = st.one_of(st.integers(0, 3), st.integers(1, 30 * MIB), st.integers(PART_MAX_BYTES, 3 * PART_MAX_BYTES))


def size(piece: Piece) -> int:
    return len(piece) if isinstance(piece, bytes) else piece.stop - piece.start


@given(st.lists(st.one_of(st.binary(max_size=8), sizes), min_size=1, max_size=40))
def test_parts_hold_the_pieces_in_order_within_the_limits_of_s3(given_pieces: list[bytes | int]) -> None:
    pieces: list[Piece] = [
        made if isinstance(made, bytes) else Copied(f"k{number}", 7, 7 + made)
        for number, made in enumerate(given_pieces)
    ]
    total = sum(map(size, pieces))
    parts = list(upload_parts(pieces, total))

    def ranges(flat: list[Piece]) -> list[Any]:
        """Join neighbours again, so that only order and content count."""
        joined: list[Any] = []
        for piece in flat:
            last = joined[-1] if joined else None
            if isinstance(piece, bytes):
                joined[-1:] = [last + piece] if isinstance(last, bytes) else [*joined[-1:], piece]
            elif isinstance(last, Copied) and (last.key, last.stop) == (piece.key, piece.start):
                joined[-1] = Copied(piece.key, last.start, piece.stop)
            elif size(piece):
                joined.append(piece)
        return [piece for piece in joined if size(piece)]

    assert ranges([piece for part in parts for piece in part]) == ranges(pieces)
    lengths = [sum(map(size, part)) for part in parts]
    assert all(length >= PART_MIN_BYTES for length in lengths[:-1])
    assert all(length <= PART_MAX_BYTES for length in lengths)
    assert len(parts) <= PARTS_MAX
    # What passes through memory is what is read: parts that are no single copied piece.
    read = [part for part in parts if len(part) > 1 or isinstance(part[0], bytes)]
    assert all(sum(map(size, part)) < 4 * max(PART_MIN_BYTES, 2 * total // PARTS_MAX) for part in read)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_object_is_the_pieces_joined(seed: int) -> None:
    from moto import mock_aws

    from tests.fakes import made_stores

    chance = random.Random(seed)
    with mock_aws():
        stores = made_stores()
        pieces: list[Piece] = []
        wanted = b""
        for number in range(chance.randint(1, 6)):
            body = chance.randbytes(chance.choice([0, 3, 100_000, 5 * MIB, 6 * MIB + 1, 11 * MIB]))
            if len(body) < 100_000 and chance.random() < 0.5:
                pieces.append(body)
                wanted += body
                continue
            stores.work.put(f"p{number}", body)
            start = chance.randint(0, len(body))
            pieces.append(Copied(f"p{number}", start, len(body)))
            wanted += body[start:]
        written = stores.outputs.assemble("rows", pieces, stores.work, "text/csv")
        assert stores.outputs.get("rows") == wanted
        assert written == len(wanted)


def test_a_large_piece_is_copied_by_s3_and_only_small_ones_are_read(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        stores.work.put(f"p{number}", bytes(8 * MIB))
    read: list[int] = []
    plain = objects.Bucket.read
    monkeypatch.setattr(
        objects.Bucket,
        "read",
        lambda bucket, key, start, stop: read.append(stop - start) or plain(bucket, key, start, stop),
    )
    copied = [Copied(f"p{number}", 0, 8 * MIB) for number in range(3)]
    stores.outputs.assemble("rows", [b"header\n", *copied], stores.work, "text/csv")
    assert sum(read) < 17 * MIB
    assert len(stores.outputs.get("rows")) == 24 * MIB + 7
    read.clear()
    stores.outputs.assemble("rows", copied, stores.work, "text/csv")
    assert read == []


def test_an_assembly_that_fails_leaves_no_upload_behind(stores: Stores) -> None:
    stores.work.put("p", bytes(8 * MIB))
    with pytest.raises(SourceGone):
        stores.outputs.assemble("rows", [Copied("p", 0, 8 * MIB), Copied("gone", 0, 8 * MIB)], stores.work, "x/y")
    assert "Uploads" not in stores.account.client("s3").list_multipart_uploads(Bucket="outputs")
    assert stores.outputs.find("rows") is None


@pytest.mark.parametrize(("start", "stop"), [(0, 3), (1, 2), (3, 8 * MIB)])
def test_a_piece_of_any_size_is_copied_by_s3(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, start: int, stop: int
) -> None:
    body = random.Random(1).randbytes(8 * MIB)
    stores.work.put("p", body)
    with monkeypatch.context() as patch:
        patch.setattr(objects.Bucket, "read", None)
        stores.outputs.copy("a/b.m4s", Copied("p", start, stop), stores.work, "video/iso.segment")
    assert stores.outputs.get("a/b.m4s") == body[start:stop]


def test_a_copy_that_fails_leaves_no_upload_behind(stores: Stores) -> None:
    with pytest.raises(SourceGone):
        stores.outputs.copy("a", Copied("gone", 0, 9), stores.work, "x/y")
    assert "Uploads" not in stores.outputs.client.list_multipart_uploads(Bucket="outputs")


def test_many_objects_are_deleted_in_a_few_requests(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "DELETED_AT_ONCE", 3)
    keys = [f"k{number}" for number in range(7)]
    for key in keys:
        stores.outputs.put(key, b"")
    stores.outputs.delete_all([*keys[1:], "never there"])
    assert stores.outputs.keys("k") == ["k0"]
    stores.outputs.delete_all([])


def test_a_read_is_its_range_cut_at_the_end(stores: Stores) -> None:
    source = stores.open(uploaded(stores, b"0123456789").source)
    assert (source.read(2, 5), source.read(8, 99), source.read(10, 20)) == (b"234", b"89", b"")


def test_a_planned_version_is_read_on_after_it_was_overwritten(stores: Stores) -> None:
    old = uploaded(stores, b"old")
    uploaded(stores, b"new")
    assert stores.open(old.source).read(0, 9) == b"old"


def test_without_a_version_a_changed_object_is_refused(stores: Stores) -> None:
    made = uploaded(stores, b"old").source
    pinned = ObjectRef(made.bucket, made.key, made.size_bytes, made.etag)
    uploaded(stores, b"new")
    with pytest.raises(SourceChanged, match=r"s3://uploads/orders/a\.csv"):
        S3Source(stores.account.client("s3"), pinned).read(0, 3)


def test_a_deleted_object_is_named(stores: Stores) -> None:
    made = uploaded(stores, b"old").source
    stores.account.client("s3").delete_object(Bucket=made.bucket, Key=made.key, VersionId=made.version_id)
    with pytest.raises(SourceGone, match=r"s3://uploads/orders/a\.csv"):
        stores.open(made).read(0, 3)


@pytest.mark.parametrize("body", [b"", b"short", b"x" * 5000])
def test_a_head_is_one_look_at_the_object(stores: Stores, body: bytes) -> None:
    job = uploaded(stores, body)
    found = head(stores.account, "uploads", job.source.key, job.source.version_id, 4096)
    assert found.ref == job.source
    assert found.first_bytes == body[:4096]
