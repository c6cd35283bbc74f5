"""Positions: read from a record's list, and how far apart two of them are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.geo import E7, LATITUDE_E7_MAX, LONGITUDE_E7_MAX, Position, distance_m, position_of

PLACES = st.tuples(st.integers(-LATITUDE_E7_MAX, LATITUDE_E7_MAX), st.integers(-LONGITUDE_E7_MAX, LONGITUDE_E7_MAX))


@pytest.mark.parametrize(
    ("one", "other", "metres"),
    [
        ((0, 0), (0, 1), 111_195),  # a degree of the equator, of the sphere of mean radius
        ((89, 0), (90, 77), 111_195),
        ((10, 179.5), (10, -179.5), 109_505),  # across the date line
        ((0, 0), (0, 180), 20_015_115),
        ((39.9042, 116.4074), (31.2304, 121.4737), 1_067_310),  # Beijing to Shanghai
    ],
)
def test_known_distances(one: tuple[float, float], other: tuple[float, float], metres: int) -> None:
    found = distance_m([round(value * E7) for value in one], [round(value * E7) for value in other])
    assert found == pytest.approx(metres, rel=1e-4)


@given(PLACES, PLACES)
def test_a_distance_is_the_same_both_ways_and_at_most_half_the_way_round(
    one: tuple[int, int], other: tuple[int, int]
) -> None:
    found = distance_m(one, other)
    assert found == pytest.approx(distance_m(other, one), abs=1e-3)
    assert 0 <= found <= 20_015_116
    assert distance_m(one, one) == 0


@given(st.builds(Position, st.integers(-LATITUDE_E7_MAX, LATITUDE_E7_MAX), st.integers(0, LONGITUDE_E7_MAX)))
def test_what_a_record_holds_is_the_position_again(position: Position) -> None:
    assert position_of(list(position)) == position


def test_an_older_and_a_newer_senders_position_are_understood_and_one_off_the_earth_is_none() -> None:
    assert position_of((1, 2)) == Position(1, 2)
    assert position_of((1, 2, 3, 4, 5, 6, 7, 8)) == Position(1, 2, 3, 4, 5, 6)
    assert [position_of(values) for values in (None, (), (1,), (90 * E7 + 1, 0), (0, -180 * E7 - 1))] == [None] * 5


def test_a_position_grows_old_and_never_young() -> None:
    assert Position(1, 2, 300).aged(700).age_ms == 1000
    assert Position(1, 2, 300).aged(-700).age_ms == 300
