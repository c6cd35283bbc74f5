"""protocol.wire.held: events in order, and what makes room when there are too many."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from protocol.wire import codes
from protocol.wire.held import EVENTS_MAX, Queue, of_life

SMOKE, TAMPER = codes.KINDS.index("smoke"), codes.KINDS.index("tamper")
RAISED, UPDATED, RESTORED = (codes.PHASES.index(p) for p in ("raised", "updated", "restored"))


def filled(kind: int = SMOKE, phase: int = RAISED) -> Queue:
    queue = Queue()
    for _ in range(EVENTS_MAX):
        queue.add(kind, phase, 0, 0)
    return queue


def test_settles_the_first_only() -> None:
    queue = Queue()
    assert [queue.add(SMOKE, RAISED, 0, 0), queue.add(SMOKE, RESTORED, 0, 0)] == [1, 2]
    assert not queue.settle(2)
    assert queue.settle(1)
    assert not queue.settle(1)
    assert queue.numbers() == [2]


def test_what_ails_the_terminal_goes_before_what_concerns_a_life() -> None:
    queue = Queue()
    queue.add(SMOKE, UPDATED, 0, 0)
    queue.add(TAMPER, RAISED, 0, 0)
    for _ in range(EVENTS_MAX):
        queue.add(SMOKE, RAISED, 0, 0)
    assert queue.lost == 2
    assert 2 not in queue.numbers()
    assert 1 not in queue.numbers()


def test_a_newcomer_that_is_the_least_is_the_one_that_goes() -> None:
    queue = filled()
    assert queue.add(TAMPER, RAISED, 0, 0) == EVENTS_MAX + 1
    assert queue.numbers() == list(range(1, EVENTS_MAX + 1))


def test_among_alarms_the_first_and_the_newest_stay() -> None:
    queue = filled()
    queue.add(SMOKE, RESTORED, 0, 0)
    assert queue.numbers() == [1, *range(3, EVENTS_MAX + 2)]
    assert queue.lost == 1


@given(st.lists(st.tuples(st.sampled_from(range(1, 11)), st.sampled_from(range(1, 5))), max_size=100))
def test_is_bounded_and_in_order_and_counts_what_it_loses(offered: list[tuple[int, int]]) -> None:
    queue = Queue()
    for kind, phase in offered:
        queue.add(kind, phase, 0, 0)
    held = queue.numbers()
    assert held == sorted(held)
    assert len(held) == min(len(offered), EVENTS_MAX)
    assert len(held) + queue.lost == len(offered)
    first = queue.first_of_life()
    assert first == next((h for h in queue._events if of_life(h)), None)
