"""sim.unpacked: recorded files come out whole, or it is said why not."""

import gzip
from pathlib import Path

import pytest

from protocol.words import Told
from sim import unpacked


def test_a_file_comes_out_the_same_packed_or_not(tmp_path: Path) -> None:
    plain, packed = tmp_path / "log", tmp_path / "log.gz"
    plain.write_bytes(b"recorded")
    packed.write_bytes(gzip.compress(b"recorded"))
    assert unpacked.unpacked(plain) == unpacked.unpacked(packed) == b"recorded"


@pytest.mark.parametrize("data", [b"no gzip", gzip.compress(b"recorded")[:-9]])
def test_a_file_that_is_cut_short_or_not_packed_is_told(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "log.gz").write_bytes(data)
    with pytest.raises(Told, match=r"log\.gz cannot be read"):
        unpacked.unpacked(tmp_path / "log.gz")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(Told, match="cannot be read"):
        unpacked.unpacked(tmp_path / "none")


def test_a_small_file_that_unpacks_to_more_than_the_bound_is_told(tmp_path: Path) -> None:
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(bytes(unpacked.FILE_BYTES_MAX + 1), 1))
    with pytest.raises(Told, match="longer than"):
        unpacked.unpacked(tmp_path / "bomb.gz")
