"""On which side of its fence a bracelet is by its own fixes, where they leave no doubt."""

from __future__ import annotations

from typing import Final

from gateway.home.fence import ACCURACY_M_MAX, IN, MARGIN_M, OUT, UNCLEAR

# A gateway that knows nothing yet, or believes a leap, needs three fixes to think better of it and one more to decide.
SURE_MS: Final = 180_000  # fixes of one side for so long,
PAUSE_MS_MAX: Final = 65_000  # none of them further apart than those of a bracelet at rest


class Sides:
    """One bracelet and its fence of `radius_m`. Times are monotonic ms."""

    def __init__(self, radius_m: int):
        self._radius_m = radius_m
        self.forget()

    def forget(self) -> None:
        """What was said until now was perhaps not heard."""
        self.sure = UNCLEAR
        self._side = UNCLEAR
        self._since = self._last = 0

    def fixed(self, away_m: float, now: int) -> None:
        """A fix says that it is so far from the fence's centre."""
        side = self._side_of(away_m)
        if side != self._side or now - self._last > PAUSE_MS_MAX:
            self._side, self._since = side, now
        self._last = now
        if side != self.sure:
            self.sure = side if now - self._since >= SURE_MS else UNCLEAR

    def _side_of(self, away_m: float) -> str:
        if away_m <= self._radius_m:
            return IN
        return OUT if away_m > self._radius_m + MARGIN_M + ACCURACY_M_MAX else UNCLEAR
