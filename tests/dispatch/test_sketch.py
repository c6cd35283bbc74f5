"""A sketch of where a bracelet was agrees with the earth, holds all that it should, and any position makes one."""

from __future__ import annotations

import json
from math import hypot, isfinite

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.sketch import FAR_M, HALF_M_MIN, Place, Seen, bar_m, bearing_deg, sketch
from protocol.geo import E7, LATITUDE_E7_MAX, LONGITUDE_E7_MAX, Position, distance_m

HOME = Place(399_990_000, 1_163_850_000, fence_m=100)
NORTH = Position(400_000_000, 1_163_850_000, accuracy_dm=55)  # 111 m north of it
EAST = Position(399_990_000, 1_163_870_000)  # 170 m east of it

latitudes = st.integers(-LATITUDE_E7_MAX, LATITUDE_E7_MAX)
longitudes = st.integers(-LONGITUDE_E7_MAX, LONGITUDE_E7_MAX)
amounts = st.integers(-(2**63 - 1), 2**63 - 1)
positions = st.builds(Position, latitudes, longitudes, amounts, amounts, amounts, amounts)
places = st.builds(Place, latitudes, longitudes, st.just(0) | st.integers(50, 100_000))


def test_nothing_is_drawn_of_no_position() -> None:
    assert sketch([], HOME) is None


def test_points_are_metres_from_the_last_one_and_the_home_lies_where_it_is() -> None:
    drawn = sketch([Seen(EAST, 90), Seen(NORTH, 5)], HOME)
    assert drawn is not None
    first, last = drawn["points"]
    assert (last["east_m"], last["north_m"], last["accuracy_m"], last["age_s"]) == (0, 0, 5.5, 5)
    assert first["east_m"] == pytest.approx(170.4, abs=0.1)
    assert first["north_m"] == pytest.approx(-111.2, abs=0.1)
    assert first["accuracy_m"] is None
    home = drawn["home"]
    assert (home["east_m"], home["fence_m"], home["drawn"]) == (0, 100, True)
    assert home["distance_m"] == pytest.approx(111.2, abs=0.1)
    assert home["bearing_deg"] == 0  # it is to the north of its home


@pytest.mark.parametrize(
    ("to", "bearing"),
    [((10, 0), 0), ((10, 10), 45), ((0, 10), 90), ((-10, 0), 180), ((0, -10), 270), ((10, -10), 315)],
)
def test_a_bearing_is_clockwise_from_north(to: tuple[int, int], bearing: float) -> None:
    assert bearing_deg((0, 0), to) == pytest.approx(bearing, abs=0.01)


def test_a_known_bearing_over_a_long_way_is_right() -> None:
    """Baghdad to Osaka: 60.16 degrees, the usual worked example of the great circle's first bearing."""
    assert bearing_deg((35 * E7, 45 * E7), (35 * E7, 135 * E7)) == pytest.approx(60.16, abs=0.01)


def test_the_short_way_leads_over_the_date_line() -> None:
    drawn = sketch([Seen(Position(0, 1_799_999_000), 60), Seen(Position(0, -1_799_999_000), 0)], None)
    assert drawn is not None
    assert drawn["points"][0]["east_m"] == pytest.approx(-22.2, abs=0.1)


def test_what_is_far_away_is_told_and_not_drawn() -> None:
    beijing, shanghai = Position(399_000_000, 1_164_000_000), Position(312_000_000, 1_215_000_000)
    drawn = sketch([Seen(beijing, 900), Seen(shanghai, 0)], HOME)
    assert drawn is not None
    assert (len(drawn["points"]), drawn["left_out"], drawn["home"]["drawn"]) == (1, 1, False)
    assert drawn["half_m"] < 100
    assert drawn["home"]["distance_m"] == pytest.approx(1_075_000, rel=0.01)


@pytest.mark.parametrize(
    ("most_m", "bar"), [(1, 1), (1.9, 1), (9.99, 5), (28, 20), (50, 50), (99, 50), (14_000, 10_000)]
)
def test_a_scale_bar_is_a_round_number_that_fits(most_m: float, bar: int) -> None:
    assert bar_m(most_m) == bar


@given(st.lists(st.builds(Seen, positions, st.integers(0, 10**9)), max_size=12), st.none() | places)
def test_whatever_is_sent_the_sketch_is_finite_bounded_and_holds_what_it_draws(
    track: list[Seen], home: Place | None
) -> None:
    drawn = sketch(track, home)
    if drawn is None:
        assert not track
        return
    json.dumps(drawn, allow_nan=False)
    assert HALF_M_MIN <= drawn["half_m"] <= 4 * FAR_M
    assert 0 < drawn["bar_m"] < drawn["half_m"]
    assert len(drawn["points"]) + drawn["left_out"] == len(track)
    for point in (*drawn["points"], *([drawn["home"]] if drawn["home"] and drawn["home"]["drawn"] else [])):
        assert abs(point["east_m"] - drawn["centre"][0]) <= drawn["half_m"]
        assert abs(point["north_m"] - drawn["centre"][1]) <= drawn["half_m"]


@given(
    positions.filter(lambda p: abs(p.latitude_e7) < 80 * E7), st.integers(-90_000, 90_000), st.integers(-90_000, 90_000)
)
def test_distances_in_the_sketch_are_those_on_the_earth(last: Position, north: int, east: int) -> None:
    other = Position(last.latitude_e7 + north, (last.longitude_e7 + east + 180 * E7) % (360 * E7) - 180 * E7)
    drawn = sketch([Seen(other, 0), Seen(last, 0)], None)
    assert drawn is not None
    point = drawn["points"][0]
    away_m = hypot(point["east_m"], point["north_m"])
    assert isfinite(away_m)
    assert away_m == pytest.approx(distance_m(other, last), rel=0.02, abs=0.1)
