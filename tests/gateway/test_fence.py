"""The fence: out by two of three fixes, in again likewise, and what noise, leaps and time make of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.home.fence import (
    IN,
    INSIDE,
    MARGIN_M,
    OUT,
    OUTSIDE,
    SAMPLE_MS,
    TABLE,
    UNCLEAR,
    UNKNOWN,
    VOTE_MS_MAX,
    Fence,
    FenceWatch,
)
from protocol.geo import LATITUDE_E7_MAX, LONGITUDE_E7_MAX, Position

METRE_E7 = 89.93  # of latitude
FENCE = Fence(399_990_000, 1_163_850_000, 100)


def north(metres: float, accuracy_m: float = 5) -> Position:
    """So far north of the fence's centre."""
    return Position(FENCE.latitude_e7 + round(metres * METRE_E7), FENCE.longitude_e7, 0, round(accuracy_m * 10))


def walked(*metres: float, watch: FenceWatch | None = None, every_ms: int = SAMPLE_MS, since_ms: int = 0) -> list[str]:
    """The states that such a way leads through."""
    watch = watch or FenceWatch(FENCE)
    return [watch.fixed(north(away_m), since_ms + n * every_ms) for n, away_m in enumerate(metres)]


def test_the_table_knows_what_each_vote_does_in_each_state() -> None:
    assert {state for state, _ in TABLE} == set(TABLE.values()) == {UNKNOWN, INSIDE, OUTSIDE}
    assert all((state, vote) in TABLE for state in (UNKNOWN, INSIDE, OUTSIDE) for vote in (IN, OUT, UNCLEAR))


@pytest.mark.parametrize(
    ("position", "verdict"),
    [
        (north(0), IN),
        (north(99), IN),
        (north(99, 60), IN),
        (north(101), UNCLEAR),
        (north(100 + MARGIN_M + 4), UNCLEAR),
        (north(100 + MARGIN_M + 6), OUT),
        (north(169, 600), UNCLEAR),
        (north(171, 600), OUT),  # however inaccurate, a kilometre away is not at home
        (north(-139, 0), UNCLEAR),  # an unknown accuracy is taken for 20 m
        (north(-141, 0), OUT),
    ],
)
def test_a_fix_is_in_out_or_unclear_by_its_distance_and_accuracy(position: Position, verdict: str) -> None:
    assert FENCE.verdict(position) == verdict


def test_a_walk_out_and_home_is_seen_once_each_way() -> None:
    states = walked(0, 0, 60, 120, 180, 240, 300, 240, 180, 120, 90, 50, 0)
    assert states == [UNKNOWN, *[INSIDE] * 4, *[OUTSIDE] * 6, INSIDE, INSIDE]


def test_one_fix_that_is_out_says_nothing() -> None:
    assert walked(0, 0, 70, 140, 70, 0, 0) == [UNKNOWN] + [INSIDE] * 6


def test_at_the_edge_nobody_flutters_in_and_out() -> None:
    assert set(walked(0, 0, 70, *[99, 119] * 20)[1:]) == {INSIDE}
    assert set(walked(200, 200, *[110, 122] * 20)[1:]) == {OUTSIDE}


def test_a_leap_is_believed_when_three_in_a_row_bear_it_out() -> None:
    assert walked(0, 0, 600, 0, 600, 600, 0, 0) == [UNKNOWN] + [INSIDE] * 7
    assert walked(0, 0, 600, 610, 600, 605) == [UNKNOWN, *[INSIDE] * 4, OUTSIDE]


def test_an_elder_in_a_car_is_not_hidden() -> None:
    assert walked(0, 0, *range(450, 4000, 450))[-1] == OUTSIDE


def test_what_comes_sooner_than_a_sample_is_not_looked_at() -> None:
    assert set(walked(0, *[300] * 25, every_ms=1000)) == {UNKNOWN}


def test_votes_grow_old() -> None:
    watch = FenceWatch(FENCE)
    walked(0, 0, 70, 130, watch=watch)
    late_ms = 4 * SAMPLE_MS + VOTE_MS_MAX
    assert walked(130, watch=watch, since_ms=late_ms) == [INSIDE]
    assert walked(140, watch=watch, since_ms=late_ms + SAMPLE_MS) == [OUTSIDE]


def test_a_bracelet_that_is_first_seen_outside_is_outside() -> None:
    assert walked(500, 500) == [UNKNOWN, OUTSIDE]


@given(
    st.lists(
        st.tuples(
            st.builds(
                Position,
                st.integers(-LATITUDE_E7_MAX, LATITUDE_E7_MAX),
                st.integers(-LONGITUDE_E7_MAX, LONGITUDE_E7_MAX),
                st.integers(0, 10**9),
                st.integers(0, 10**6),
            ),
            st.integers(0, 10**7),
        )
    )
)
def test_any_fixes_lead_to_a_state_and_keep_little(fixes: list[tuple[Position, int]]) -> None:
    watch, now_ms = FenceWatch(FENCE), 0
    for position, passed_ms in fixes:
        now_ms += passed_ms
        before = watch.state
        after = watch.fixed(position, now_ms)
        assert (before, after) not in [(INSIDE, UNKNOWN), (OUTSIDE, UNKNOWN)]
        assert len(watch._leaps) < 3


@given(st.lists(st.floats(-99, 99), min_size=2, max_size=60))
def test_who_stays_inside_never_leaves(metres: list[float]) -> None:
    assert OUTSIDE not in walked(*metres)
