"""Curves of smoke: what they are between their points, and what the alarm makes of the named ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.smoke import ALARM_MDB_M, Smoke
from sim.stimuli import SMOKE_CURVES, piecewise

PHASE_RAISED = 1


def raised_at_ms(curve: str) -> int | None:
    alarm = Smoke()
    for now in range(0, 60_000, 1000):
        if any(phase == PHASE_RAISED for _, phase, _ in alarm.step(SMOKE_CURVES[curve](now), now)):
            return now
    return None


def test_a_curve_is_straight_between_points_and_held_outside() -> None:
    curve = piecewise([(1, 100), (3, 300)])
    assert [curve(t_ms) for t_ms in (-5, 0, 1000, 2000, 3000, 99_000)] == [100, 100, 100, 200, 300, 300]


@pytest.mark.parametrize("points", [[], [(1, 2), (1, 3)], [(2, 1), (1, 1)]])
def test_a_curve_without_rising_time_is_refused(points: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="curve"):
        piecewise(points)


@given(st.integers(-(2**40), 2**40), st.sampled_from(sorted(SMOKE_CURVES)))
def test_every_curve_is_a_possible_obscuration_at_any_time(t_ms: int, name: str) -> None:
    assert 0 <= SMOKE_CURVES[name](t_ms) <= 30_000


def test_fires_raise_the_alarm_and_toast_does_not() -> None:
    assert raised_at_ms("toast") is None
    assert max(SMOKE_CURVES["toast"](t_ms) for t_ms in range(0, 3000, 100)) > ALARM_MDB_M  # it is a near thing
    smouldering, flaming = raised_at_ms("smouldering"), raised_at_ms("flaming")
    assert smouldering is not None
    assert flaming is not None
    assert flaming < smouldering <= 10_000
