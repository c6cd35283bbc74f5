"""What the centre lacks is found whatever the intervals, asked for in bounds and not too often, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.resend import ASK_MS, Resend, gaps
from dispatch.store import Store
from protocol.record import INT_MAX, INTERVALS_MAX, SETTLED_MAX, Command, EventId, Heartbeat, Interval, Now, Stamp

NOW = Now(1_790_000_000_000, 60_000)
numbers = st.sets(st.integers(0, 40))
wanted = st.tuples(st.integers(0, 40), st.integers(0, 40)).map(lambda ends: Interval(1, *sorted(ends)))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "centre.db")
    yield store
    store.close()


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One for all examples, each of which leaves nothing behind."""
    store = Store(tmp_path_factory.mktemp("standing") / "centre.db")
    yield store
    store.close()


def beat(*settled: Interval, gateway: str = "gw-1", number: int = 7) -> Heartbeat:
    return Heartbeat(gateway, number, Stamp.of(NOW, boot=1), "0.1.0", 5, 0, 0, 2, 0, settled)


def ask(store: Store, heartbeat: Heartbeat, resend: Resend | None = None, now: Now = NOW) -> Command | None:
    with store.transaction():
        return (resend or Resend(store)).command(heartbeat, now)


def mark(store: Store, events: set[int], epoch: int = 1, gateway: str = "gw-1") -> None:
    with store.transaction():
        for sequence in events:
            store.mark(gateway, EventId(epoch, sequence))


def held(intervals: list[Interval]) -> set[int]:
    found = [number for one in intervals for number in range(one.first, one.last + 1)]
    assert len(found) == len(set(found))
    return set(found)


@given(numbers, wanted)
def test_what_is_lacking_is_what_is_told_less_what_is_committed(
    standing: Store, committed: set[int], told: Interval
) -> None:
    mark(standing, committed)
    mark(standing, {told.first, told.last}, epoch=2)  # of no concern
    mark(standing, {told.first, told.last}, gateway="gw-2")
    command = ask(standing, beat(told))
    lacking = set(range(told.first, told.last + 1)) - committed
    assert held(list(command.intervals) if command else []) == lacking
    standing.run("DELETE FROM intervals")


@given(numbers, numbers, st.lists(st.tuples(st.integers(1, 2), wanted), max_size=SETTLED_MAX))
def test_of_several_that_are_told_what_each_lacks_is_asked_for_in_their_order(
    standing: Store, first: set[int], second: set[int], told: list[tuple[int, Interval]]
) -> None:
    committed = {1: first, 2: second}
    for epoch, events in committed.items():
        mark(standing, events, epoch)
    command = ask(standing, beat(*(interval._replace(epoch=epoch) for epoch, interval in told)))
    lacking = [
        (epoch, number)
        for epoch, interval in told
        for number in range(interval.last, interval.first - 1, -1)
        if number not in committed[epoch]
    ]
    asked = [
        (one.epoch, number)
        for one in (command.intervals if command else ())
        for number in range(one.last, one.first - 1, -1)
    ]
    assert asked == lacking[: len(asked)]
    assert asked == lacking or (command is not None and len(command.intervals) == INTERVALS_MAX)
    standing.run("DELETE FROM intervals")


@given(numbers, wanted)
def test_gaps_are_the_fewest_intervals_and_the_highest_first(committed: set[int], told: Interval) -> None:
    found = gaps(told, [Interval(1, number, number) for number in sorted(committed, reverse=True)])
    assert held(found) == set(range(told.first, told.last + 1)) - committed
    assert all(one.first > after.last + 1 for one, after in pairwise(found))


def test_the_command_answers_the_heartbeat(store: Store) -> None:
    lost = Interval(3, 5, 9)
    assert ask(store, beat(lost)) == Command("gw-1", 7, NOW.wall_ms, "resend", (lost,))
    assert store.counters()["asked_again"] == 1


def test_nothing_is_asked_where_nothing_is_told_or_lacking(store: Store) -> None:
    mark(store, set(range(5, 10)))
    assert ask(store, beat()) is None
    assert ask(store, beat(Interval(1, 5, 9), Interval(1, 6, 6))) is None
    assert store.counters()["asked_again"] == 0


def test_a_gateway_is_asked_now_and_then_and_each_in_its_own_time(store: Store) -> None:
    resend = Resend(store)
    lost = Interval(1, 1, 1)
    moments = (0, 1, ASK_MS - 1, ASK_MS, ASK_MS + 1)
    asked = [ask(store, beat(lost), resend, Now(0, ms)) is not None for ms in moments]
    assert asked == [True, False, False, True, False]
    assert ask(store, beat(lost, gateway="gw-2"), resend, Now(0, ASK_MS + 1)) is not None


def test_a_heartbeat_that_lacks_nothing_puts_off_no_other(store: Store) -> None:
    mark(store, {1})
    resend = Resend(store)
    assert ask(store, beat(Interval(1, 1, 1)), resend) is None
    assert ask(store, beat(Interval(1, 2, 2)), resend) is not None


def test_a_lie_of_everything_is_one_command_that_fits(store: Store) -> None:
    mark(store, set(range(0, 6 * INTERVALS_MAX, 2)))
    everything = Interval(1, 0, INT_MAX)
    command = ask(store, beat(everything, everything, Interval(INT_MAX, 0, INT_MAX)))
    assert command is not None
    assert len(command.intervals) == INTERVALS_MAX
    assert command.intervals[0] == Interval(1, 6 * INTERVALS_MAX - 1, INT_MAX)
    assert len(command.to_record()) < 2048


def test_beyond_a_command_the_rest_is_asked_for_when_that_has_come(store: Store) -> None:
    mark(store, set(range(0, 6 * INTERVALS_MAX, 2)))
    told = Interval(1, 0, 6 * INTERVALS_MAX - 1)
    rounds = 0
    while (command := ask(store, beat(told))) is not None:
        mark(store, held(list(command.intervals)))
        rounds += 1
    assert 3 <= rounds <= 4
    assert store.interval("gw-1", EventId(1, 0)) == told
