"""Where a bracelet was, around where it is: a small flat map in metres, for a page that has no other map."""

from __future__ import annotations

from collections.abc import Sequence
from math import atan2, cos, degrees, radians, sin
from typing import Any, Final, NamedTuple

from protocol.geo import E7, EARTH_RADIUS_M, Position, distance_m

FAR_M: Final = 20_000.0  # from the last position: further away is told in words; a flat earth is right to 0.3 % so far
HALF_M_MIN: Final = 40.0  # of a side: closer in, errors of the receiver would fill the picture
MARGIN: Final = 1.2  # around what is drawn
BAR_SHARE: Final = 0.7  # of half a side, at most: the scale bar


class Place(NamedTuple):
    """Where a home is, in WGS-84."""

    latitude_e7: int  # 1e-7 degree, north is positive
    longitude_e7: int  # 1e-7 degree, east is positive
    fence_m: int = 0  # radius of the circle that its bracelet should not leave; 0: not known here


class Seen(NamedTuple):
    """A position, and how old it is now."""

    position: Position
    age_s: int


def sketch(track: Sequence[Seen], home: Place | None) -> dict[str, Any] | None:
    """What is to be drawn of `track` (the oldest first); None where there is nothing.

    Metres east and north of the last position. The picture is a square around `centre`, `half_m` to each side.
    """
    if not track:
        return None
    last = track[-1].position
    points = [_point(seen, last) for seen in track if distance_m(seen.position, last) <= FAR_M]
    house = _home(home, last) if home else None
    spread = [(point["east_m"], point["north_m"], 0.0) for point in points]
    spread.append((0.0, 0.0, min(points[-1]["accuracy_m"] or 0.0, FAR_M)))
    if house and house["drawn"]:
        spread.append((house["east_m"], house["north_m"], min(house["fence_m"], FAR_M)))
    west, east = min(x - r for x, _, r in spread), max(x + r for x, _, r in spread)
    south, north = min(y - r for _, y, r in spread), max(y + r for _, y, r in spread)
    half_m = max(HALF_M_MIN, (east - west) / 2, (north - south) / 2) * MARGIN
    return {
        "points": points,
        "left_out": len(track) - len(points),
        "home": house,
        "centre": [(west + east) / 2, (south + north) / 2],
        "half_m": half_m,
        "bar_m": bar_m(half_m * BAR_SHARE),
    }


def bearing_deg(one: Sequence[int], other: Sequence[int]) -> float:
    """The direction in which the shortest way from `one` to `other` begins (latitude and longitude in 1e-7 degree
    first), in degrees clockwise from north, on a sphere."""
    latitude, other_latitude = (radians(where[0] / E7) for where in (one, other))
    across = radians((other[1] - one[1]) / E7)
    east = sin(across) * cos(other_latitude)
    north = cos(latitude) * sin(other_latitude) - sin(latitude) * cos(other_latitude) * cos(across)
    return degrees(atan2(east, north)) % 360.0


def bar_m(most_m: float) -> int:
    """The longest of 1, 2, 5, 10, 20, 50 ... m that is not longer than `most_m`, which is 1 m or more."""
    step: int = 10 ** (len(str(int(most_m))) - 1)
    return next(bar for bar in (5 * step, 2 * step, step) if bar <= most_m)


def _point(seen: Seen, origin: Position) -> dict[str, Any]:
    position = seen.position
    east_m, north_m = _flat(position, origin)
    return {
        "east_m": east_m,
        "north_m": north_m,
        "accuracy_m": position.accuracy_dm / 10 if position.accuracy_dm > 0 else None,
        "age_s": seen.age_s,
    }


def _home(home: Place, last: Position) -> dict[str, Any]:
    east_m, north_m = _flat(home, last)
    away_m = distance_m(home, last)
    return {
        "east_m": east_m,
        "north_m": north_m,
        "fence_m": home.fence_m,
        "distance_m": away_m,
        "bearing_deg": bearing_deg(home, last),
        "drawn": away_m <= FAR_M,
    }


def _flat(where: Sequence[int], origin: Position) -> tuple[float, float]:
    """Metres east and north of `origin`, as if the earth were flat there."""
    across_deg = ((where[1] - origin.longitude_e7) / E7 + 180) % 360 - 180  # the short way around
    east_m = radians(across_deg) * cos(radians(origin.latitude_e7 / E7)) * EARTH_RADIUS_M
    return east_m, radians((where[0] - origin.latitude_e7) / E7) * EARTH_RADIUS_M
