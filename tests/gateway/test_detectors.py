"""What readings say against a sensor: each detector at its threshold, just below it, and over again."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import gas, smoke
from gateway.home.detectors import (
    DAY_MS,
    DRIFT_MS,
    HIGH_RUN_MS,
    HOUR_MS,
    LIMITS,
    MINUTE_MS,
    NOISY_BLOCKS,
    NOISY_BLOCKS_MAX,
    RAISES,
    RAISES_MS,
    RANGE_MS,
    RUN_DAYS,
    RUN_MS_MIN,
    RUN_READINGS_MIN,
    RUN_TIMES,
    SPIKES,
    SPIKES_MS,
    Chatter,
    Drift,
    Limits,
    Noise,
    OutOfRange,
    Spikes,
    Stuck,
)

SMOKE = LIMITS["smoke"]
WARM = Limits(100, 1100, 200)  # rests above zero


def fed(detector: object, values: Iterable[int], begins_ms: int = 0, every_ms: int = MINUTE_MS) -> list[object]:
    return [
        detector.take(value, begins_ms + number * every_ms)  # type: ignore[attr-defined]
        for number, value in enumerate(values)
    ]


def test_limits_are_those_of_the_firmware() -> None:
    assert LIMITS["smoke"] == (0, smoke.RANGE_MAX_MDB_M, smoke.ALARM_MDB_M)
    assert LIMITS["gas"] == (0, gas.RANGE_MAX_PML, gas.ALARM_PML)


# --- out of range ---


def test_two_readings_that_the_sensor_cannot_give_are_a_fault_and_the_last_of_them_is_told() -> None:
    detector = OutOfRange(SMOKE)
    assert fed(detector, [0, 30_000, 30_001]) == [None, None, None]
    assert detector.take(-1, RANGE_MS + 2 * MINUTE_MS) == {"out_of_range": -1}
    assert detector.take(5, RANGE_MS + 2 * MINUTE_MS) == {"out_of_range": -1}
    assert detector.take(5, RANGE_MS + 2 * MINUTE_MS + 1) is None


def test_they_count_however_long_nothing_was_read_in_between() -> None:
    detector = OutOfRange(SMOKE)
    detector.take(-1, 0)
    detector.interrupted()
    assert detector.take(-1, RANGE_MS) == {"out_of_range": -1}


# --- stuck ---


def days(detector: Stuck, count: int, changes_in: int = 2, longest: int = 2, begins_ms: int = 0) -> int:
    """So many days of order, a reading a minute, each value `changes_in` times and once a day `longest`; the time after
    them."""
    values: list[int] = []
    for _ in range(count):
        values += [number // changes_in % 9 for number in range(1440 - longest)] + [20] * longest
    assert set(fed(detector, [*values, 21, 22], begins_ms)) == {None}
    return begins_ms + (len(values) + 2) * MINUTE_MS


def test_a_value_that_stays_much_longer_than_ever_is_stuck() -> None:
    detector = Stuck(SMOKE)
    begins_ms = days(detector, 2)
    found = fed(detector, [40] * 40, begins_ms)
    assert found[:30] == [None] * 30  # RUN_MS_MIN, from the first of them on
    assert found[30] == {"stuck_value": 40, "stuck_s": RUN_MS_MIN // 1000}
    assert found[39] == {"stuck_value": 40, "stuck_s": 39 * 60}
    assert detector.take(41, begins_ms + 40 * MINUTE_MS) is None


def test_how_long_it_has_stayed_before_is_what_counts() -> None:
    detector = Stuck(SMOKE)
    begins_ms = days(detector, 2, longest=16)  # the first and the last of them are 15 minutes apart
    found = fed(detector, [40] * 60, begins_ms)
    assert found[:45] == [None] * 45
    assert found[45] == {"stuck_value": 40, "stuck_s": RUN_TIMES * 15 * 60}


def test_the_day_itself_counts_too() -> None:
    detector = Stuck(SMOKE)
    begins_ms = days(detector, 2)
    assert set(fed(detector, [40] * 30, begins_ms)) == {None}
    found = fed(detector, [41] * 90, begins_ms + 30 * MINUTE_MS)
    assert found[86:88] == [None, {"stuck_value": 41, "stuck_s": RUN_TIMES * 29 * 60}]


def test_a_week_is_remembered_and_no_more() -> None:
    detector = Stuck(SMOKE)
    begins_ms = days(detector, RUN_DAYS - 1, begins_ms=days(detector, 1, longest=16))
    assert fed(detector, [40] * 45, begins_ms)[-1] is None
    detector = Stuck(SMOKE)
    begins_ms = days(detector, RUN_DAYS + 1, begins_ms=days(detector, 1, longest=16))
    assert fed(detector, [40] * 31, begins_ms)[-1] is not None


def test_two_days_must_be_known_first() -> None:
    detector = Stuck(SMOKE)
    begins_ms = days(detector, 1)
    assert set(fed(detector, [40] * 600, begins_ms)) == {None}


def test_a_sensor_that_is_still_by_itself_is_not_judged_by_that() -> None:
    detector = Stuck(SMOKE)
    begins_ms = days(detector, 3, changes_in=7)  # one reading of seven is 14 %
    assert set(fed(detector, [40] * 600, begins_ms)) == {None}
    detector = Stuck(SMOKE)
    begins_ms = days(detector, 3, changes_in=6)
    assert fed(detector, [40] * 600, begins_ms)[-1] is not None


def test_a_constant_value_at_rest_is_never_a_fault() -> None:
    assert set(fed(Stuck(SMOKE), [0] * 30_000)) == {None}


def test_one_that_is_constant_half_way_to_the_alarm_is_whatever_was_before() -> None:
    detector = Stuck(SMOKE)
    assert set(fed(detector, [74] * 600)) == {None}
    found = fed(detector, [75] * 61, 600 * MINUTE_MS)
    assert found[59:] == [None, {"stuck_value": 75, "stuck_s": HIGH_RUN_MS // 1000}]
    assert fed(Stuck(WARM), [199] * 61)[60] is None
    assert fed(Stuck(WARM), [200] * 61)[60] is not None


def test_a_few_readings_of_one_value_are_chance_however_far_apart() -> None:
    found = fed(Stuck(SMOKE), [90] * RUN_READINGS_MIN, every_ms=HOUR_MS)
    assert found[-2:] == [None, {"stuck_value": 90, "stuck_s": (RUN_READINGS_MIN - 1) * 3600}]


def test_a_day_with_a_fault_teaches_nothing() -> None:
    detector = Stuck(SMOKE)
    begins_ms = days(detector, 3)
    assert fed(detector, [40] * 720, begins_ms)[-1] is not None
    begins_ms = days(detector, 2, begins_ms=begins_ms + 720 * MINUTE_MS)
    assert fed(detector, [50] * 31, begins_ms)[30] == {"stuck_value": 50, "stuck_s": RUN_MS_MIN // 1000}


def test_a_run_does_not_go_on_over_a_time_of_which_nothing_is_known() -> None:
    detector = Stuck(SMOKE)
    fed(detector, [90] * 40)
    detector.interrupted()
    assert fed(detector, [90] * 60, 40 * MINUTE_MS)[-1] is None
    detector = Stuck(SMOKE)
    begins_ms = days(detector, 2)
    detector.take(40, begins_ms)
    detector.interrupted()
    # ... and teaches nothing.
    assert fed(detector, [41, 42] * 5 + [40] * 31, begins_ms + DAY_MS // 2)[-1] is not None


# --- spikes ---


def test_three_single_readings_beyond_both_neighbours_by_a_span_are_spikes() -> None:
    detector = Spikes(SMOKE)
    assert fed(detector, [5, 155, 5, 5, 200, 50, 5, 304, 154]) == [None] * 8 + [{"spikes": 3, "spike_height": 150}]


def test_dips_too() -> None:
    detector = Spikes(SMOKE)
    assert fed(detector, [200, 40, 190] * SPIKES)[-1] == {"spikes": SPIKES, "spike_height": -150}


@pytest.mark.parametrize("spike", [[5, 154, 5], [5, 300, 151], [300, 300, 600, 900, 900, 600], [5, 200, 200, 5]])
def test_what_is_smaller_or_lasts_or_goes_on_is_none(spike: list[int]) -> None:
    detector = Spikes(SMOKE)
    assert set(fed(detector, [value for _ in range(9) for value in spike])) == {None}


def test_three_within_a_day_and_until_they_are_a_day_old() -> None:
    detector = Spikes(SMOKE)
    for begins_ms in (0, SPIKES_MS // 2):
        assert fed(detector, [5, 300, 5], begins_ms) == [None] * 3
    found = fed(detector, [5, 300, 5], SPIKES_MS)
    assert found == [None, None, {"spikes": 3, "spike_height": 295}]  # the first was seen two minutes after 0
    assert detector.take(5, SPIKES_MS + 2 * MINUTE_MS) is not None
    assert detector.take(5, SPIKES_MS + 2 * MINUTE_MS + 1) is None


def test_no_spike_has_a_neighbour_beyond_a_time_of_which_nothing_is_known() -> None:
    detector = Spikes(SMOKE)
    for begins_ms in range(0, 10 * HOUR_MS, HOUR_MS):
        assert fed(detector, [5, 300], begins_ms) == [None, None]
        detector.interrupted()


# --- noise ---


def test_values_that_go_up_and_down_for_hours_are_noise() -> None:
    detector = Noise(SMOKE)
    found = fed(detector, [0, 15] * 200)
    block = 31  # readings, from the first to one BLOCK_MS_MIN later
    assert found[: NOISY_BLOCKS * block - 1] == [None] * (NOISY_BLOCKS * block - 1)
    assert found[NOISY_BLOCKS * block - 1] == {"noise_turns_pct": 100}


@pytest.mark.parametrize(
    "values",
    [
        [0, 14] * 300,  # too small
        [number * 20 % 600 for number in range(600)],  # a saw: two turns of thirty
        [0] * 12 + [40] + [0] * 12,  # rare
    ],
)
def test_what_is_small_or_has_a_direction_or_is_rare_is_none(values: list[int]) -> None:
    assert set(fed(Noise(SMOKE), values * 2)) == {None}


@pytest.mark.parametrize(("peaks", "pct"), [(3, None), (4, 25)])
def test_one_turn_of_five_is_noise_and_fewer_are_not(peaks: int, pct: int | None) -> None:
    block = [40 if number in range(1, 3 * peaks, 3) else 0 for number in range(31)]  # of each peak there and back
    found = fed(Noise(SMOKE), block * 20)
    assert found[-1] == (pct and {"noise_turns_pct": pct})


def test_it_turns_where_it_has_come_back_by_a_leg_from_the_furthest_however_slowly() -> None:
    assert fed(Noise(SMOKE), [0, 5, 15, 20, 18, 10, 6, 5] * 60)[-1] is not None  # 15 below 20, and above 5
    assert set(fed(Noise(SMOKE), [0, 5, 15, 19, 18, 10, 6, 5] * 60)[:5]) == {None}
    assert set(fed(Noise(SMOKE), [5, 5, 15, 19, 18, 10, 6, 5] * 60)) == {None}


def test_quiet_blocks_count_against_it_and_it_is_over_after_some() -> None:
    detector = Noise(SMOKE)
    loud, still = [0, 40] * 15 + [0], [0] * 31  # a block each
    found = fed(detector, (loud + still) * 20)  # as much of the one as of the other
    assert found == [None] * len(found)
    begins_ms = len(found) * MINUTE_MS
    found = fed(detector, loud * 30 + still * 10, begins_ms)
    blocks = NOISY_BLOCKS_MAX - NOISY_BLOCKS + 1  # until it is over
    assert [one is not None for one in found[30 * 31 :]] == [True] * (31 * blocks - 1) + [False] * (
        31 * (10 - blocks) + 1
    )


def test_hourly_readings_make_longer_blocks() -> None:
    detector = Noise(SMOKE)
    found = fed(detector, [0, 40] * 70, every_ms=HOUR_MS)
    assert found.index({"noise_turns_pct": 100}) == 16 * NOISY_BLOCKS - 1


def test_a_block_begins_anew_after_a_time_of_which_nothing_is_known() -> None:
    detector = Noise(SMOKE)
    for begins_ms in range(0, 60 * HOUR_MS, HOUR_MS):
        assert set(fed(detector, [0, 40] * 15, begins_ms)) == {None}
        detector.interrupted()


def test_of_a_sensor_with_a_small_span_a_step_of_one_is_no_leg() -> None:
    assert set(fed(Noise(Limits(0, 100, 5)), [0, 1] * 300)) == {None}
    assert fed(Noise(Limits(0, 100, 5)), [0, 2] * 300)[-1] is not None


# --- drift ---


def test_no_reading_of_a_whole_day_near_rest_is_a_drift() -> None:
    detector = Drift(SMOKE)
    found = fed(detector, [80, 50, 90] + [70] * 1440)
    assert found[: DRIFT_MS // MINUTE_MS] == [None] * (DRIFT_MS // MINUTE_MS)
    assert found[DRIFT_MS // MINUTE_MS] == {"drift_least": 50, "drift_s": DRIFT_MS // 1000}
    assert detector.take(49, 2 * DAY_MS) is None


@pytest.mark.parametrize(("limits", "low", "high"), [(SMOKE, 49, 50), (WARM, 165, 166)])
def test_a_third_of_the_span_above_the_least_is_near(limits: Limits, low: int, high: int) -> None:
    assert fed(Drift(limits), [low] * 26, every_ms=HOUR_MS)[-1] is None
    assert fed(Drift(limits), [high] * 26, every_ms=HOUR_MS)[-1] == {"drift_least": high, "drift_s": 25 * 3600}


def test_one_reading_near_rest_begins_the_day_anew() -> None:
    detector = Drift(SMOKE)
    assert fed(detector, [60] * 24 + [20] + [70] * 25, every_ms=HOUR_MS)[-2:] == [
        None,
        {"drift_least": 70, "drift_s": 86_400},
    ]


def test_and_so_does_a_time_of_which_nothing_is_known() -> None:
    detector = Drift(SMOKE)
    fed(detector, [60] * 24, every_ms=HOUR_MS)
    detector.interrupted()
    assert detector.take(60, DRIFT_MS) is None


# --- chatter ---


def test_an_alarm_raised_again_and_again_within_an_hour_chatters() -> None:
    chatter = Chatter()
    for number in range(RAISES):
        assert chatter.shows(number) is None
        chatter.raised(number)
    assert chatter.shows(RAISES_MS) == {"chatter_raises": RAISES}
    assert chatter.shows(RAISES_MS + 1) is None


# --- all ---


@given(st.lists(st.tuples(st.integers(-(2**31), 2**31 - 1), st.integers(0, 10 * HOUR_MS)), max_size=60))
def test_any_readings_at_any_rate_are_taken(readings: list[tuple[int, int]]) -> None:
    detectors = [one(SMOKE) for one in (OutOfRange, Stuck, Spikes, Noise, Drift)]
    now_ms = 0
    for value, later_ms in readings:
        now_ms += later_ms
        for detector in detectors:
            found = detector.take(value, now_ms)  # type: ignore[attr-defined]
            assert found is None or all(type(number) is int for number in found.values())
