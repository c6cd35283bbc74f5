"""What the smoke chambers of a home in order read for months: noise, a daily swing, dust, cooking, showers, absence.

All figures are this project's: no recording of a home's chambers over months is public. They are meant to be worse than
most homes, for a detector of faults is judged by what it makes of them.
"""

from __future__ import annotations

import math
from random import Random
from typing import Final

from sim.sensor_faults.fault import Chance, Signal

DAY_MS: Final = 24 * 3_600_000
_MIN_MS: Final = 60_000

BASE_MDB_M: Final = (4.0, 20.0)  # what clean air reads
SIGMA_MDB_M: Final = (1.0, 4.0)  # white noise of light source and amplifier
SWING_MDB_M: Final = (0.0, 4.0)  # with the temperature, once a day
MEALS_A_DAY: Final = (1, 3)  # of a kitchen; other rooms have a quarter of what it has
MEAL_MIN: Final = (8.0, 45.0)
MEAL_MDB_M: Final = 22.0  # the median of its height; one in thirty goes beyond 100 mdB/m
MEAL_SPREAD: Final = 0.8  # of the logarithm
PUFF_MS: Final = 20_000  # smoke of a pan comes and goes
AWAY_DAYS: Final = (5, 14)  # once in two months nobody is there
AWAY_EVERY: Final = 60


class Ambient:
    """One chamber. `level` may be asked for any time from 0 on."""

    def __init__(self, seed: int, kitchen: bool = True):
        random = Random(f"ambient/{seed}")
        self.sigma = random.uniform(*SIGMA_MDB_M)
        self._base = random.uniform(*BASE_MDB_M)
        self._swing = random.uniform(*SWING_MDB_M)
        self._share = 1.0 if kitchen else 0.25
        self._seed = seed
        self._puffs = Chance(random)
        self._noise = Chance(random)
        self._away = random.randrange(AWAY_EVERY)
        self._day = -1
        self._meals: list[tuple[float, float, float]] = []  # of that day: begin and length in ms, height

    def level(self, t_ms: int) -> float:
        """mdB/m without noise."""
        day, in_day_ms = divmod(t_ms, DAY_MS)
        if day != self._day:
            self._day, self._meals = day, self._drawn(day)
        level = self._base + self._swing * math.sin(2 * math.pi * in_day_ms / DAY_MS)
        for begin_ms, lasts_ms, height in self._meals:
            u = (in_day_ms - begin_ms) / lasts_ms
            if 0 < u < 1:
                level += height * math.sin(math.pi * u) * (0.4 + 1.2 * self._puffs.share(t_ms // PUFF_MS))
        return level

    def signal(self) -> Signal:
        """mdB/m with noise, never below 0."""
        return lambda t_ms: max(0.0, self.level(t_ms) + self.sigma * self._noise.normal(t_ms))

    def _drawn(self, day: int) -> list[tuple[float, float, float]]:
        if (day + self._away) % AWAY_EVERY < AWAY_DAYS[0] + self._seed % (AWAY_DAYS[1] - AWAY_DAYS[0] + 1):
            return []
        random = Random(f"meals/{self._seed}/{day}")
        return [
            (
                random.uniform(6, 22) * 60 * _MIN_MS,
                random.uniform(*MEAL_MIN) * _MIN_MS,
                self._share * random.lognormvariate(math.log(MEAL_MDB_M), MEAL_SPREAD),
            )
            for _ in range(random.randint(*MEALS_A_DAY))
        ]
