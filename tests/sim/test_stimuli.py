"""Curves of smoke, gas and water: what they are between their points, and what the alarms make of the named ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.flood import DRY_US, SHORT_US, WET_US, Flood
from devices.gas import ALARM_PML, CLEAR_PML, RANGE_MAX_PML, Gas
from devices.logic import Logic
from devices.smoke import ALARM_MDB_M, Smoke
from sim.stimuli import (
    AIRED_PER_H,
    BURNER_M3_H,
    CLOSED_PER_H,
    GAS_CURVES,
    KITCHEN_M3,
    LEL,
    SMOKE_CURVES,
    WATER_CURVES,
    Curve,
    leak,
    piecewise,
)

PHASE_RAISED = 1


def raised_at_ms(curve: str) -> int | None:
    return raised_by(Smoke(), SMOKE_CURVES[curve], 60_000)


def raised_by(alarm: Logic, curve: Curve, within_ms: int) -> int | None:
    for now in range(0, within_ms, 1000):
        if any(phase == PHASE_RAISED for _, phase, _ in alarm.step(curve(now), now)):
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


HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("curve", "from_s", "to_s"),
    [("hose", 240, 320), ("pipe", 90, 150), ("unlit", 16 * 60, 19 * 60), ("whiff", None, None), ("no_gas", None, None)],
)
def test_leaks_raise_the_gas_alarm_and_a_whiff_does_not(curve: str, from_s: int | None, to_s: int | None) -> None:
    raised_ms = raised_by(Gas(warm=True), GAS_CURVES[curve], HOUR_MS)
    if from_s is None or to_s is None:
        assert raised_ms is None
    else:
        assert raised_ms is not None
        assert from_s * 1000 <= raised_ms <= to_s * 1000
    assert max(GAS_CURVES["whiff"](t_ms) for t_ms in range(0, 20_000, 100)) > ALARM_PML


def test_a_leak_settles_where_as_much_gas_goes_as_comes() -> None:
    settled = GAS_CURVES["unlit"](1000 * HOUR_MS) / 1000 * LEL
    assert BURNER_M3_H * (1 - settled) == pytest.approx(CLOSED_PER_H * KITCHEN_M3 * settled, rel=0.01)
    assert settled < LEL


def test_aired_gas_thins_out_by_the_changes_of_air() -> None:
    curve = leak(0.0, AIRED_PER_H, begins=0.8)
    assert curve(0) == 800
    assert curve(HOUR_MS // int(AIRED_PER_H)) == pytest.approx(800 / 2.718, abs=2)
    assert GAS_CURVES["airing"](300_000) < CLEAR_PML


@pytest.mark.parametrize(
    ("curve", "from_s", "to_s"), [("burst", 25, 40), ("drip", 600, 650), ("splash", None, None), ("damp", None, None)]
)
def test_floods_raise_the_alarm_and_splashes_do_not(curve: str, from_s: int | None, to_s: int | None) -> None:
    raised_ms = raised_by(Flood(), WATER_CURVES[curve], HOUR_MS)
    if from_s is None or to_s is None:
        assert raised_ms is None
    else:
        assert raised_ms is not None
        assert from_s * 1000 <= raised_ms <= to_s * 1000


def test_a_drained_floor_is_dry_in_two_minutes() -> None:
    assert WATER_CURVES["draining"](0) > WET_US
    assert WATER_CURVES["draining"](120_000) < DRY_US


@given(st.integers(-(2**40), 2**40), st.sampled_from(sorted(GAS_CURVES)), st.sampled_from(sorted(WATER_CURVES)))
def test_every_curve_of_gas_and_water_is_a_possible_reading_at_any_time(t_ms: int, gas: str, water: str) -> None:
    assert 0 <= GAS_CURVES[gas](t_ms) <= 20 * RANGE_MAX_PML
    assert 0 <= WATER_CURVES[water](t_ms) <= SHORT_US
