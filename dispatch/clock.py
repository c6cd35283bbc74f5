"""The centre's clock: the machine's own, or one that runs faster where a simulation asks for it."""

from __future__ import annotations

import time

from protocol.record import Now


class Clock:
    """Readings of the machine's clocks, both run at `rate` from one moment on.

    Processes of one simulation agree on the time when they are given the same `anchor_ms` (wall clock, ms since 1970
    UTC); 0 is the moment of making this clock.
    """

    def __init__(self, rate: float = 1.0, anchor_ms: int = 0):
        self.rate = rate
        self._wall_ms = anchor_ms or _wall_ms()
        self._mono_ms = _mono_ms()

    def now(self) -> Now:
        """The time now. `mono_ms` never steps back; the centre's wall clock is taken to be synchronised."""
        wall_ms = self._wall_ms + (_wall_ms() - self._wall_ms) * self.rate
        mono_ms = self._mono_ms + (_mono_ms() - self._mono_ms) * self.rate
        return Now(int(wall_ms), int(mono_ms))


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def _mono_ms() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000  # counts suspended time too
