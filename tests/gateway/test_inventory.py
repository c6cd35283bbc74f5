"""The inventory of what is settled: told in full, round and round, the newest first, and never more than fits."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gateway import inventory as inventory_module
from gateway.inventory import Inventory, intervals_of, merged
from protocol.record import SETTLED_MAX, EventId, Interval

small = st.integers(0, 30)
ids = st.builds(EventId, st.integers(1, 3), small)
intervals = st.builds(lambda epoch, ends: Interval(epoch, *sorted(ends)), st.integers(1, 3), st.tuples(small, small))


def events(found: list[Interval]) -> set[EventId]:
    return {EventId(one.epoch, number) for one in found for number in range(one.first, one.last + 1)}


@given(st.lists(intervals, max_size=20))
def test_merged_intervals_hold_the_same_events_and_neither_touch_nor_overlap(given_ones: list[Interval]) -> None:
    found = merged(given_ones)
    assert events(found) == events(given_ones)
    assert found == sorted(found)
    assert all(one.epoch < two.epoch or one.last + 1 < two.first for one, two in pairwise(found))


@given(st.lists(ids, max_size=40))
def test_events_are_told_in_intervals_that_hold_them_alone(some: list[EventId]) -> None:
    assert events(intervals_of(some)) == set(some)


def test_nothing_is_told_of_nothing() -> None:
    assert Inventory().window() == ()


@given(st.sets(ids, min_size=1, max_size=60))
def test_every_interval_is_told_once_in_each_round_the_newest_first(some: set[EventId]) -> None:
    inventory = Inventory()
    inventory.replace(intervals_of(some))
    whole = list(inventory)
    for _ in range(2):
        told = [one for _ in range(-(-len(whole) // SETTLED_MAX)) for one in inventory.window()]
        assert told == whole[::-1]


@given(st.lists(st.lists(ids, max_size=5), max_size=12))
def test_what_is_added_between_windows_is_there_and_each_window_is_within_its_bound(parts: list[list[EventId]]) -> None:
    inventory = Inventory()
    had: set[EventId] = set()
    for part in parts:
        inventory.add(intervals_of(part))
        had.update(part)
        window = inventory.window()
        assert len(window) <= SETTLED_MAX
        assert events(list(window)) <= had
    assert events(list(inventory)) == had


def test_of_more_than_there_is_room_for_the_newest_are_kept(monkeypatch) -> None:
    monkeypatch.setattr(inventory_module, "INTERVALS_MAX", 3)
    inventory = Inventory()
    inventory.replace(Interval(epoch, 1, 2) for epoch in range(10))
    assert list(inventory) == [Interval(epoch, 1, 2) for epoch in (7, 8, 9)]
    inventory.add([Interval(20, 5, 5)])
    assert [one.epoch for one in inventory] == [8, 9, 20]
