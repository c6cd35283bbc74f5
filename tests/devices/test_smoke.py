"""The smoke alarm's logic: thresholds, spikes, waves of smoke, suspect sensors, recorded fires."""

from __future__ import annotations

import csv
import gzip
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.logic import NO_SAMPLE
from devices.measure import FAULT_CLEAR_MS
from devices.smoke import (
    ALARM_MDB_M,
    BASELINE_CLEAN_MDB_M,
    BASELINE_MAX_MDB_M,
    BASELINE_STEP_MS,
    CLEAR_MDB_M,
    CLEAR_MS,
    LIFE_MS,
    RANGE_MAX_MDB_M,
    VERIFY_MS,
    Smoke,
)
from protocol.wire.codes import ALARM_STANDING, END_OF_LIFE, KINDS, PHASES, SENSOR_FAULT

SMOKE, RAISED, RESTORED = KINDS.index("smoke"), PHASES.index("raised"), PHASES.index("restored")
THICK, THIN = ALARM_MDB_M + 100, CLEAR_MDB_M - 50

Happened = list[tuple[int, int, int]]  # ms, phase, value


def play(samples: list[tuple[int, int]], smoke: Smoke | None = None) -> Happened:
    """What came of samples given as (ms, mdB/m)."""
    smoke = smoke or Smoke()
    happened = []
    for now, sample in samples:
        for kind, phase, value in smoke.step(sample, now):
            assert kind == SMOKE
            happened.append((now, phase, value))
    return happened


def spread(values: list[int], every_ms: int, start: int = 0) -> list[tuple[int, int]]:
    return [(start + n * every_ms, value) for n, value in enumerate(values)]


@pytest.mark.parametrize("every_ms", [100, 1000, 2000, 5000])
def test_smoke_that_lasts_raises_at_any_sample_rate(every_ms: int) -> None:
    happened = play(spread([0, *[THICK] * 100], every_ms))
    assert [phase for _, phase, _ in happened] == [RAISED]
    assert happened[0][0] - every_ms < VERIFY_MS + every_ms
    assert happened[0][2] == THICK


@pytest.mark.parametrize("every_ms", [1000, 5000])
def test_a_single_spike_is_no_alarm(every_ms: int) -> None:
    assert play(spread([0, 20_000, 0, 0, 0, RANGE_MAX_MDB_M, 0, 0, 0], every_ms)) == []


def test_the_threshold_itself_alarms_and_just_below_does_not() -> None:
    assert play(spread([ALARM_MDB_M - 1] * 100, 1000)) == []
    assert len(play(spread([ALARM_MDB_M] * 100, 1000))) == 1


def test_smoke_that_wavers_about_the_threshold_is_one_alarm() -> None:
    assert [phase for _, phase, _ in play(spread([ALARM_MDB_M, ALARM_MDB_M - 10] * 100, 1000))] == [RAISED]


def test_restored_after_a_whole_minute_of_clean_air_only() -> None:
    smoke = Smoke()
    assert len(play(spread([THICK] * 5, 1000), smoke)) == 1
    assert play(spread([THIN] * 59 + [CLEAR_MDB_M], 1000, start=10_000), smoke) == []
    assert smoke.conditions() == ALARM_STANDING
    assert play(spread([THIN] * 61, 1000, start=100_000), smoke) == [(100_000 + CLEAR_MS, RESTORED, THIN)]
    assert smoke.conditions() == 0


def test_a_sensor_that_fails_during_an_alarm_does_not_end_it() -> None:
    smoke = Smoke()
    play(spread([THICK] * 5, 1000), smoke)
    assert play(spread([NO_SAMPLE] * 200, 1000, start=10_000), smoke) == []
    assert smoke.conditions() == ALARM_STANDING | SENSOR_FAULT
    assert play(spread([THIN, NO_SAMPLE] * 200, 1000, start=300_000), smoke) == []


def test_a_sensor_that_fails_between_two_samples_of_smoke_does_not_stop_the_alarm() -> None:
    assert [phase for _, phase, _ in play(spread([THICK, -7] * 10, 1000))] == [RAISED]


def test_beyond_the_range_is_smoke_and_a_sensor_fault() -> None:
    smoke = Smoke()
    happened = play(spread([RANGE_MAX_MDB_M + 1] * 10, 1000), smoke)
    assert [(phase, value) for _, phase, value in happened] == [(RAISED, RANGE_MAX_MDB_M)]
    assert smoke.conditions() == ALARM_STANDING | SENSOR_FAULT


def test_a_sensor_fault_shows_at_once_and_clears_after_a_minute_in_range() -> None:
    smoke = Smoke()
    smoke.step(NO_SAMPLE, 0)
    assert smoke.conditions() == SENSOR_FAULT
    smoke.step(5, FAULT_CLEAR_MS - 1)
    assert smoke.conditions() == SENSOR_FAULT
    smoke.step(5, FAULT_CLEAR_MS)
    assert smoke.conditions() == 0


def test_a_turn_without_a_sample_changes_nothing() -> None:
    smoke = Smoke()
    assert [smoke.step(None, now) for now in range(0, 100_000, 1000)] == [[]] * 100
    assert (smoke.conditions(), smoke.value(), smoke.deadline()) == (0, 0, None)


any_sample = st.one_of(st.integers(), st.integers(-10, 400), st.none())


@given(st.lists(st.tuples(st.integers(0, 90_000), any_sample), max_size=80))
def test_any_samples_give_raised_and_restored_in_turn(steps: list[tuple[int, int | None]]) -> None:
    smoke, now, phases = Smoke(), 0, []
    for wait, sample in steps:
        now += wait
        for _, phase, value in smoke.step(sample, now):
            phases.append(phase)
            assert 0 <= value <= RANGE_MAX_MDB_M
        assert bool(smoke.conditions() & ALARM_STANDING) == (bool(phases) and phases[-1] == RAISED)
        assert 0 <= smoke.value() <= RANGE_MAX_MDB_M
    assert phases[:1] in ([], [RAISED])
    assert all(earlier != later for earlier, later in pairwise(phases))


@given(st.lists(any_sample, max_size=40), st.integers(1, 5000))
def test_smoke_that_lasts_alarms_whatever_came_before(before: list[int | None], every_ms: int) -> None:
    smoke, now = Smoke(), 0
    for sample in [*before, *[THICK] * (VERIFY_MS // every_ms + 2)]:
        now += every_ms
        smoke.step(sample, now)
    assert smoke.conditions() & ALARM_STANDING


HOUR_MS, DAY_MS = 3_600_000, 24 * 3_600_000
FAULT = KINDS.index("sensor_fault")


def breathe(smoke: Smoke, level: int, since: int, lasts_ms: int, every_ms: int = HOUR_MS) -> Happened:
    """What comes of air that reads `level` all the time."""
    return [
        (now, phase, value)
        for now in range(since, since + lasts_ms, every_ms)
        for _, phase, value in smoke.step(level, now)
    ]


def test_dust_is_compensated_slowly_and_no_further_than_its_limit() -> None:
    smoke = Smoke()
    assert breathe(smoke, 80, 0, 10 * BASELINE_STEP_MS) == []
    assert 5 <= 80 - smoke.value() <= 10
    assert breathe(smoke, 80, 10 * BASELINE_STEP_MS, 60 * DAY_MS) == []
    assert (smoke.value(), smoke.conditions()) == (0, 0)


def test_a_dusty_chamber_still_alarms_at_the_same_smoke() -> None:
    smoke = Smoke((0, 60))
    assert play(spread([60 + ALARM_MDB_M - 1] * 10, 1000), smoke) == []
    assert [phase for _, phase, _ in play(spread([60 + ALARM_MDB_M] * 10, 1000, start=20_000), smoke)] == [RAISED]


def test_a_chamber_full_of_dust_is_a_fault_with_its_baseline_until_it_is_cleaned() -> None:
    smoke = Smoke((0, BASELINE_MAX_MDB_M - 1))
    assert smoke.conditions() == 0
    assert breathe(smoke, 140, 0, DAY_MS) == [(BASELINE_STEP_MS, RAISED, BASELINE_MAX_MDB_M)]
    assert smoke.conditions() == SENSOR_FAULT
    assert breathe(smoke, BASELINE_CLEAN_MDB_M, DAY_MS, DAY_MS) == []
    assert smoke.conditions() == 0


def test_the_fault_of_a_full_chamber_is_the_sensors_own_event() -> None:
    smoke = Smoke((0, BASELINE_MAX_MDB_M - 1))
    found = [event for now in range(0, DAY_MS, HOUR_MS) for event in smoke.step(120, now)]
    assert found == [(FAULT, RAISED, BASELINE_MAX_MDB_M)]


@given(st.integers(1, 400), st.integers(0, BASELINE_MAX_MDB_M))
def test_a_fire_however_slow_alarms_before_1_6_thresholds(hours: int, baseline: int) -> None:
    """Smoke that takes `hours` from clean air to one threshold, in a chamber that may be dusty already."""
    smoke, now, raw = Smoke((0, baseline)), 0, 0
    every_ms = max(1000, hours * HOUR_MS // ALARM_MDB_M)
    for _ in range(3 * ALARM_MDB_M):
        now += every_ms
        raw = now * ALARM_MDB_M // (hours * HOUR_MS)
        for wait_ms in (0, VERIFY_MS):
            smoke.step(raw, now + wait_ms)
        if smoke.conditions() & ALARM_STANDING:
            break
    assert smoke.conditions() & ALARM_STANDING
    assert raw <= 1.6 * ALARM_MDB_M + 1
    if hours <= 24 and baseline == 0:
        assert raw <= 1.05 * ALARM_MDB_M + 1


def test_smoke_that_stays_for_a_week_is_no_clean_air() -> None:
    smoke = Smoke()
    assert [phase for _, phase, _ in breathe(smoke, THICK, 0, 7 * DAY_MS)] == [RAISED]
    assert smoke.kept()[1] == 0
    assert smoke.value() == THICK


def test_a_sensor_that_does_not_answer_says_nothing_of_clean_air() -> None:
    smoke = Smoke((0, 30))
    for hour in range(100):
        smoke.step(NO_SAMPLE if hour % 3 == 0 else 80, hour * HOUR_MS)
    assert smoke.kept()[1] == 30


def test_after_ten_years_it_is_a_fault_and_still_alarms() -> None:
    smoke = Smoke((LIFE_MS - DAY_MS, 0))
    smoke.step(0, 0)
    assert smoke.conditions() == 0
    smoke.step(None, DAY_MS)
    assert smoke.conditions() == SENSOR_FAULT | END_OF_LIFE
    assert len(play(spread([THICK] * 10, 1000, start=DAY_MS), smoke)) == 1


def test_a_restart_goes_on_from_what_was_kept() -> None:
    smoke = Smoke((5, 7))
    smoke.step(20, 1000)
    smoke.step(20, 3000)
    assert smoke.kept() == (2005, 7)
    assert Smoke(smoke.kept()).kept() == (2005, 7)
    assert Smoke((1, 2, 3)).kept() == (0, 0)


FIRES = ("SDC02", "SDC05", "SDC07", "SDC10")


def recorded_fire(recorded: Path, fire: str) -> list[tuple[int, int]]:
    """Column SMA_1 (fire room, near the ceiling) as (ms since ignition, mdB/m); NIST TN 1455, public domain."""
    path = recorded / "smoke_nist_tn1455" / f"NIST_Smoke_Alarms_{fire}.csv.gz"
    if not path.exists():
        pytest.skip(f"no recorded fire at {path}")
    with gzip.open(path, "rt", newline="") as file:
        # optical density in 1/m is a tenth of dB/m
        return [(round(float(row["TIME"]) * 1000), round(float(row["SMA_1"]) * 10_000)) for row in csv.DictReader(file)]


@pytest.mark.parametrize("fire", FIRES)
def test_a_recorded_fire_alarms_once_and_not_before_its_smoke(recorded: Path, fire: str) -> None:
    samples = recorded_fire(recorded, fire)
    happened = play(samples)
    assert [phase for _, phase, _ in happened] == [RAISED]
    first_over = next(now for now, sample in samples if sample >= ALARM_MDB_M)
    assert happened[0][0] >= first_over + VERIFY_MS
    print(f"{fire} SMA_1 (NIST TN 1455, public domain): raised {happened[0][0] / 1000:g} s after ignition")
