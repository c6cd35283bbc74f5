"""What is kept of one sensor: when readings count, when a fault begins and when it is over."""

from collections.abc import Iterable

import pytest

from gateway.home.detectors import DAY_MS, HOUR_MS, LIMITS, MINUTE_MS, RAISES, SPIKES
from gateway.home.watch import (
    AFTER_ALARM_MS,
    ALARM_MS,
    CLEAR_MS,
    FAULTS_A_DAY_MAX,
    READING_MS_MAX,
    READING_MS_MIN,
    Lasting,
    Watch,
)

SMOKE = LIMITS["smoke"]
SPIKY = [5, 300, 5] * SPIKES


def fed(
    watch: Watch, values: Iterable[int], begins_ms: int = 0, alarm: bool = False, every_ms: int = MINUTE_MS
) -> list[bool]:
    return [watch.take(value, alarm, begins_ms + number * every_ms) for number, value in enumerate(values)]


# --- which readings count ---


def test_readings_that_come_too_soon_are_one() -> None:
    watch = Watch(SMOKE)
    assert watch.take(5, False, 0)
    assert not watch.take(300, False, READING_MS_MIN - 1)
    assert watch.value == 5
    assert watch.take(300, False, READING_MS_MIN)
    assert watch.value == 300


def test_what_measures_nothing_has_no_readings() -> None:
    watch = Watch(None)
    assert fed(watch, [-1] * 10) == [False] * 10
    assert watch.faults == {}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("out_of_range", [-1, -1]),
        ("stuck", [80] * 61),
        ("spikes", SPIKY),
        ("noise", [0, 40] * 130),
        ("drift", [55, 60, 65, 60] * 361),
    ],
)
def test_each_detector_is_asked_and_its_fault_has_its_name(name: str, values: list[int]) -> None:
    watch = Watch(SMOKE)
    fed(watch, values)
    assert list(watch.faults) == [name]
    assert watch.faults[name].evidence


@pytest.mark.parametrize(
    ("name", "values"),
    [("stuck", [80] * 40), ("spikes", [5, 300]), ("noise", [0, 40] * 15), ("drift", [60] * 14)],
)
def test_after_a_long_gap_everything_begins_anew(name: str, values: list[int]) -> None:
    gap_ms = READING_MS_MAX + 1
    watch, end_ms = Watch(SMOKE), 0
    for _ in range(20):
        fed(watch, values, end_ms)
        end_ms += (len(values) - 1) * MINUTE_MS + gap_ms
    assert name not in watch.faults


def test_a_gap_of_three_hours_is_none() -> None:
    watch = Watch(SMOKE)
    fed(watch, [80] * 16, every_ms=READING_MS_MAX)
    assert "stuck" in watch.faults


# --- alarms ---


def test_an_alarm_excuses_noise_and_spikes_for_an_hour_and_a_while_after_it() -> None:
    watch = Watch(SMOKE)
    fed(watch, [300, 900] * 30, alarm=True)
    assert watch.faults == {}
    end_ms = ALARM_MS
    fed(watch, [900, 300, 900], end_ms, alarm=True)
    fed(watch, [5, 300] * 15, end_ms + 3 * MINUTE_MS)  # from the first without it on
    assert watch.faults == {}
    fed(watch, SPIKY, end_ms + 3 * MINUTE_MS + AFTER_ALARM_MS)
    assert list(watch.faults) == ["spikes"]


def test_one_that_stands_for_longer_excuses_nothing() -> None:
    watch = Watch(SMOKE)
    fed(watch, [300, 900] * 30 + [300, 900, 300, 900], alarm=True)
    assert "spikes" not in watch.faults
    fed(watch, [300, 900], ALARM_MS + 4 * MINUTE_MS, alarm=True)
    assert "spikes" in watch.faults


def test_one_that_came_and_went_between_two_readings_excuses_what_is_left_of_it() -> None:
    watch = Watch(SMOKE)
    watch.raised(0)
    fed(watch, [5, 300] * 15, 1)
    assert watch.faults == {}
    fed(watch, SPIKY, AFTER_ALARM_MS)
    assert "spikes" in watch.faults


def test_a_reading_out_of_range_is_never_excused() -> None:
    watch = Watch(SMOKE)
    fed(watch, [-1, -1], alarm=True)
    assert list(watch.faults) == ["out_of_range"]


def test_an_alarm_raised_again_and_again_is_seen_without_a_reading() -> None:
    watch = Watch(None)
    for number in range(RAISES):
        watch.look(number)
        assert watch.faults == {}
        watch.raised(number)
    watch.look(RAISES)
    assert list(watch.faults) == ["chattering"]


# --- the life of a fault ---


def test_a_fault_is_over_when_it_has_not_shown_for_an_hour() -> None:
    watch = Watch(SMOKE)
    watch.show("stuck", {"stuck_s": 1}, 0)
    watch.show("stuck", None, MINUTE_MS)
    watch.show("stuck", None, MINUTE_MS + CLEAR_MS - 1)
    assert watch.faults["stuck"].evidence == {"stuck_s": 1}
    watch.show("stuck", {"stuck_s": 2}, MINUTE_MS + CLEAR_MS)  # it begins anew to be over
    assert watch.faults["stuck"].evidence == {"stuck_s": 2}
    watch.show("stuck", None, 2 * CLEAR_MS)
    watch.show("stuck", None, 3 * CLEAR_MS - 1)
    assert "stuck" in watch.faults
    watch.show("stuck", None, 3 * CLEAR_MS)
    assert watch.faults == {}


def test_what_was_not_there_is_not_over() -> None:
    watch = Watch(SMOKE)
    watch.show("stuck", None, 0)
    assert watch.faults == {}


def test_faults_are_over_one_by_one() -> None:
    watch = Watch(SMOKE)
    watch.show("stuck", {"stuck_s": 1}, 0)
    watch.show("drift", {"drift_s": 1}, 0)
    for now_ms in (0, CLEAR_MS):
        watch.show("stuck", None, now_ms)
    assert list(watch.faults) == ["drift"]


def come_and_gone(watch: Watch, now_ms: int) -> int:
    """A fault that is over as soon as can be, a day at most; how long that took."""
    watch.show("stuck", {"stuck_s": 1}, now_ms)
    for after_ms in range(0, DAY_MS + 1, HOUR_MS):
        watch.show("stuck", None, now_ms + after_ms)
        if not watch.faults:
            return after_ms
    raise AssertionError("it stands for ever")


def test_the_fourth_fault_in_a_day_stands_until_a_whole_day_was_plausible() -> None:
    watch = Watch(SMOKE)
    took_ms = [come_and_gone(watch, number * 2 * HOUR_MS) for number in range(FAULTS_A_DAY_MAX)]
    # A day after the first of the four there are fewer again.
    assert took_ms == [CLEAR_MS, CLEAR_MS, CLEAR_MS, DAY_MS - (FAULTS_A_DAY_MAX - 1) * 2 * HOUR_MS]


def test_four_in_more_than_a_day_are_not_many() -> None:
    watch = Watch(SMOKE)
    took_ms = [come_and_gone(watch, number * 8 * HOUR_MS) for number in range(2 * FAULTS_A_DAY_MAX)]
    assert took_ms == [CLEAR_MS] * 2 * FAULTS_A_DAY_MAX


def test_one_fault_beside_another_is_not_one_more_of_the_day() -> None:
    watch = Watch(SMOKE)
    watch.show("drift", {"drift_s": 1}, 0)
    for number in range(10):
        watch.show("stuck", {"stuck_s": 1}, number * 2 * HOUR_MS)
        watch.show("stuck", None, number * 2 * HOUR_MS + 1)
        watch.show("stuck", None, number * 2 * HOUR_MS + 1 + CLEAR_MS)
        assert list(watch.faults) == ["drift"]


def test_what_stood_before_a_restart_stands_until_it_has_not_shown_for_an_hour() -> None:
    watch = Watch(SMOKE)
    watch.load(["stuck", "drift"])
    assert list(watch.faults) == ["stuck", "drift"]
    fed(watch, [5] * 60)
    assert list(watch.faults) == ["stuck", "drift"]
    fed(watch, [5], 60 * MINUTE_MS)
    assert watch.faults == {}


# --- what neighbours ask ---


@pytest.mark.parametrize(
    ("value", "low", "high", "loud"),
    [
        (14, True, False, False),
        (15, False, False, False),
        (49, False, False, False),
        (50, False, True, False),
        (299, False, True, False),
        (300, False, True, True),
    ],
)
def test_how_long_it_has_read_clean_air_or_smoke(value: int, low: bool, high: bool, loud: bool) -> None:
    watch = Watch(SMOKE)
    fed(watch, [value] * 3)
    lasted = [one.lasted_ms(2 * MINUTE_MS) for one in (watch.low, watch.high, watch.loud)]
    assert lasted == [2 * MINUTE_MS * one for one in (low, high, loud)]


def test_what_lasts_lasts_until_its_last_reading() -> None:
    lasting = Lasting()
    assert lasting.lasted_ms(0) == 0
    lasting.step(True, 1000)
    lasting.step(True, 5000)
    assert lasting.lasted_ms(9000) == 4000
    assert lasting.lasted_ms(5000 + READING_MS_MAX) == 4000
    assert lasting.lasted_ms(5001 + READING_MS_MAX) == 0
    lasting.step(False, 6000)
    assert lasting.lasted_ms(6000) == 0
    lasting.step(True, 7000)
    lasting.step(True, 8000)
    assert lasting.lasted_ms(8000) == 1000
