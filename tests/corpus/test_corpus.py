"""Real tables: a share of those in the environment, each small, the same ones in every run."""

from __future__ import annotations

import bz2
import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.corpus.checking import check
from tests.corpus.finding import Table, homes, tables

SAMPLES = Path(__file__).parents[2] / "samples"

SHARE = 20
SMALL_BYTES = 64 << 10

FOUND = [*tables([SAMPLES], 1 << 20), *sorted(tables(homes(), SMALL_BYTES), key=lambda table: table.name)[:SHARE]]


@pytest.mark.parametrize("table", FOUND, ids=lambda table: Path(table.name).name)
def test_a_real_table_is_what_the_standard_reader_reads(table: Table) -> None:
    """With the dialect that the splitter found, in chunks of two sizes."""
    outcome = check(table, (1009, 16_411))
    assert not outcome.mismatch
    assert outcome.checked or outcome.refused


def test_the_samples_need_no_repair_and_are_read_with_the_delimiter_of_their_name() -> None:
    """Ordinary tables: each guess is right."""
    for table in tables([SAMPLES], 1 << 20):
        outcome = check(table, (509,))
        assert outcome.delimiter == outcome.by_name == outcome.by_sniffer
        assert [one.repaired for one in outcome.checked] == [0]
        assert outcome.checked[0].boundaries > 50


def test_tables_are_found_in_archives_and_once(tmp_path: Path) -> None:
    """Packed or not, equal bytes are one table, and what only has the name of one is none."""
    one, two, three, four = (f"a,b\n{number},x\n".encode() for number in range(4))
    (tmp_path / "one.csv").write_bytes(one)
    (tmp_path / "again.CSV").write_bytes(one)
    (tmp_path / "._one.csv").write_bytes(b"\0\5\x16\7")
    (tmp_path / "two.tsv.gz").write_bytes(gzip.compress(two))
    (tmp_path / "broken.csv.gz").write_bytes(gzip.compress(two)[:-9])
    (tmp_path / "three.csv.bz2").write_bytes(bz2.compress(three))
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as packed:
        packed.writestr("in/four.csv", four)
        packed.writestr("in/readme.txt", "no table")
    with tarfile.open(tmp_path / "t.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("empty.csv")
        archive.addfile(member, io.BytesIO())
    names = {Path(table.name).name: table.data for table in tables([tmp_path], 1 << 20)}
    assert names == {"again.CSV": one, "two.tsv.gz": two, "three.csv.bz2": three, "four.csv": four}
