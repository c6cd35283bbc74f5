"""What measuring sensors share: levels that last, readings out of range, a life that ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.measure import FAULT_CLEAR_MS, Life, Range, Threshold
from protocol.wire.codes import PHASES

RAISED, RESTORED = PHASES.index("raised"), PHASES.index("restored")
ALARM, CLEAR, VERIFY_MS, CLEAR_MS = 100, 50, 3000, 60_000


def play(levels: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """What came, as (ms, phase), of levels as (ms, level)."""
    threshold = Threshold(ALARM, CLEAR, VERIFY_MS, CLEAR_MS)
    found = [(now, threshold.step(level, now)) for now, level in levels]
    return [(now, phase) for now, phase in found if phase is not None]


@pytest.mark.parametrize("every_ms", [100, 1000, 2999, 30_000])
def test_a_level_that_lasts_raises_and_restores_within_one_sample_at_any_rate(every_ms: int) -> None:
    high = [(now, ALARM) for now in range(0, 60_000, every_ms)]
    low_from = high[-1][0] + every_ms
    low = [(now, CLEAR - 1) for now in range(low_from, low_from + 200_000, every_ms)]
    (raised_ms, raised), (restored_ms, restored) = play(high + low)
    assert (raised, restored) == (RAISED, RESTORED)
    assert VERIFY_MS <= raised_ms < VERIFY_MS + every_ms
    assert CLEAR_MS <= restored_ms - low_from < CLEAR_MS + every_ms


def test_a_level_between_or_below_zero_neither_starts_nor_ends() -> None:
    for nothing in (CLEAR, ALARM - 1, -1):
        assert play([(now, nothing) for now in range(0, 200_000, 1000)]) == []
        alarm = [(now, ALARM) for now in range(0, 5000, 1000)]
        assert len(play(alarm + [(now, nothing) for now in range(5000, 200_000, 1000)])) == 1


def test_it_is_quiet_only_while_nothing_is_in_the_making() -> None:
    threshold = Threshold(ALARM, CLEAR, VERIFY_MS, CLEAR_MS)
    shown = []
    for now, level in ((0, 0), (1000, ALARM), (5000, ALARM), (6000, 0), (70_000, 0)):
        threshold.step(level, now)
        shown.append((threshold.quiet(), threshold.standing()))
    assert shown == [(True, False), (False, False), (False, True), (False, True), (True, False)]


def test_a_range_is_faulty_at_once_and_sound_after_a_minute_within() -> None:
    watched = Range(0, 10)
    faulty = []
    for now, sample in ((0, 10), (1000, 11), (2000, 5), (1000 + FAULT_CLEAR_MS, 5), (90_000, -1)):
        watched.step(sample, now)
        faulty.append(watched.faulty())
    assert faulty == [False, True, True, False, True]


@given(st.integers(0, 2**40), st.integers(0, 2**40), st.integers(0, 2**40))
def test_a_life_goes_on_over_a_restart(used_ms: int, begin: int, lasts_ms: int) -> None:
    life = Life(used_ms, used_ms + lasts_ms)
    assert life.used_ms() == used_ms
    life.step(begin)
    assert life.used_ms() == used_ms
    life.step(begin + lasts_ms)
    assert life.used_ms() == used_ms + lasts_ms
    assert life.over()
