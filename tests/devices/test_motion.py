"""The motion sensor's logic: when somebody was seen, how often it says so, warm-up, a pin that is stuck."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from devices.motion import HOLD_MS, NEVER, STUCK_MS, WARM_UP_MS, Motion
from protocol.wire.codes import ACTIVE, SENSOR_FAULT, WARMING_UP

MINUTE_MS = 60_000


def run(motion: Motion, moves: list[tuple[int, int]], until: int) -> list[tuple[int, int]]:
    """Each change of its conditions, as (ms, bits), with a turn at each move and whenever one is due."""
    changes: list[tuple[int, int]] = []
    now, bits = moves[0][0] if moves else 0, motion.conditions()
    while now <= until:
        sample = None
        while moves and moves[0][0] <= now:
            sample = moves.pop(0)[1]
        assert motion.step(sample, now) == []
        if motion.conditions() != bits:
            bits = motion.conditions()
            changes.append((now, bits))
        due = motion.deadline()
        assert due is None or due > now
        nexts = [at for at in (due, moves[0][0] if moves else None) if at is not None]
        if not nexts:
            break
        now = min(nexts)
    motion.step(None, until)
    return changes


def test_somebody_is_active_from_the_first_move_to_a_minute_after_the_last() -> None:
    motion = Motion(warm=True)
    assert run(motion, [(1000, 1), (3000, 0), (20_000, 1), (22_000, 0)], 200_000) == [
        (1000, ACTIVE),
        (22_000 + HOLD_MS, 0),
    ]
    assert motion.value() == (200_000 - 22_000) // 1000


def test_nobody_was_ever_seen() -> None:
    motion = Motion(warm=True)
    run(motion, [(0, 0)], 100_000)
    assert (motion.value(), motion.conditions(), motion.deadline()) == (NEVER, 0, None)


def test_somebody_who_comes_just_after_is_told_within_a_minute_with_the_time() -> None:
    motion = Motion(warm=True)
    assert run(motion, [(0, 1), (10, 0), (HOLD_MS + 500, 1), (HOLD_MS + 600, 0)], HOLD_MS + 10 + HOLD_MS) == [
        (0, ACTIVE),
        (HOLD_MS + 10, 0),
        (HOLD_MS + 10 + HOLD_MS, ACTIVE),
    ]
    assert motion.value() == (HOLD_MS - 590) // 1000


def test_while_it_warms_up_its_pin_says_nothing() -> None:
    motion = Motion()
    changes = run(motion, [(0, 1), (2000, 0), (WARM_UP_MS - 3000, 1), (WARM_UP_MS - 1000, 0)], 3 * WARM_UP_MS)
    assert Motion().conditions() == WARMING_UP
    assert changes == [(WARM_UP_MS, 0)]
    assert motion.value() == NEVER


def test_a_pin_that_is_stuck_is_a_fault_and_no_sign_of_life() -> None:
    motion = Motion(warm=True)
    assert run(motion, [(0, 1)], 3 * STUCK_MS) == [
        (0, ACTIVE),
        (STUCK_MS, ACTIVE | SENSOR_FAULT),
        (STUCK_MS + HOLD_MS, SENSOR_FAULT),
    ]
    assert motion.value() == 2 * STUCK_MS // 1000
    motion.step(0, 3 * STUCK_MS)
    assert motion.conditions() == 0


def test_turns_that_come_late_believe_a_stuck_pin_no_longer() -> None:
    motion = Motion(warm=True)
    motion.step(1, 0)
    motion.step(None, 5 * STUCK_MS)
    assert motion.value() == 4 * STUCK_MS // 1000


@given(st.lists(st.tuples(st.integers(1, 200_000), st.integers(0, 1)), min_size=1, max_size=40))
def test_whoever_moves_is_told_soon_and_it_speaks_at_most_once_a_minute(waits: list[tuple[int, int]]) -> None:
    now, moves = 0, []
    for wait, level in waits:
        now += wait
        moves.append((now, level))
    motion = Motion(warm=True)
    changes = run(motion, list(moves), now + 3 * MINUTE_MS)
    times = [at for at, _ in changes]
    assert all(later - earlier >= MINUTE_MS for earlier, later in pairwise(times))
    for at, level in moves:
        if level:  # active at that moment, or said within a minute
            before = [bits for when, bits in changes if when <= at][-1:]
            assert before == [ACTIVE] or any(at <= when <= at + MINUTE_MS and bits & ACTIVE for when, bits in changes)


@given(st.lists(st.tuples(st.integers(0, 10_000_000), st.one_of(st.none(), st.integers())), max_size=40))
def test_any_samples_raise_nothing(steps: list[tuple[int, int | None]]) -> None:
    motion, now = Motion(), 0
    for wait, sample in steps:
        now += wait
        assert motion.step(sample, now) == []
        assert motion.value() >= NEVER
        due = motion.deadline()
        assert due is None or due > now
