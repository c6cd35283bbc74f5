"""Positions on the earth in WGS-84, as integers that a record can hold, and how far apart two of them are."""

from __future__ import annotations

from collections.abc import Sequence
from math import asin, cos, radians, sin, sqrt
from typing import Final, NamedTuple

E7: Final = 10_000_000  # degrees are counted in 1e-7, which is 11 mm at most
LATITUDE_E7_MAX: Final = 90 * E7
LONGITUDE_E7_MAX: Final = 180 * E7
EARTH_RADIUS_M: Final = 6_371_008.8  # mean radius of the WGS-84 ellipsoid (IUGG R1)


class Position(NamedTuple):
    """Where somebody is, or last was. A record holds it as a list of these numbers, in this order; always WGS-84."""

    latitude_e7: int  # 1e-7 degree, north is positive
    longitude_e7: int  # 1e-7 degree, east is positive
    age_ms: int = 0  # of the fix, at the moment that the event was made: above a few seconds it is the last known
    accuracy_dm: int = 0  # two fixes in three are nearer than so many 0.1 m; 0: unknown
    fix: int = 0  # as in NMEA's GGA: 1 autonomous, 2 differential, 3 PPS, 4 RTK, 5 float RTK; 0: unknown
    satellites: int = 0  # used; 0: unknown

    def aged(self, more_ms: int) -> Position:
        """The same one, so much later."""
        return self._replace(age_ms=self.age_ms + max(0, more_ms))


def position_of(values: Sequence[int] | None) -> Position | None:
    """The position in a record's list; None where there is none, or it is nowhere on the earth. What a newer sender
    adds at the end is passed over, what an older one lacks is unknown."""
    if values is None or len(values) < 2:
        return None
    position = Position(*values[: len(Position._fields)])
    on_earth = abs(position.latitude_e7) <= LATITUDE_E7_MAX and abs(position.longitude_e7) <= LONGITUDE_E7_MAX
    return position if on_earth else None


def distance_m(one: Sequence[int], other: Sequence[int]) -> float:
    """Metres between two positions (latitude and longitude in 1e-7 degree first), along the sphere of mean radius by
    the haversine formula: within 0.6 % of the ellipsoid's, whatever lies between, poles and date line too."""
    latitude, other_latitude = (radians(where[0] / E7) for where in (one, other))
    across = radians((other[1] - one[1]) / E7)
    up = other_latitude - latitude
    half_chord = sin(up / 2) ** 2 + cos(latitude) * cos(other_latitude) * sin(across / 2) ** 2
    return 2 * EARTH_RADIUS_M * asin(min(1.0, sqrt(half_chord)))
