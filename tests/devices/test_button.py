"""The button's logic: one event a press, whatever the contacts do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from devices.button import CANCEL_MS, DEBOUNCE_MS, STUCK_MS, Button
from protocol.wire.codes import KINDS, PHASES, SENSOR_FAULT

BUTTON, RAISED, RESTORED = KINDS.index("button"), PHASES.index("raised"), PHASES.index("restored")


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


def press(button: Button, at: int, lasts_ms: int) -> list[tuple[int, int, int]]:
    """What comes of one press from `at` on, with a turn whenever one is due, and half a second after it."""
    return [
        event
        for now, level in ((at, 1), (at + DEBOUNCE_MS, None), (at + lasts_ms, 0), (at + lasts_ms + 500, None))
        for event in button.step(level, now)
    ]


def test_a_long_press_after_a_call_calls_once_more_and_then_takes_it_back() -> None:
    button = Button()
    assert press(button, 0, 200) == [(BUTTON, RAISED, 1)]
    assert press(button, 5000, CANCEL_MS) == [(BUTTON, RAISED, 2), (BUTTON, RESTORED, 2)]
    assert button.value() == 2


def test_the_first_press_calls_however_long_it_is() -> None:
    for lasts_ms in (CANCEL_MS, 8000, STUCK_MS + 5000):
        assert press(Button(), 0, lasts_ms) == [(BUTTON, RAISED, 1)]


def test_a_second_call_follows_one_that_was_taken_back() -> None:
    button = Button()
    press(button, 0, 200)
    press(button, 5000, 4000)
    assert press(button, 20_000, 4000) == [(BUTTON, RAISED, 3)]


def test_who_lies_on_the_button_takes_nothing_back() -> None:
    button = Button()
    press(button, 0, 200)
    assert press(button, 5000, STUCK_MS + 1) == [(BUTTON, RAISED, 2)]
    assert press(button, 60_000, CANCEL_MS - 1) == [(BUTTON, RAISED, 3)]


levels = st.one_of(st.none(), st.integers(-5, 5))
waits = st.integers(0, 15_000)


@given(st.lists(st.tuples(waits, levels), max_size=60))
def test_any_samples_raise_nothing_but_presses_counted_from_one(steps: list[tuple[int, int | None]]) -> None:
    now, samples = 0, []
    for wait, level in steps:
        now += wait
        samples.append((now, level))
    raised = [event for event in play(samples) if event[1] == RAISED]
    assert raised == [(BUTTON, RAISED, n + 1) for n in range(len(raised))]


@given(st.lists(st.tuples(waits, levels), max_size=60))
def test_whatever_is_pressed_each_cancel_takes_back_an_earlier_call_than_its_own_press(
    steps: list[tuple[int, int | None]],
) -> None:
    now, calls, button = 0, 0, Button()
    for wait, level in steps:
        now += wait
        for _, phase, _ in button.step(level, now):
            assert phase == RAISED or calls >= 2
            calls = calls + 1 if phase == RAISED else 0


@given(st.lists(st.tuples(st.booleans(), st.integers(DEBOUNCE_MS, 400)), min_size=1, max_size=30))
def test_turns_at_its_deadlines_find_every_press_that_outlasts_the_debounce(spans: list[tuple[bool, int]]) -> None:
    button, now, events, presses, before = Button(), 0, 0, 0, False
    for pressed, lasting in spans:
        presses += pressed and not before
        before = pressed
        end = now + lasting
        events += len(button.step(int(pressed), now))  # none lasts long enough to take a call back
        while (due := button.deadline()) is not None and due <= end:
            events += len(button.step(None, due))
        now = end
    assert events == presses
