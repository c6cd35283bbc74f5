"""Where the wearer of a played bracelet goes, and where its receiver thinks that is.

The model. The wearer goes straight away from home, in a direction drawn once, at WALK_M_S, and straight back. The
receiver's error has two Gaussian parts (east, north) that forget themselves within ERROR_MS, so that the distance from
the truth has the stated median: outside that of A-GPS, 8 m (Zandbergen 2009). Inside, the median is 38 m, which takes
13 of the 1440 fixes of a day (one a minute) more than 100 m away; the sky is seen in spells; and once in two hours
there is a leap of 150 to 600 m (a reflection, a cell's position) for up to a minute. The receiver thinks better of
itself than it should: its HDOP knows of walls, not of leaps.
"""

from __future__ import annotations

from math import cos, exp, log, pi, radians, sin, sqrt
from random import Random
from typing import Final

from protocol.geo import E7, EARTH_RADIUS_M, Position

# The middle of a large park: nobody's home.
HOME: Final = (399_990_000, 1_163_850_000)
WALK_M_S: Final = 1.2
HOUSE_M: Final = 15  # nearer to its middle than this is inside
COLD_START_MS: Final = 30_000  # from power to the first fix, as data sheets say
ERROR_MS: Final = 60_000
MEDIAN_OUT_M: Final = 8.0
MEDIAN_IN_M: Final = 38.0
SEEN_MS: Final = 120_000  # a spell with the sky inside, on average,
UNSEEN_MS: Final = 60_000  # and one without
LEAPS_MS: Final = 7_200_000  # between two leaps inside, on average
LEAP_M: Final = (150.0, 600.0)
LEAP_MS: Final = (5_000, 60_000)
HDOP_OUT: Final = (0.8, 1.2)
HDOP_IN: Final = (3.0, 8.0)

_PER_SIGMA: Final = sqrt(2 * log(2))  # of a Rayleigh distribution, the median


class Walk:
    """Times are monotonic ms; `fix` is to be asked with times that do not run backwards."""

    def __init__(self, random: Random, now: int):
        self._random = random
        self._bearing = random.uniform(0, 2 * pi)
        self._from_m, self._to_m, self._since = 0.0, 0.0, now
        self._error_m = (0.0, 0.0)
        self._asked = now
        self._seen = True
        self._turns = now  # when a spell with or without the sky ends
        self._leap_m = (0.0, 0.0)
        self._leap_until = now
        self._cold_until = now + COLD_START_MS

    def go(self, distance_m: float, now: int) -> None:
        """From `now` on walks until so far from home."""
        self._from_m, self._to_m, self._since = self.away_m(now), distance_m, now

    def away_m(self, now: int) -> float:
        """How far from home the wearer is."""
        walked_m = WALK_M_S * max(0, now - self._since) / 1000
        left_m = self._to_m - self._from_m
        return self._to_m if walked_m >= abs(left_m) else self._from_m + (walked_m if left_m > 0 else -walked_m)

    def walking(self, now: int) -> bool:
        """Whether the wearer is on the way."""
        return self.away_m(now) != self._to_m

    def fix(self, now: int) -> Position | None:
        """What the receiver says; None: it sees too little of the sky."""
        away_m = self.away_m(now)
        inside = away_m < HOUSE_M
        self._err(MEDIAN_IN_M if inside else MEDIAN_OUT_M, now - self._asked)
        if inside:
            self._be_inside(now, now - self._asked)
        self._asked = now
        if now < self._cold_until or (inside and not self._seen):
            return None
        leap = self._leap_m if inside and now < self._leap_until else (0.0, 0.0)
        east_m = away_m * sin(self._bearing) + self._error_m[0] + leap[0]
        north_m = away_m * cos(self._bearing) + self._error_m[1] + leap[1]
        hdop = self._random.uniform(*(HDOP_IN if inside else HDOP_OUT))
        return _moved(east_m, north_m)._replace(accuracy_dm=round(hdop * 50), fix=1, satellites=5 if inside else 14)

    def _err(self, median_m: float, passed_ms: int) -> None:
        kept = exp(-passed_ms / ERROR_MS)
        fresh = sqrt(1 - kept * kept) * median_m / _PER_SIGMA
        east, north = self._error_m
        gauss = self._random.gauss
        self._error_m = (kept * east + fresh * gauss(0, 1), kept * north + fresh * gauss(0, 1))

    def _be_inside(self, now: int, passed_ms: int) -> None:
        random = self._random
        if now >= self._turns:
            self._seen = not self._seen
            self._turns = now + 1 + round(random.expovariate(1 / (SEEN_MS if self._seen else UNSEEN_MS)))
        if random.random() < passed_ms / LEAPS_MS:
            far_m, where = random.uniform(*LEAP_M), random.uniform(0, 2 * pi)
            self._leap_m = far_m * sin(where), far_m * cos(where)
            self._leap_until = now + random.randint(*LEAP_MS)


def _moved(east_m: float, north_m: float) -> Position:
    """So far from HOME; on a few kilometres the earth is flat."""
    degree_m = EARTH_RADIUS_M * pi / 180
    latitude = HOME[0] + round(north_m / degree_m * E7)
    longitude = HOME[1] + round(east_m / (degree_m * cos(radians(HOME[0] / E7))) * E7)
    return Position(latitude, longitude)
