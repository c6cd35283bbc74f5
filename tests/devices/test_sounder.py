"""What buzzer and light do: patterns in time, which of them when, hush and test."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import sounder, terminal
from devices.sounder import HUSH_MS, TEST_MS, Sounder, changes_at, is_on
from protocol.wire.codes import ALARM_STANDING, BATTERY_LOW, END_OF_LIFE, KINDS, SENSOR_FAULT, TAMPER

SMOKE, GAS, FLOOD, BUTTON, MOTION = (KINDS.index(kind) for kind in ("smoke", "gas", "flood", "button", "motion"))
ALL = [value for value in vars(sounder).values() if isinstance(value, tuple) and value and isinstance(value[0], tuple)]


def edges(pattern: tuple[tuple[int, int], ...], until: int) -> list[int]:
    """When it goes on or off."""
    return [now for now in range(1, until) if is_on(pattern, 0, now) != is_on(pattern, 0, now - 1)]


def test_temporal_3_is_that_of_iso_8201() -> None:
    assert edges(sounder.TEMPORAL_3, 8000) == [500, 1000, 1500, 2000, 2500, 4000, 4500, 5000, 5500, 6000, 6500]
    assert is_on(sounder.TEMPORAL_3, 0, 0)


def test_temporal_4_is_four_short_beeps_and_five_seconds() -> None:
    assert edges(sounder.TEMPORAL_4, 6000) == [100, 200, 300, 400, 500, 600, 700, 5700, 5800, 5900]


def test_one_chirp_a_minute() -> None:
    assert len(edges(sounder.CHIRP, 180_000)) == 2 * 3 - 1


@given(st.sampled_from(ALL), st.integers(0, 2**40), st.integers(0, 200_000))
def test_a_pattern_changes_when_it_says_and_not_before(
    pattern: tuple[tuple[int, int], ...], since: int, lasted_ms: int
) -> None:
    now = since + lasted_ms
    change = changes_at(pattern, since, now)
    assert change > now
    state = is_on(pattern, since, now)
    assert all(is_on(pattern, since, now + part * (change - now) // 7) == state for part in range(7))
    assert is_on(pattern, since, change) != state or pattern == sounder.STEADY


@pytest.mark.parametrize(
    ("kind", "standing", "indication", "sound"),
    [
        (SMOKE, ALARM_STANDING, terminal.ALARM, sounder.TEMPORAL_3),
        (GAS, ALARM_STANDING | SENSOR_FAULT, terminal.ALARM, sounder.TEMPORAL_4),
        (FLOOD, ALARM_STANDING | BATTERY_LOW, terminal.ALARM, sounder.DRIP),
        (SMOKE, SENSOR_FAULT, terminal.FAULT, sounder.CHIRP),
        (GAS, SENSOR_FAULT | END_OF_LIFE, terminal.SENDING, sounder.CHIRP),
        (MOTION, BATTERY_LOW, terminal.BATTERY, sounder.CHIRP),
        (BUTTON, 0, terminal.SENDING, sounder.CALLING),
        (BUTTON, BATTERY_LOW, terminal.RECEIVED, sounder.CALLED),
        (SMOKE, TAMPER, terminal.SENDING, None),
        (SMOKE, 0, terminal.IDLE, None),
    ],
)
def test_each_state_has_its_sound(
    kind: int, standing: int, indication: str, sound: tuple[tuple[int, int], ...] | None
) -> None:
    shown = Sounder(kind)
    shown.show(standing, indication, 0, 1000)
    assert shown.sound == sound
    assert shown.light == sounder.LIGHTS[indication]
    assert shown.buzzes(1000) == (sound is not None)


def test_a_hush_lasts_ten_minutes_at_most_and_cannot_be_prolonged() -> None:
    shown = Sounder(SMOKE)
    shown.show(ALARM_STANDING, terminal.ALARM, 200, 0)
    assert not shown.press(1000)
    for now in range(1000, HUSH_MS + 1000, 1000):
        shown.press(now)
        shown.show(ALARM_STANDING, terminal.ALARM, 200, now)
        assert not shown.buzzes(now)
        assert shown.light == sounder.FLASH
        assert shown.deadline(now) <= HUSH_MS + 1000
    shown.show(ALARM_STANDING, terminal.ALARM, 200, HUSH_MS + 1000)
    assert shown.sound == sounder.TEMPORAL_3


def test_a_hush_holds_back_neither_thicker_smoke_nor_another_alarm() -> None:
    shown = Sounder(SMOKE)
    shown.show(ALARM_STANDING, terminal.ALARM, 200, 0)
    shown.press(1000)
    shown.show(ALARM_STANDING, terminal.ALARM, 300, 2000)
    assert not shown.buzzes(2000)
    shown.show(ALARM_STANDING, terminal.ALARM, 301, 3000)
    assert shown.sound == sounder.TEMPORAL_3
    shown.press(4000)
    shown.show(0, terminal.IDLE, 0, 5000)
    shown.show(ALARM_STANDING, terminal.ALARM, 160, 6000)
    assert shown.sound == sounder.TEMPORAL_3


def test_a_test_sounds_its_alarm_for_ten_seconds_and_is_told_once() -> None:
    shown = Sounder(GAS)
    shown.show(SENSOR_FAULT, terminal.FAULT, 0, 0)
    assert shown.press(1000)
    assert not shown.press(2000)
    shown.show(SENSOR_FAULT, terminal.FAULT, 0, 2000)
    assert (shown.sound, shown.light) == (sounder.TEMPORAL_4, sounder.FLASH)
    assert shown.deadline(1000 + TEST_MS - 1) == 1000 + TEST_MS
    shown.show(SENSOR_FAULT, terminal.FAULT, 0, 1000 + TEST_MS)
    assert shown.sound == sounder.CHIRP
    assert shown.press(1000 + TEST_MS)


def test_every_indication_has_a_light() -> None:
    shown = {value for name, value in vars(terminal).items() if name.isupper() and isinstance(value, str)}
    assert set(sounder.LIGHTS) == shown
