"""The gas alarm's logic: thresholds, its time to the alarm, warm-up, suspect sensors, end of life."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.gas import ALARM_PML, CLEAR_MS, CLEAR_PML, LIFE_MS, RANGE_MAX_PML, VERIFY_MS, WARM_UP_MS, Gas
from devices.logic import NO_SAMPLE
from protocol.wire.codes import ALARM_STANDING, END_OF_LIFE, KINDS, PHASES, SENSOR_FAULT, WARMING_UP

GAS, RAISED, RESTORED = KINDS.index("gas"), PHASES.index("raised"), PHASES.index("restored")
STANDARD_MS = (15_000, 60_000)  # GB 15322.2 of 2026: no sooner and no later

Happened = list[tuple[int, int, int]]  # ms, phase, value


def play(values: list[int], every_ms: int, gas: Gas, start: int = 0) -> Happened:
    happened = []
    for n, value in enumerate(values):
        now = start + n * every_ms
        for kind, phase, level in gas.step(value, now):
            assert kind == GAS
            happened.append((now, phase, level))
    return happened


def warm() -> Gas:
    return Gas(warm=True)


@pytest.mark.parametrize("every_ms", [100, 1000, 5000, 20_000])
def test_the_alarm_comes_from_15_to_60_s_after_the_gas_at_any_sample_rate(every_ms: int) -> None:
    ((raised_ms, phase, value),) = play([ALARM_PML] * 1000, every_ms, warm())
    assert (phase, value) == (RAISED, ALARM_PML)
    least, most = STANDARD_MS
    assert least <= raised_ms <= most
    assert VERIFY_MS <= raised_ms < VERIFY_MS + every_ms


def test_a_whiff_of_ten_seconds_is_no_alarm() -> None:
    assert play([300] * 10 + [0] * 60, 1000, warm()) == []


def test_just_below_the_threshold_is_no_alarm() -> None:
    assert play([ALARM_PML - 1] * 500, 1000, warm()) == []


def test_it_is_over_after_a_minute_below_half_and_not_before() -> None:
    gas = warm()
    assert len(play([300] * 30, 1000, gas)) == 1
    assert play([CLEAR_PML] * 200, 1000, gas, 30_000) == []
    assert play([CLEAR_PML - 1] * 61, 1000, gas, 230_000) == [(230_000 + CLEAR_MS, RESTORED, CLEAR_PML - 1)]
    assert gas.conditions() == 0


def test_while_it_warms_up_it_says_so_and_raises_nothing() -> None:
    gas = Gas()
    assert play([RANGE_MAX_PML + 5] * (WARM_UP_MS // 1000), 1000, gas, 7000) == []
    assert (gas.conditions(), gas.value(), gas.deadline()) == (WARMING_UP, 0, 7000 + WARM_UP_MS)
    gas.step(None, 7000 + WARM_UP_MS)
    assert (gas.conditions(), gas.deadline()) == (0, None)


def test_gas_that_is_there_at_the_start_is_raised_once_it_is_warm() -> None:
    ((raised_ms, phase, _),) = play([300] * 600, 1000, Gas())
    assert phase == RAISED
    assert raised_ms <= WARM_UP_MS + STANDARD_MS[1]


def test_a_broken_sensor_is_a_fault_and_ends_no_alarm() -> None:
    gas = warm()
    play([300] * 30, 1000, gas)
    assert play([NO_SAMPLE] * 500, 1000, gas, 30_000) == []
    assert gas.conditions() == ALARM_STANDING | SENSOR_FAULT
    assert gas.value() == 300


def test_a_reading_beyond_its_range_is_a_fault_and_gas() -> None:
    gas = warm()
    ((_, phase, value),) = play([RANGE_MAX_PML + 1] * 30, 1000, gas)
    assert (phase, value) == (RAISED, RANGE_MAX_PML)
    assert gas.conditions() == ALARM_STANDING | SENSOR_FAULT


def test_after_five_years_it_is_a_fault_and_still_alarms() -> None:
    gas = Gas((LIFE_MS - 1000,), warm=True)
    gas.step(0, 0)
    assert gas.conditions() == 0
    gas.step(None, 1000)
    assert gas.conditions() == SENSOR_FAULT | END_OF_LIFE
    assert len(play([300] * 30, 1000, gas, 2000)) == 1
    assert gas.kept() == (LIFE_MS + 30_000,)


any_sample = st.one_of(st.integers(), st.integers(-10, 300), st.none())
steps = st.lists(st.tuples(st.integers(0, 90_000), any_sample), max_size=80)


@given(steps, st.booleans())
def test_any_samples_give_raised_and_restored_in_turn(taken: list[tuple[int, int | None]], is_warm: bool) -> None:
    gas, now, phases = Gas(warm=is_warm), 0, []
    for wait, sample in taken:
        now += wait
        phases += [phase for _, phase, _ in gas.step(sample, now)]
        assert bool(gas.conditions() & ALARM_STANDING) == (bool(phases) and phases[-1] == RAISED)
        assert 0 <= gas.value() <= RANGE_MAX_PML
        due = gas.deadline()
        assert due is None or due > now
    assert phases[:1] in ([], [RAISED])
    assert all(earlier != later for earlier, later in pairwise(phases))


@given(st.lists(any_sample, max_size=40), st.integers(1, 5000))
def test_gas_that_lasts_alarms_whatever_came_before(before: list[int | None], every_ms: int) -> None:
    gas, now = Gas(), 0
    lasting = [300] * ((WARM_UP_MS + VERIFY_MS) // every_ms + 3)
    for sample in [*before, *lasting[:5000]]:
        now += every_ms
        gas.step(sample, now)
    assert gas.conditions() & (ALARM_STANDING | WARMING_UP)
    if len(lasting) <= 5000:
        assert gas.conditions() & ALARM_STANDING
