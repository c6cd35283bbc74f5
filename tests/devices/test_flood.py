"""The flood alarm's logic: wet and dry confirmed, either polarity, electrodes cut off, short or fouled."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.flood import DIFFER_MS, DRY_MS, DRY_US, OPEN_US, SHORT_US, WET_MS, WET_US, Flood
from devices.logic import NO_SAMPLE
from protocol.wire.codes import ALARM_STANDING, KINDS, PHASES, SENSOR_FAULT

FLOOD, RAISED, RESTORED = KINDS.index("flood"), PHASES.index("raised"), PHASES.index("restored")
DRY, WET = 5, 400

Happened = list[tuple[int, int, int]]  # ms, phase, value


def play(values: list[int], every_ms: int, flood: Flood, start: int = 0) -> Happened:
    happened = []
    for n, value in enumerate(values):
        now = start + n * every_ms
        for kind, phase, level in flood.step(value, now):
            assert kind == FLOOD
            happened.append((now, phase, level))
    return happened


@pytest.mark.parametrize("every_ms", [100, 1000, 2000, 10_000])
def test_water_that_stays_raises_within_two_samples_of_its_time(every_ms: int) -> None:
    flood = Flood()
    play([DRY] * 4, every_ms, flood)
    begins = 4 * every_ms
    ((raised_ms, phase, value),) = play([WET] * 100, every_ms, flood, begins)
    assert (phase, value) == (RAISED, WET)
    assert WET_MS <= raised_ms - begins < WET_MS + 2 * every_ms


def test_a_drop_a_film_and_a_passing_cloth_raise_nothing() -> None:
    assert play([DRY] * 5 + [WET] * 2 + [DRY] * 20, 1000, Flood()) == []
    assert play([DRY_US] * 500 + [WET_US - 1] * 500, 1000, Flood()) == []


def test_it_is_over_after_a_minute_dry_both_ways() -> None:
    flood = Flood()
    play([WET] * 10, 1000, flood)
    assert play([WET_US - 1] * 200, 1000, flood, 10_000) == []
    ((restored_ms, phase, value),) = play([DRY] * 70, 1000, flood, 210_000)
    assert (phase, value) == (RESTORED, DRY)
    assert DRY_MS <= restored_ms - 210_000 <= DRY_MS + 2000
    assert flood.conditions() == 0


def test_the_current_goes_either_way_by_turns() -> None:
    flood, ways = Flood(), []
    for now in range(6):
        ways.append(flood.polarity)
        flood.step(DRY, now)
        flood.step(None, now)
    assert ways == [1, -1, 1, -1, 1, -1]


def test_electrodes_that_are_cut_off_are_a_fault_and_end_no_alarm() -> None:
    flood = Flood()
    assert play([OPEN_US - 1] * 100, 1000, flood) == []
    assert flood.conditions() == SENSOR_FAULT
    flood = Flood()
    play([WET] * 10, 1000, flood)
    assert play([0, NO_SAMPLE] * 100, 1000, flood, 10_000) == []
    assert flood.conditions() == ALARM_STANDING | SENSOR_FAULT
    assert flood.value() == WET


def test_electrodes_that_touch_are_a_fault_and_water() -> None:
    flood = Flood()
    ((_, phase, value),) = play([SHORT_US + 1] * 10, 1000, flood)
    assert (phase, value) == (RAISED, SHORT_US)
    assert flood.conditions() == ALARM_STANDING | SENSOR_FAULT


@pytest.mark.parametrize("blocked", [0, DRY, NO_SAMPLE])
def test_electrodes_that_conduct_one_way_only_are_a_fault_and_water(blocked: int) -> None:
    flood = Flood()
    ((raised_ms, phase, _),) = play([WET, blocked] * 20, 1000, flood)
    assert phase == RAISED
    assert raised_ms >= DIFFER_MS
    assert flood.conditions() == ALARM_STANDING | SENSOR_FAULT


any_sample = st.one_of(st.integers(), st.integers(-5, 50), st.sampled_from((DRY, WET)), st.none())


@given(st.lists(st.tuples(st.integers(0, 90_000), any_sample), max_size=80))
def test_any_samples_give_raised_and_restored_in_turn(steps: list[tuple[int, int | None]]) -> None:
    flood, now, phases = Flood(), 0, []
    for wait, sample in steps:
        now += wait
        phases += [phase for _, phase, _ in flood.step(sample, now)]
        assert bool(flood.conditions() & ALARM_STANDING) == (bool(phases) and phases[-1] == RAISED)
        assert 0 <= flood.value() <= SHORT_US
    assert phases[:1] in ([], [RAISED])
    assert all(earlier != later for earlier, later in pairwise(phases))


@given(st.lists(any_sample, max_size=40), st.integers(1, 5000))
def test_water_that_lasts_alarms_whatever_came_before(before: list[int | None], every_ms: int) -> None:
    flood, now = Flood(), 0
    for sample in [*before, *[WET] * (WET_MS // every_ms + 4)]:
        now += every_ms
        flood.step(sample, now)
    assert flood.conditions() & ALARM_STANDING
