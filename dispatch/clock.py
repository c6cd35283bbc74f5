"""The centre's clock: the machine's own, or one that runs faster where a simulation asks for it."""

from __future__ import annotations

import time

from protocol.record import Now


class Clock:
    """Readings of the machine's clocks, both run `rate` times as fast.

    The wall clock does so from `anchor_ms` on (ms since 1970 UTC; 0: the moment of making), so that the processes of
    one simulation agree on the time.
    """

    def __init__(self, rate: int = 1, anchor_ms: int = 0):
        self.rate = rate
        self._anchor_ms = anchor_ms or _wall_ms()

    def now(self) -> Now:
        """The time now. `mono_ms` never steps back; the centre's wall clock is taken to be synchronised."""
        wall_ms = self._anchor_ms + (_wall_ms() - self._anchor_ms) * self.rate
        return Now(wall_ms, _mono_ms() * self.rate)


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def _mono_ms() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000  # counts suspended time too
