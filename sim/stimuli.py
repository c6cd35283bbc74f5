"""What acts on the sensors of a played home: presses, and curves of smoke over time."""

from __future__ import annotations

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
