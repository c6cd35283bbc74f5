"""A receiver's log played into the bracelet, for real: where the centre sees each press."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from protocol.geo import Position
from sim.bracelet import located
from sim.gnss_log import Piece, read_checked, read_log
from sim.replay_nmea import replay

BEGUN = datetime(2026, 11, 26, tzinfo=UTC)


def log(seconds: int) -> list[Piece]:
    """A receiver that goes north, 1e-5 degree a second."""
    return [
        Piece(n * 1000, b"".join(located(Position(400_000_000 + n * 100, 1_160_000_000, 0, 50, 1, 9), when)))
        for n in range(seconds)
        for when in [BEGUN + timedelta(seconds=n)]
    ]


def test_each_press_is_at_the_centre_with_the_position_of_its_second_and_another_is_told_from_it() -> None:
    checked = {n * 1000: (400_000_000 + n * 100, 1_160_000_000) for n in range(30)}
    found = replay(log(30), checked, 10)
    assert (found.good, found.sound, found.differing) == (True, True, 0)
    assert found.compared == len(found.presses) >= 3
    assert found.as_json()["good"] is True
    wrong = replay(log(8), dict.fromkeys(checked, (0, 0)), 10)
    assert (wrong.good, wrong.sound) == (False, True)
    assert wrong.differing == wrong.compared >= 1


@pytest.mark.night
def test_a_recorded_receiver_is_at_the_centre_where_gpsd_says(recorded: Path) -> None:
    path = recorded / "gnss" / "quectel-l76k-nmea.log"
    found = replay(read_log(path), read_checked(path), 10)
    assert found.good
    assert found.compared >= 20
