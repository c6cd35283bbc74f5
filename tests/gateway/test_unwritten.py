"""What waits for the disk: nothing that matters more goes before what matters less, and the newest state counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import unwritten as unwritten_module
from gateway.unwritten import INTERVALS_MAX, Unwritten, earlier
from protocol.record import Event, EventId, Interval, Source, Stamp
from protocol.words import LIFE, PROPERTY, SEVERITIES, TROUBLE


def event(sequence: int, severity: str = LIFE) -> Event:
    name = EventId(7, sequence)
    return Event("gw-1", name, name, "smoke", "raised", severity, "held", "smoke-1", "", Stamp(1, 1, 1, "holdover"))


def sequences(work: Unwritten) -> list[int]:
    return [one.sequence for one in work.events]


@given(severities=st.lists(st.sampled_from(SEVERITIES), max_size=40), room=st.integers(1, 8), cut=st.integers(0, 40))
def test_what_is_dropped_is_the_oldest_of_what_matters_least(severities: Sequence[str], room: int, cut: int) -> None:
    events = [event(number, severity) for number, severity in enumerate(severities)]
    left = list(events)
    for _ in range(max(0, len(events) - room)):
        least = max(SEVERITIES.index(one.severity) for one in left)
        left.remove(next(one for one in left if SEVERITIES.index(one.severity) == least))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unwritten_module, "EVENTS_MAX", room)
        work = Unwritten()
        assert work.commit(events, {}, 0) == len(events) - len(left)
        assert list(work.events.values()) == left
        older, newer = Unwritten(), Unwritten()
        older.events = {one.id: one for one in events[:cut]}
        newer.events = {one.id: one for one in events[cut:]}
        newer.put_before(older)
        assert list(newer.events.values()) == left


def test_what_comes_back_goes_before_what_came_since_and_newer_state_counts() -> None:
    older, newer = Unwritten(), Unwritten()
    older.commit([event(1), event(2, TROUBLE)], {"a": b"old", "b": b"old"}, 10)
    newer.commit([event(3, PROPERTY)], {"a": None}, 20)
    newer.settle([Interval(7, 2, 2)])
    newer.by(99)
    assert newer.put_before(older) == 0
    assert sequences(newer) == [1, 3]  # 2 has its receipt since
    assert newer.state == {"a": None, "b": b"old"}
    assert (newer.since_ms, newer.lazy_ms) == (10, 99)
    assert newer.settled == [Interval(7, 2, 2)]


def test_what_is_receipted_before_it_is_written_is_written_all_the_same_and_owed_no_more() -> None:
    work = Unwritten()
    work.commit([event(1), event(2)], {}, 10)
    work.settle([Interval(7, 1, 1)])
    assert sequences(work) == [2]
    assert list(work.given.values()) == [event(1)]
    newer = Unwritten()
    newer.put_before(work)
    assert list(newer.given.values()) == [event(1)]


def test_of_what_is_receipted_before_it_is_written_the_newest_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unwritten_module, "GIVEN_MAX", 2)
    work = Unwritten()
    for number in range(5):
        work.commit([event(number)], {}, 0)
        work.settle([Interval(7, number, number)])
    assert [one.sequence for one in work.given] == [3, 4]
    assert work


def test_receipts_are_bounded_and_the_newest_stay() -> None:
    work = Unwritten()
    for number in range(INTERVALS_MAX + 5):
        work.settle([Interval(7, number, number)])
    assert len(work.settled) == INTERVALS_MAX
    assert work.settled[-1].last == INTERVALS_MAX + 4


def test_receipts_of_other_centres_are_bounded_and_the_newest_stay() -> None:
    work = Unwritten()
    for number in range(INTERVALS_MAX + 5):
        work.receive([Interval(7, number, number)], 1)
    assert len(work.received) == INTERVALS_MAX
    assert work.received[-1] == (1, Interval(7, INTERVALS_MAX + 4, INTERVALS_MAX + 4))


@pytest.mark.parametrize(("left", "since_ms"), [([event(2, TROUBLE)], 10), ([], None)])
def test_what_is_left_when_alarms_are_written_has_waited_as_long_if_there_is_any(
    left: Sequence[Event], since_ms: int | None
) -> None:
    work = Unwritten()
    work.commit([event(1), *left], {"a": b"x"}, 10)
    urgent, rest = work.split()
    assert (list(urgent.events.values()), urgent.state) == ([event(1)], {"a": b"x"})
    assert (list(rest.events.values()), rest.state, rest.since_ms) == (left, {}, since_ms)


def test_it_is_empty_until_something_has_to_be_written() -> None:
    work = Unwritten()
    work.by(5)
    assert not work
    work.settle([Interval(1, 1, 1)])
    assert work
    assert Unwritten(events={EventId(7, 1): event(1)})
    assert Unwritten(state={"a": None})


def test_what_was_asked_for_first_says_how_long_it_has_waited_and_when_it_is_due() -> None:
    work = Unwritten()
    for now_ms in (10, 20, 15):
        work.commit([event(now_ms)], {}, now_ms)
        work.by(now_ms + 90)
    assert (work.since_ms, work.lazy_ms) == (10, 100)
    lazy, urgent = Unwritten(), Unwritten()
    lazy.by(7)
    urgent.commit([], {}, 8)
    lazy.put_before(urgent)
    assert (lazy.since_ms, lazy.lazy_ms) == (8, 7)
    again, later = Unwritten(), Unwritten()
    again.by(7)
    later.commit([], {}, 8)
    later.by(9)
    later.put_before(again)
    assert (later.since_ms, later.lazy_ms) == (8, 7)


def test_the_earlier_of_two_moments() -> None:
    assert earlier(None, None) is None
    assert earlier(3, None) == earlier(None, 3) == earlier(3, 4) == 3


def test_what_a_terminal_still_repeats_is_dropped_after_its_equals() -> None:
    """The state beside it says that it was taken: dropped alone, it would be acknowledged for nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unwritten_module, "EVENTS_MAX", 1)
        work = Unwritten()
        work.commit([replace(event(1), source=Source(5, 1)), event(2)], {"source/smoke-1": b"x"}, 0)
        assert sequences(work) == [1]


def test_a_terminal_that_says_too_much_costs_no_other_its_alarm() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unwritten_module, "EVENTS_MAX", 3)
        work = Unwritten()
        call = replace(event(1), terminal="button-1")
        work.commit([call, *(event(number) for number in range(2, 9))], {}, 0)
        assert sequences(work) == [1, 7, 8]
