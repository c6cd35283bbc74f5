"""The walk of a bracelet's wearer and the noise of its receiver: as the model says."""

from __future__ import annotations

from statistics import median

import pytest

from gateway.home.fence import OUTSIDE, Fence, FenceWatch
from protocol.geo import distance_m
from sim.line import stream
from sim.walk import COLD_START_MS, HOME, LEAP_M, MEDIAN_OUT_M, WALK_M_S, Walk

DAY_S = 86_400


def test_the_wearer_goes_out_and_home_at_a_walk() -> None:
    walk = Walk(stream(1, "walk"), 0)
    walk.go(60, 1000)
    assert [walk.away_m(ms) for ms in (1000, 26_000, 51_000, 90_000)] == [0, 25 * WALK_M_S, 60, 60]
    walk.go(0, 90_000)
    assert [walk.away_m(ms) for ms in (100_000, 140_000)] == [60 - 10 * WALK_M_S, 0]


def test_outside_the_receivers_error_has_its_median() -> None:
    walk = Walk(stream(2, "walk"), 0)
    walk.go(1000, 0)
    truth = [walk.fix(ms) for ms in range(1_000_000, 1_000_000 + DAY_S * 1000, 30_000)]
    errors = [abs(distance_m(HOME, fix) - 1000) for fix in truth if fix]
    # Along one direction only: two thirds of an error lie within its sigma, half within 0.67 of it.
    assert median(errors) == pytest.approx(MEDIAN_OUT_M / 1.1774 * 0.6745, rel=0.1)
    assert len(errors) == len(truth)


def test_inside_single_fixes_leave_a_fence_again_and_again_and_two_of_three_hardly_ever() -> None:
    walk, watch = Walk(stream(3, "walk"), 0), FenceWatch(Fence(*HOME, 100))
    single = exits = unseen = 0
    for second in range(0, DAY_S, 2):
        fix = walk.fix(second * 1000)
        unseen += fix is None
        if fix is None:
            continue
        single += second % 60 == 0 and distance_m(HOME, fix) > 100
        exits += watch.fixed(fix, second * 1000) == OUTSIDE
        assert distance_m(HOME, fix) < LEAP_M[1] + 300
    assert 5 <= single <= 30
    assert exits == 0
    assert 0.2 < unseen / (DAY_S / 2) < 0.5


def test_a_receiver_that_was_just_switched_on_sees_nothing_yet() -> None:
    walk = Walk(stream(4, "walk"), 5000)
    walk.go(100, 5000)
    assert walk.fix(5000 + COLD_START_MS - 1) is None
    assert walk.fix(5000 + COLD_START_MS) is not None
