"""Objects that follow each other are read as one."""

from hypothesis import given
from hypothesis import strategies as st

from fanfold.kinds.pieces import Pieces
from fanfold.model import PartObject


@given(st.lists(st.binary(max_size=9), max_size=6), st.integers(0, 60), st.integers(0, 60))
def test_ranges_over_pieces_are_ranges_of_what_they_join_to(contents: list[bytes], start: int, length: int) -> None:
    reads: list[int] = []

    def read(piece: PartObject, first: int, last: int) -> bytes:
        assert 0 <= first < last <= piece.size_bytes
        reads.append(last - first)
        return contents[int(piece.key)][first:last]

    pieces = Pieces([PartObject(str(number), len(data)) for number, data in enumerate(contents)], read)
    whole = b"".join(contents)
    assert pieces.size_bytes == len(whole)
    assert pieces.read(start, start + length) == whole[start : start + length]
    assert sum(reads) == len(whole[start : start + length])
