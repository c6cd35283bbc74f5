"""The door contact's logic: open or closed, and since when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from devices.door import DEBOUNCE_MS, Door
from devices.motion import NEVER
from protocol.wire.codes import ACTIVE


def test_it_tells_how_the_door_stands_and_since_when() -> None:
    door = Door()
    door.step(0, 0)
    assert (door.conditions(), door.value()) == (0, NEVER)
    door.step(1, 10_000)
    assert door.deadline() == 10_000 + DEBOUNCE_MS
    door.step(None, 10_000 + DEBOUNCE_MS)
    assert (door.conditions(), door.value(), door.deadline()) == (ACTIVE, 0, None)
    door.step(None, 75_000)
    assert door.value() == 64
    door.step(0, 80_000)
    door.step(None, 80_100)
    assert (door.conditions(), door.value()) == (0, 0)


def test_a_door_that_stands_open_at_the_start_was_not_moved() -> None:
    door = Door()
    assert door.conditions() == 0
    for now in range(0, 5000, 10):
        door.step(1, now)
    assert (door.conditions(), door.value()) == (ACTIVE, NEVER)


def test_a_trembling_door_is_moved_once() -> None:
    door = Door()
    door.step(1, 0)
    for now in range(1000, 1400, 20):
        door.step((now // 20) % 2, now)
    assert (door.conditions(), door.value()) == (ACTIVE, NEVER)


@given(st.lists(st.tuples(st.integers(0, 10_000), st.one_of(st.none(), st.integers())), max_size=40))
def test_any_samples_raise_nothing(steps: list[tuple[int, int | None]]) -> None:
    door, now = Door(), 0
    for wait, sample in steps:
        now += wait
        assert door.step(sample, now) == []
        assert door.conditions() in (0, ACTIVE)
        assert door.value() >= NEVER
