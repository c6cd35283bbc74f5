"""How fast one terminal may make events: a burst as it is, then one in 2 s; what is held waits, nothing is lost.

A raise never waits. Whatever else waits, waits while its alarm stands, so nobody is helped later for it; and since a
terminal sends its next event only after the acknowledgement of this one, a terminal gone wild is slowed at its source.
"""

from __future__ import annotations

from typing import Final

BURST: Final = 32  # a terminal's whole queue, as it comes after an outage
REFILL_MS: Final = 2_000  # one event more in this time: at most 13 MB of records a day from a terminal gone wild


class Pace:
    """The credit of one terminal."""

    def __init__(self, now_ms: int):
        self._left = BURST
        self._since_ms = now_ms

    def left(self, now_ms: int) -> int:
        self._refill(now_ms)
        return self._left

    def spend(self, now_ms: int) -> None:
        self._refill(now_ms)
        self._left = max(0, self._left - 1)

    def next_ms(self) -> int:
        """When there is credit again, if there is none now."""
        return self._since_ms + REFILL_MS

    def _refill(self, now_ms: int) -> None:
        earned = max(0, now_ms - self._since_ms) // REFILL_MS
        self._left = min(BURST, self._left + earned)
        # A full purse earns nothing: what is spent next starts its own 2 s.
        self._since_ms = now_ms if self._left == BURST else self._since_ms + earned * REFILL_MS
