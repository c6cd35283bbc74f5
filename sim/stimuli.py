"""What acts on the measuring sensors of a played home: curves of smoke, gas and water over time."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

# What a sensor sees `t_ms` after the stimulus began.
Curve = Callable[[int], int]


def piecewise(points: Sequence[tuple[float, float]]) -> Curve:
    """The curve through `points` of (s, value), straight between them, held before the first and after the last.

    Raises ValueError where there is no point, or where time does not advance.
    """
    if not points:
        raise ValueError("a curve needs at least one point")
    times = [t for t, _ in points]
    if any(later <= earlier for earlier, later in pairwise(times)):
        raise ValueError("the times of a curve must rise")

    def value(t_ms: int) -> int:
        t = t_ms / 1000
        place = bisect_right(times, t)
        if place == 0:
            return round(points[0][1])
        if place == len(points):
            return round(points[-1][1])
        (t0, v0), (t1, v1) = points[place - 1], points[place]
        return round(v0 + (v1 - v0) * (t - t0) / (t1 - t0))

    return value


# Obscuration at the alarm in mdB/m over s; the firmware's threshold is in devices/smoke.py, with its source. Only the
# kind of shape is a fire's: smouldering creeps up, flaming is there at once, toast spikes and is gone; all of them
# shortened, so that a case takes seconds. Real curves are recorded ones: see recording.py.
SMOKE_CURVES: Final[dict[str, Curve]] = {
    "smouldering": piecewise([(0, 0), (2, 60), (4, 250), (6, 600), (600, 900)]),
    "flaming": piecewise([(0, 0), (1, 800), (600, 1500)]),
    "lingering": piecewise([(0, 0), (4, 160), (600, 160)]),  # just above the threshold, for long
    "toast": piecewise([(0, 0), (0.5, 260), (1.5, 260), (2, 0)]),
    "clearing": piecewise([(0, 600), (2, 100), (4, 0)]),
    "clear": piecewise([(0, 0)]),
}

# --- gas ---

# A kitchen of 8 m2 and 2.5 m height, well mixed: with a leak of q and air changed n times an hour the concentration c
# follows V dc/dt = q - (q + n V) c. Methane, which can explode from 5 % by volume on.
KITCHEN_M3: Final = 20.0
LEL: Final = 0.05
CLOSED_PER_H: Final = 0.5  # a kitchen with its window shut
AIRED_PER_H: Final = 20.0  # and with window and door open
BURNER_M3_H: Final = 0.4  # a burner of 4 kW that is on and does not burn; natural gas has 10 kWh/m3
HOSE_M3_H: Final = 1.5  # what runs out of a hose that has come off
PIPE_M3_H: Final = 4.0  # out of a pipe that is torn off: all that a home's meter of size G2.5 lets through


def leak(m3_h: float, changes_per_h: float, begins: float = 0.0) -> Curve:
    """Permille of the LEL in KITCHEN_M3, from the share of it `begins` (1.0: can explode) on."""
    inflow = m3_h / KITCHEN_M3
    rate_per_h = inflow + changes_per_h
    settles = inflow / rate_per_h / LEL

    def value(t_ms: int) -> int:
        fresh = math.exp(-rate_per_h * max(0, t_ms) / 3_600_000)
        return round(1000 * min(20.0, settles + (begins - settles) * fresh))

    return value


GAS_CURVES: Final[dict[str, Curve]] = {
    "unlit": leak(BURNER_M3_H, CLOSED_PER_H),  # at the threshold after 17 min, never where it can explode
    "hose": leak(HOSE_M3_H, CLOSED_PER_H),  # at the threshold after 4 min, can explode after 49
    "pipe": leak(PIPE_M3_H, CLOSED_PER_H),  # after 1.5 min
    "airing": leak(0.0, AIRED_PER_H, begins=0.2),  # below half the threshold after 4 min
    "whiff": piecewise([(0, 0), (2, 250), (10, 250), (14, 0)]),  # spirits, or a burner that lights late
    "no_gas": leak(0.0, CLOSED_PER_H),
}

# --- water ---

# Water that runs onto a level floor stands as high everywhere. The electrodes end a little above the floor; the deeper
# they stand in it, the better they conduct, until their length is under water.
BATHROOM_M2: Final = 5.0
GAP_MM: Final = 1.0
LENGTH_MM: Final = 1.0
TAP_US: Final = 400  # tap water of 400 uS/cm, all of the electrodes in it
DRY_READS_US: Final = 5  # the resistor at their end
DRAINS_MM_MIN: Final = 0.5  # what runs off and is mopped up


def rising(litres_min: float, begins_mm: float = 0.0) -> Curve:
    """Conductance in uS while so much runs onto the floor of BATHROOM_M2, or off it."""

    def value(t_ms: int) -> int:
        deep_mm = begins_mm + litres_min / BATHROOM_M2 * max(0, t_ms) / 60_000
        return DRY_READS_US + round(TAP_US * min(1.0, max(0.0, (deep_mm - GAP_MM) / LENGTH_MM)))

    return value


WATER_CURVES: Final[dict[str, Curve]] = {
    "burst": rising(12.0),  # the hose of a washing machine: at the electrodes after 25 s
    "drip": rising(0.5),  # a valve that does not close: after 10 min
    "draining": rising(-DRAINS_MM_MIN * BATHROOM_M2, begins_mm=2.0),  # dry after 2 min
    "splash": piecewise([(0, 400), (1, 400), (2, 5)]),  # runs off at once
    "damp": piecewise([(0, 5), (600, 9)]),  # a film of condensation
    "dry": rising(0.0),
}
