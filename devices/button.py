"""The emergency call button: the level of a pin in, one event for each press out."""

from devices.logic import Logic
from protocol.wire.codes import KINDS, PHASES, SENSOR_FAULT

DEBOUNCE_MS = 30  # contacts bounce for 1 to 10 ms, poor ones for 20; no finger presses for less than 50
STUCK_MS = 10000  # nobody means to hold it that long: jammed, or something lies on it; the press has alarmed by then

_RAISED = PHASES.index("raised")


class Button(Logic):
    """Samples are 1 (pressed) or 0; `value` is the number of presses since boot."""

    KIND = KINDS.index("button")

    def __init__(self) -> None:
        self._level = 0  # as last sampled
        self._level_since = 0
        self._held = False  # as it is after the bouncing
        self._presses = 0
        self._stuck = False

    def step(self, sample: int | None, now: int) -> list[tuple[int, int, int]]:
        """Take the pin's level (None: unchanged); give a `raised` event once a press has held for DEBOUNCE_MS."""
        # What was held is settled before the new level counts: a turn that came late must not lose a press.
        events = self._settle(now)
        if sample is not None and (1 if sample else 0) != self._level:
            self._level = 1 if sample else 0
            self._level_since = now
        self._stuck = self._held and self._level == 1 and now - self._level_since > STUCK_MS
        return events

    def _settle(self, now: int) -> list[tuple[int, int, int]]:
        pressed = self._level == 1
        if pressed == self._held or now - self._level_since < DEBOUNCE_MS:
            return []
        self._held = pressed
        if not pressed:
            return []
        self._presses += 1
        return [(self.KIND, _RAISED, self._presses)]

    def conditions(self) -> int:
        """SENSOR_FAULT while the button has been down for more than STUCK_MS."""
        return SENSOR_FAULT if self._stuck else 0

    def value(self) -> int:
        """The number of presses since boot."""
        return self._presses

    def deadline(self) -> int | None:
        """When the bouncing will be over, or the button stuck."""
        if (self._level == 1) != self._held:
            return self._level_since + DEBOUNCE_MS
        if self._held and not self._stuck:
            return self._level_since + STUCK_MS + 1
        return None
