"""Shrinking: what is left still fails, and nothing of it can be spared."""

from hypothesis import given
from hypothesis import strategies as st

from sim.world.shrink import shrink


@given(st.integers(0, 40), st.sets(st.integers(0, 39), max_size=4))
def test_only_what_is_needed_is_left(size: int, needed: set[int]) -> None:
    needed = {number for number in needed if number < size}
    left, _ = shrink(range(size), lambda keep: needed <= keep)
    assert left == sorted(needed)


@given(st.lists(st.integers(0, 1), min_size=1, max_size=12))
def test_what_is_left_fails_and_does_not_without_any_one_of_it(values: list[int]) -> None:
    def fails(keep: frozenset[int]) -> bool:
        return sum(values[n] for n in keep) * 2 >= sum(values)

    left, tries = shrink(range(len(values)), fails)
    assert fails(frozenset(left))
    assert all(not fails(frozenset(left) - {one}) for one in left)
    assert tries < 200
