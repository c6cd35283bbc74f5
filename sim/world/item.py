"""One thing that happens to a played home, and when and for how long things do by chance."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

from sim.steps import Step

DAY_MS: Final = 24 * 3_600_000
LASTS_MS: Final = (1_000, 3_600_000)  # of a fault, drawn evenly by its logarithm


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that happens: `begin`, and where it has an end, `end` after it. `fault` is its kind, empty for what
    people and fires do."""

    fault: str
    begin: Step
    end: Step | None = None


def moments(random: Random, a_day: float, days: float) -> list[int]:
    """Moments at random, `a_day` on average (a Poisson process), in ms."""
    found = []
    t_ms = random.expovariate(a_day) * DAY_MS
    while t_ms < days * DAY_MS:
        found.append(int(t_ms))
        t_ms += random.expovariate(a_day) * DAY_MS
    return found


def lasts(random: Random, between_ms: tuple[int, int]) -> int:
    """A time at random, evenly by its logarithm, in ms."""
    least, most = between_ms
    return int(least * (most / least) ** random.random())
