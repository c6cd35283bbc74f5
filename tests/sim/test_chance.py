"""Chance by number: the same each time, even, and each lane by itself."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from sim.chance import LANES, ODDS, Chance


@given(st.integers(), st.integers(0, 2**40))
def test_what_is_drawn_for_a_number_is_the_same_each_time_and_in_its_bounds(seed: int, number: int) -> None:
    drawn = Chance(seed, "line").draw(number)
    assert drawn == Chance(seed, "line").draw(number)
    assert len(set(drawn)) == len(drawn) == LANES
    assert all(0 <= one < ODDS for one in drawn)
    assert drawn not in (Chance(seed, "other").draw(number), Chance(seed, "line").draw(number + 1))


def test_lanes_are_even_and_do_not_depend_on_each_other() -> None:
    chance = Chance(3, "line")
    drawn = [chance.draw(n) for n in range(4000)]
    for first in range(LANES):
        for second in range(first):
            quarters = Counter((one[first] * 2 // ODDS, one[second] * 2 // ODDS) for one in drawn)
            assert all(880 < count < 1120 for count in quarters.values())
