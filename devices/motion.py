"""The motion sensor: the level of a passive infrared detector's pin in, a sign of life out, and no alarm."""

from devices.logic import Logic
from protocol.wire.codes import ACTIVE, KINDS, SENSOR_FAULT, WARMING_UP

# Whether somebody was seen so lately is what heartbeats tell at once when it changes, and it changes no more often:
# one message a minute. Sensors on the market rest as long, or a busy room empties their battery in days.
HOLD_MS = 60000
WARM_UP_MS = 60000  # a cold detector settles for half a minute to a minute, and its pin moves meanwhile
STUCK_MS = 3600000  # a detector falls back within seconds of the last move: nobody moves for an hour without a pause

NEVER = -1  # the value where nobody was seen since boot


class Motion(Logic):
    """Samples are 1 (somebody moves) or 0; `value` is the whole s since somebody did, or NEVER."""

    KIND = KINDS.index("motion")
    TEST_KIND = KINDS.index("inactivity")  # the alarm that it is there for

    def __init__(self, kept: tuple[int, ...] = (), warm: bool = False) -> None:
        self._warm = warm
        self._warm_ms: int | None = None  # when it will be
        self._level = 0
        self._since = 0  # when the level came
        self._seen_ms: int | None = None
        self._active = False
        self._changed_ms: int | None = None  # when `_active` did
        self._now = 0

    def step(self, sample: int | None, now: int) -> list[tuple[int, int, int]]:
        """Take the pin's level (None: unchanged). There are no events: what it sees is in `conditions` and `value`."""
        self._now = now
        if not self._warm:
            if self._warm_ms is None:
                self._warm_ms = now + WARM_UP_MS
            self._warm = now >= self._warm_ms
            self._since = now
        if self._level and self._warm:
            self._seen_ms = min(now, self._since + STUCK_MS)  # until now, but no longer than it is believed
        if sample is not None and (1 if sample else 0) != self._level:
            self._level = 1 if sample else 0
            self._since = now
            if self._level and self._warm:
                self._seen_ms = now
        if self._active != self._lately() and self._may_change():
            self._active = not self._active
            self._changed_ms = now
        return []

    def _is_stuck(self) -> bool:
        return self._level == 1 and self._now - self._since >= STUCK_MS

    def _lately(self) -> bool:
        return self._seen_ms is not None and self._now - self._seen_ms < HOLD_MS

    def _may_change(self) -> bool:
        return self._changed_ms is None or self._now - self._changed_ms >= HOLD_MS

    def conditions(self) -> int:
        """ACTIVE, WARMING_UP, and SENSOR_FAULT while the pin has been high for STUCK_MS: it says nothing then."""
        bits = ACTIVE if self._active else 0
        if not self._warm:
            bits |= WARMING_UP
        return bits | (SENSOR_FAULT if self._is_stuck() else 0)

    def value(self) -> int:
        """Whole s since somebody was seen, or NEVER."""
        return NEVER if self._seen_ms is None else (self._now - self._seen_ms) // 1000

    def deadline(self) -> int | None:
        """When it will be warm, stuck, or may and will say that somebody was seen or nobody is any more."""
        if not self._warm:
            return self._warm_ms
        if self._seen_ms is None or self._changed_ms is None or not (self._active or self._lately()):
            return None
        if not self._active:
            return self._changed_ms + HOLD_MS
        if self._level and not self._is_stuck():
            return self._since + STUCK_MS
        return max(self._seen_ms, self._changed_ms) + HOLD_MS
