"""Virtual time: what is due happens in order, and nothing else moves the clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.world.timeline import AT_ONCE_MAX, Stuck, Timeline, Wake


@given(st.lists(st.integers(0, 50)))
def test_what_is_due_happens_in_the_order_of_time_and_then_of_asking(times: list[int]) -> None:
    timeline = Timeline()
    seen: list[tuple[int, int]] = []
    for number, t_ms in enumerate(times):
        timeline.at(t_ms, lambda number=number: seen.append((timeline.now, number)))
    timeline.until(50)
    assert seen == sorted(zip(times, range(len(times)), strict=True))
    assert timeline.now == 50
    assert timeline.steps == len(times)


def test_the_past_is_now() -> None:
    timeline = Timeline()
    timeline.until(10)
    seen: list[int] = []
    timeline.at(3, lambda: seen.append(timeline.now))
    timeline.until(10)
    assert seen == [10]


def test_what_is_later_waits() -> None:
    timeline = Timeline()
    seen: list[int] = []
    timeline.after(5, lambda: seen.append(timeline.now))
    timeline.until(4)
    assert seen == []
    timeline.until(5)
    assert seen == [5]


@given(st.lists(st.one_of(st.none(), st.integers(0, 40)), min_size=1))
def test_an_alarm_clock_rings_once_at_the_last_moment_it_was_set_to(settings: list[int | None]) -> None:
    timeline = Timeline()
    rung: list[int] = []
    wake = Wake(timeline, lambda: rung.append(timeline.now))
    for at_ms in settings:
        wake.set(at_ms)
    timeline.until(100)
    last = settings[-1]
    assert rung == ([] if last is None else [last])


def test_an_alarm_clock_can_be_set_again_when_it_rings() -> None:
    timeline = Timeline()
    rung: list[int] = []

    def ring() -> None:
        rung.append(timeline.now)
        wake.set(timeline.now + 10)

    wake = Wake(timeline, ring)
    wake.set(5)
    timeline.until(30)
    assert rung == [5, 15, 25]


def test_a_part_that_asks_for_now_for_ever_is_found() -> None:
    timeline = Timeline()

    def again() -> None:
        timeline.after(0, again)

    timeline.at(7, again)
    with pytest.raises(Stuck, match="at 7 ms"):
        timeline.until(10)
    assert timeline.steps <= AT_ONCE_MAX + 2
