"""The button's logic: one event a press, whatever the contacts do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from devices.button import DEBOUNCE_MS, STUCK_MS, Button
from protocol.wire.codes import KINDS, PHASES, SENSOR_FAULT

BUTTON, RAISED = KINDS.index("button"), PHASES.index("raised")


def play(samples: list[tuple[int, int | None]], button: Button | None = None) -> list[tuple[int, int, int]]:
    """All events of samples given as (ms, level)."""
    button = button or Button()
    return [event for now, level in samples for event in button.step(level, now)]


def every_10_ms(*levels: int) -> list[tuple[int, int | None]]:
    return [(10 * n, level) for n, level in enumerate(levels)]


def test_a_press_raises_once_when_it_has_held_for_the_debounce() -> None:
    button = Button()
    assert button.step(1, 1000) == []
    assert button.deadline() == 1000 + DEBOUNCE_MS
    assert button.step(None, 1000 + DEBOUNCE_MS - 1) == []
    assert button.step(None, 1000 + DEBOUNCE_MS) == [(BUTTON, RAISED, 1)]
    assert button.step(1, 1100) == []
    assert button.value() == 1


def test_a_press_shorter_than_the_debounce_is_nothing() -> None:
    assert play(every_10_ms(0, 1, 1, 0, 0, 0, 0, 0, 0)) == []


def test_bouncing_contacts_are_one_press() -> None:
    assert play(every_10_ms(1, 0, 1, 0, 1, 1, 1, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0)) == [(BUTTON, RAISED, 1)]


def test_each_further_press_raises_with_its_count() -> None:
    press = (1, 1, 1, 1, 1, 0, 0, 0, 0, 0)
    assert [value for _, _, value in play(every_10_ms(*press * 3))] == [1, 2, 3]


def test_a_turn_that_comes_late_loses_no_press() -> None:
    assert play([(0, 1), (500, 0), (900, 0)]) == [(BUTTON, RAISED, 1)]


def test_a_button_held_for_more_than_ten_seconds_is_a_sensor_fault_until_released() -> None:
    button = Button()
    assert len(play([(0, 1), (DEBOUNCE_MS, None), (STUCK_MS, None)], button)) == 1
    assert button.conditions() == 0
    assert button.deadline() == STUCK_MS + 1
    assert button.step(None, STUCK_MS + 1) == []
    assert button.conditions() == SENSOR_FAULT
    assert button.deadline() is None
    button.step(0, STUCK_MS + 500)
    assert button.conditions() == 0


levels = st.one_of(st.none(), st.integers(-5, 5))
waits = st.integers(0, 15_000)


@given(st.lists(st.tuples(waits, levels), max_size=60))
def test_any_samples_raise_nothing_but_presses_counted_from_one(steps: list[tuple[int, int | None]]) -> None:
    now, samples = 0, []
    for wait, level in steps:
        now += wait
        samples.append((now, level))
    assert play(samples) == [(BUTTON, RAISED, n + 1) for n in range(len(play(samples)))]


@given(st.lists(st.tuples(st.booleans(), st.integers(DEBOUNCE_MS, 400)), min_size=1, max_size=30))
def test_turns_at_its_deadlines_find_every_press_that_outlasts_the_debounce(spans: list[tuple[bool, int]]) -> None:
    button, now, events, presses, before = Button(), 0, 0, 0, False
    for pressed, lasting in spans:
        presses += pressed and not before
        before = pressed
        end = now + lasting
        events += len(button.step(int(pressed), now))
        while (due := button.deadline()) is not None and due <= end:
            events += len(button.step(None, due))
        now = end
    assert events == presses
