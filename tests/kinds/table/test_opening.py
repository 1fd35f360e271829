"""What is compressed, or in an encoding that cannot be cut, comes out as its plain text would."""

from __future__ import annotations

import gzip
import io
import json
import struct
import zlib
from itertools import pairwise

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from fanfold.errors import BrokenCompression, DecompressionBomb, EmptyObject, FanfoldError, NotATable, WrongEncoding
from fanfold.kinds import table
from fanfold.kinds.table.opening import containers, feed, working
from fanfold.kinds.table.opening.containers import CONTAINERS
from fanfold.kinds.table.recipe import TableRecipe
from tests.kinds.driver import Result, run
from tests.kinds.table.containers import WRITERS, bgzf, gzip_members, gzip_stored, zstd_frames

HEAD = "id,name,body\n"

rows = st.lists(
    st.tuples(st.integers(0, 10**6), st.text('ab,"\n \x1f\x8b\x08', max_size=6), st.sampled_from(["x", "ä€", ""])),
    max_size=40,
)
writers = st.sampled_from(sorted(WRITERS))


@st.composite
def texts(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """A table, and the same cut anywhere."""
    lines = (f'{number},"{name.replace(chr(34), chr(34) * 2)}",{body}\n' for number, name, body in draw(rows))
    text = (HEAD + "".join(lines)).encode()
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=5)))
    edges = [0, *cuts, len(text)]
    return text, [text[start:stop] for start, stop in pairwise(edges)]


def opened(data: bytes, chunk: int | str = "auto", seed: int | None = None, **fields: object) -> Result:
    return run(table, data, TableRecipe(chunk=chunk, **fields), seed=seed)


def outputs(data: bytes, **fields: object) -> dict[str, bytes]:
    return run(table, data, TableRecipe(**fields)).outputs


@given(texts(), writers, st.integers(1, 200), st.integers(0, 9), st.booleans())
def test_rows_are_those_of_the_plain_object(
    text: tuple[bytes, list[bytes]], writer: str, chunk: int, seed: int, small: bool
) -> None:
    """However it was compressed and cut, at any chunk and in any order of the workers."""
    with pytest.MonkeyPatch.context() as patch:
        if small:
            patch.setattr(feed, "READ_BYTES", 16)
            patch.setattr(working, "READ_BYTES", 16)
            patch.setattr(working, "PIECE_BYTES", 20)
            patch.setattr(containers, "IN_BYTES", 5)
            patch.setattr(containers, "OUT_BYTES", 7)
        result = opened(WRITERS[writer](text[1]), chunk, seed, rejects="100%")
    assert result.outputs == outputs(text[0], rejects="100%")


@pytest.mark.parametrize("writer", sorted(WRITERS))
@pytest.mark.parametrize("output", ["parquet", "csv", "jsonl"])
def test_outputs_are_the_bytes_of_the_plain_object(writer: str, output: str) -> None:
    pieces = [b"n,at,word\n", *(b'%d,2024-01-%02d,"w\n%d"\n' % (n, n % 28 + 1, n % 7) for n in range(5000))]
    joined = [b"".join(pieces[at : at + 500]) for at in range(0, len(pieces), 500)]
    result = opened(WRITERS[writer](joined), 2000, 1, output=output)
    assert result.outputs == outputs(b"".join(pieces), output=output)
    assert len(result.rounds[0]) > 1
    assert all(len(lines) for lines in result.rounds)


def test_units_are_opened_by_many_workers() -> None:
    """Each reads its own span, and what its last unit has beyond it."""
    text = b"a,b\n" + b"".join(b"%d,%d\n" % (n, n * n) for n in range(200_000))
    packed = bgzf([text])
    result = opened(packed, 64 << 10)
    assert len(result.rounds) == 2, "every guess was right"
    lines = result.rounds[0]
    assert len(lines) > 10
    assert max(result.reads[line.id] for line in lines) <= (64 << 10) + feed.READ_BYTES + (64 << 10)
    assert result.stats["rows"] == 200_000


FALSE = b"\x1f\x8b\x08\x08ABCD\x02\x03"
"""Looks like a gzip member."""


@pytest.mark.parametrize("chunk", [7, 50, 1000])
def test_what_only_looks_like_a_member_does_not_hurt(chunk: int) -> None:
    """Be it the first bytes of one, or a whole one that was compressed once more."""
    whole = gzip.compress(b"1,2\n" * 9, mtime=int.from_bytes(b"abcd", "little")).replace(b"\0", b"")
    for sign in (FALSE, whole):
        text = b"a,b\n" + b"".join(b'%d,"%s"\n' % (n, sign) for n in range(30))
        result = opened(gzip_stored([text]), chunk, encoding="latin-1", rejects="100%")
        assert result.outputs == outputs(text, encoding="latin-1", rejects="100%")


def test_a_nested_member_is_found_and_passed_over() -> None:
    """Stored members inside a member inflate too, but the chain goes by them."""
    nested = gzip_members([b"1\n", b"2\n"]) * 3
    text = b"a\n" + b"plain\n" * 12_000 + nested + b"\n"
    packed = gzip_stored([text, b"last\n"])
    fields: dict[str, object] = {"encoding": "latin-1", "quote": None, "rejects": "100%"}
    result = opened(packed, 9000, **fields)
    assert result.outputs == outputs(text + b"last\n", **fields)
    assert any("pin" in line.span for line in result.rounds[1]), "a guess was wrong"


@pytest.mark.parametrize("encoding", ["utf-7", "iso2022_jp", "hz", "cp037", "iso2022_kr"])
def test_encodings_that_cannot_be_cut_are_decoded_first(encoding: str) -> None:
    """In one stream; then the text is split like any other."""
    text = "a,b\n" + "".join(f'{n},"日本 {n}\n"\n' if encoding != "cp037" else f'{n},"é\n"\n' for n in range(300))
    if encoding in ("iso2022_kr", "hz"):
        text = text.replace("日本", "中" if encoding == "hz" else "한글")
    for data in (text.encode(encoding), gzip.compress(text.encode(encoding))):
        result = opened(data, 100, encoding=encoding)
        assert result.outputs == outputs(text.encode())
        assert (len(result.rounds[0]), len(result.rounds[1]) > 10) == (1, True)


def test_a_delimiter_that_can_be_half_a_character_is_no_hindrance() -> None:
    half = b"\x81|".decode("gbk")
    text = "a|b\n" + "".join(f"{n}|{half}\n" for n in range(99))
    expected = outputs(text.encode(), delimiter="|")
    assert opened(text.encode("gbk"), 20, encoding="gbk", delimiter="|").outputs == expected
    assert opened(gzip.compress(text.encode("gbk")), 20, encoding="gbk").outputs == expected


TEXT = b"a,b\n" + b"".join(b"%d,%d\n" % (n, n * n) for n in range(9000))


def refusal(data: bytes, chunk: int | str = "auto", **fields: object) -> FanfoldError:
    with pytest.raises(FanfoldError) as caught:
        opened(data, chunk, **fields)
    assert "\n" not in str(caught.value)
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize("chunk", ["auto", 1000])
@pytest.mark.parametrize("writer", sorted(WRITERS))
def test_data_that_ends_too_early_is_never_half_a_table(writer: str, chunk: int | str) -> None:
    packed = WRITERS[writer]([TEXT[:20_000], TEXT[20_000:]])
    told = refusal(packed[: len(packed) * 2 // 3], chunk)
    assert isinstance(told, BrokenCompression)
    assert "the data ends in the middle of a" in str(told)


@pytest.mark.parametrize("chunk", ["auto", 1000])
@pytest.mark.parametrize("writer", sorted(set(WRITERS) - {"zstd_frames", "zstd_seekable"}))
def test_a_wrong_bit_is_found_by_the_checksum(writer: str, chunk: int | str) -> None:
    packed = bytearray(WRITERS[writer]([TEXT[:20_000], TEXT[20_000:]]))
    packed[len(packed) // 2] ^= 0x10
    assert isinstance(refusal(bytes(packed), chunk), BrokenCompression)


@pytest.mark.parametrize("chunk", ["auto", 900])
@pytest.mark.parametrize("writer", sorted(WRITERS))
def test_zeros_behind_the_last_unit_are_padding_and_anything_else_is_refused(writer: str, chunk: int | str) -> None:
    packed = WRITERS[writer]([TEXT])
    assert opened(packed + bytes(5000), chunk).outputs == outputs(TEXT)
    told = refusal(packed + bytes(2000) + b"x", chunk)
    assert isinstance(told, BrokenCompression)
    assert f"byte {len(packed):,} of the object follows a whole" in str(told)


@pytest.mark.parametrize("writer", sorted(WRITERS))
def test_what_holds_nothing_is_empty(writer: str) -> None:
    told = refusal(WRITERS[writer]([b""]))
    assert isinstance(told, EmptyObject)
    assert "inflates to nothing" in str(told)


@pytest.mark.parametrize("writer", sorted(WRITERS))
def test_what_is_inside_must_be_a_table(writer: str) -> None:
    inside = b"\x89PNG\r\n\x1a\n" + bytes(100)
    assert isinstance(refusal(WRITERS[writer]([inside])), NotATable)


def test_text_that_does_not_decode_is_refused_with_its_place() -> None:
    data = ("a,b\n" + "日本,1\n" * 9000).encode("iso2022_jp") + b"\xff,2\n"
    told = refusal(data, encoding="iso2022_jp")
    assert isinstance(told, WrongEncoding)
    assert "does not decode as iso2022_jp, near byte 0: illegal multibyte sequence" in str(told)


def zeros(count: int) -> bytes:
    """A gzip of zeros behind a header, made a MiB at a time."""
    engine = zlib.compressobj(9, wbits=31)
    return b"".join(
        [engine.compress(b"a,b\n"), *(engine.compress(b"0" * (1 << 20)) for _ in range(count)), engine.flush()]
    )


def test_a_bomb_is_stopped_by_its_ratio(monkeypatch: pytest.MonkeyPatch) -> None:
    """Early: by then it was given one read's worth of data, and one step's of what that inflates to."""
    monkeypatch.setattr(working, "RATIO_FREE_BYTES", 8 << 20)
    told = refusal(zeros(64))
    assert isinstance(told, DecompressionBomb)
    reached = int(str(told).split("inflate to ")[1].split(" ")[0].replace(",", ""))
    assert reached <= working.RATIO_LIMIT * containers.IN_BYTES + containers.OUT_BYTES


def test_an_object_that_inflates_to_too_much_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one worker, or by the sum over all of them."""
    monkeypatch.setattr(working, "INFLATED_LIMIT_BYTES", 30_000)
    assert isinstance(refusal(gzip_members([TEXT])), DecompressionBomb)
    many = gzip_members([TEXT[at : at + 500] for at in range(0, len(TEXT), 500)])
    told = refusal(many, 2000)
    assert isinstance(told, DecompressionBomb)
    assert f"inflates to {len(TEXT):,} bytes" in str(told)


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (b"\x28\xb5\x2f\xfd\x00\xff" + bytes(9), "needs a window of 4,123,168,604,160 bytes; the limit is"),
        (b"\x28\xb5\x2f\xfd\x08\x00" + bytes(9), "sets a reserved bit"),
        (b"\x28\xb5\x2f\xfd\x01\x00\x07" + bytes(9), "needs a dictionary"),
        (b"\x28\xb5\x2f\xfd\x00\x00\x07\0\0" + bytes(9), "a block's header is not valid"),
    ],
)
def test_frames_that_no_decoder_takes_are_refused(frame: bytes, says: str) -> None:
    told = refusal(zstd_frames([TEXT]) + frame)
    assert isinstance(told, BrokenCompression)
    assert says in str(told)


def test_a_frame_of_runs_and_raw_blocks_is_walked() -> None:
    """RFC 8878, section 3.1.1.2: a run of one byte has one byte, whatever it stands for."""
    raw = b"a,b\n1,2\n3,"
    blocks = struct.pack("<I", len(raw) << 3)[:3] + raw + struct.pack("<I", 9 << 3 | 1 << 1 | 1)[:3] + b"4"
    frame = b"\x28\xb5\x2f\xfd\x00\x58" + blocks
    assert zstandard.ZstdDecompressor().stream_reader(io.BytesIO(frame)).read() == raw + b"4" * 9
    assert opened(frame + zstd_frames([b"\n5,6\n"]), 9).outputs == outputs(raw + b"4" * 9 + b"\n5,6\n")


@pytest.mark.parametrize(
    ("data", "key", "is_table"),
    [
        (gzip.compress(b"a,b\n1,2\n3,4\n"), "x", True),
        (gzip.compress(b"nothing of a table"), "x", False),
        (gzip.compress(b"nothing of a table"), "x.csv.gz", True),
        (gzip.compress(b"\x89PNG" + bytes(99)), "x.csv.gz", False),
        (zstd_frames([b"a,b\n1,2\n"]), "x.csv.zst", True),
        (zstd_frames([b"a,b\n1,2\n"]), "x", False),
        (WRITERS["bzip2_streams"]([TEXT * 50]), "x.JSONL.BZ2", True),
        (WRITERS["bzip2_streams"]([TEXT * 50]), "x.bz2", False),
        (b"BZhotels,b\n1,2\n", "x", True),
    ],
)
def test_intake_tells_a_compressed_table(data: bytes, key: str, is_table: bool) -> None:
    """By what its first 4 KiB inflate to, or by the key where they tell nothing."""
    assert table.sniff(data[:4096], key) is is_table


def test_a_head_is_not_inflated_beyond_what_is_looked_at() -> None:
    """4 KiB of a bomb are 4 MiB of zeros."""
    found = containers.beginning(CONTAINERS["gzip"], zeros(16)[:4096], 100)
    assert found == b"a,b\n" + b"0" * 96


def test_rejects_tell_their_place_in_the_text() -> None:
    result = opened(bgzf([b"a,b\n1,2\nshort\n"]), rejects="100%")
    assert json.loads(result.outputs["rejects.jsonl"])["offset"] == 8
