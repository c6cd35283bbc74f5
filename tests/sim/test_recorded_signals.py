"""Recorded signals: what is read of them, and how they go on for ever."""

import gzip
import itertools
import json
from pathlib import Path

import pytest

from protocol.words import Told
from sim.recorded_signals import GAP_MS_MAX, SHARE, Recorded, read_failures, read_rooms

SPAN = 150


def test_the_rooms_that_were_recorded(recorded: Path) -> None:
    found = read_rooms(recorded, SPAN)
    assert [one.name for one in found[:3]] == ["mq2 1", "mq2 2", "mq2 3"]
    assert len(found) == 7  # motes 1 and 4 have events that were made
    for one in found:
        times, values = zip(*one.points, strict=True)
        assert list(times) == sorted(set(times))
        assert max(later - earlier for earlier, later in itertools.pairwise(times)) <= GAP_MS_MAX
        assert min(values) >= 0
        inside = sorted(values)[len(values) // 50 : -len(values) // 50]
        assert inside[0] < inside[-1] <= SHARE * SPAN
        assert 3_000 < one.every_ms < 7_000


def test_the_failures_that_were_recorded(recorded: Path) -> None:
    ambient, machine = read_failures(recorded, SPAN)
    assert (ambient.every_ms, machine.every_ms) == (3_600_000, 300_000)
    assert (len(ambient.wrong_ms), len(machine.wrong_ms)) == (2, 4)
    for one in (ambient, machine):
        assert all(0 < begin < end < one.points[-1][0] for begin, end in one.wrong_ms)


def test_a_recording_goes_there_and_back_for_ever() -> None:
    signal = Recorded("r", [(0, 1.0), (10, 2.0), (30, 4.0)], 10).signal()
    there = [signal(t_ms) for t_ms in range(0, 30, 10)]
    assert there == [1.0, 2.0, 2.0]
    assert [signal(t_ms) for t_ms in (30, 40, 50, 59)] == [4.0, 2.0, 2.0, 1.0]
    assert [signal(60 + t_ms) for t_ms in range(0, 30, 10)] == there
    assert signal(-5) == 1.0


def test_gaps_are_cut_and_steps_back_are_left_out(tmp_path: Path) -> None:
    rows = [
        {"device_id": "a", "ts": ts, "data": {"lpg": lpg}}
        for ts, lpg in ((0, 0.5), (5, 0.6), (5, 0.9), (100_000, 0.7), (100_005, 0.55))
    ]
    for folder, name, data in (
        ("gas_mq2", "raw_data_large.json.gz", json.dumps(rows)),
        ("faults_suthaharan", "single_hop.csv.gz", "mote_id,humidity,temperature,label\n"),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_bytes(gzip.compress(data.encode()))
    (one,) = read_rooms(tmp_path, SPAN)
    assert [t_ms for t_ms, _ in one.points] == [0, 5_000, 5_000 + GAP_MS_MAX, 10_000 + GAP_MS_MAX]


def test_a_folder_without_them_is_told(tmp_path: Path) -> None:
    with pytest.raises(Told, match="cannot be read"):
        read_rooms(tmp_path, SPAN)
    with pytest.raises(Told, match="cannot be read"):
        read_failures(tmp_path, SPAN)
