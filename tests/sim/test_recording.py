"""Recorded fires: real files as they are, and broken ones refused with a sentence."""

from __future__ import annotations

import gzip
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.words import Told
from sim.recording import _points, activations_beside, read_activations, read_fire

GOOD = "TIME,TCA_1,SMA_1\n0,20,1.0E-03\n2,20,\n4,20,nan\n3,20,0.5\n6,20,2.0E-02\n6,20,9\nx,20,1\n8,20,-0.1\n"


def test_blank_wrong_and_backward_rows_are_skipped_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "NIST_Smoke_Alarms_SDC99.csv"
    path.write_text(GOOD)
    fire = read_fire(path, "SMA_1")
    assert (fire.name, fire.column, fire.skipped) == ("SDC99", "SMA_1", 4)
    assert fire.points == ((0, 10), (3, 5000), (6, 200), (8, 0))  # OD 1/m x 10 = dB/m, in mdB/m
    assert fire.seconds == 8


@given(st.lists(st.tuples(st.none() | st.text(max_size=8), st.none() | st.text(max_size=8))))
def test_any_cells_give_points_whose_time_rises(cells: list[tuple[str | None, str | None]]) -> None:
    points, skipped = _points(cells)
    assert len(points) + skipped == len(cells)
    assert all(earlier < later for (earlier, _), (later, _) in pairwise(points))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("missing.csv", None),
        ("empty.csv", b""),
        ("other.csv", b"a,b\n1,2\n"),
        ("column.csv", b"TIME,SMB_1\n1,2\n"),
        ("blank.csv", b"TIME,SMA_1\n1,\n"),
        ("cut.csv.gz", gzip.compress(GOOD.encode(), mtime=0)[:-12]),
        ("garbage.csv.gz", b"\x00\xff" * 100),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_recording_is_told_with_its_name(tmp_path: Path, name: str, data: bytes | None) -> None:
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(Told, match=name):
        read_fire(path, "SMA_1")


def test_the_four_fires_and_their_real_alarms(recorded: Path) -> None:
    folder = recorded / "smoke_nist_tn1455"
    for path in sorted(folder.glob("NIST*.csv.gz")):
        fire = read_fire(path, "SMA_1")
        assert max(value for _, value in fire.points) > 150, path.name
        beside = activations_beside(path)
        assert beside is not None
        sounded = read_activations(beside, fire.name)
        assert len(sounded) > 10
        assert 20 <= min(sounded.values()) <= max(sounded.values()) <= 202
