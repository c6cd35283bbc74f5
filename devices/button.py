"""The emergency call button: the level of a pin in, one event for each press out; a long press takes the call back."""

from devices.contact import Contact
from devices.logic import Logic
from protocol.wire.codes import KINDS, PHASES, SENSOR_FAULT

DEBOUNCE_MS = 30  # contacts bounce for 1 to 10 ms, poor ones for 20; no finger presses for less than 50
CANCEL_MS = 3000  # nobody holds a button for so long by chance, and everybody can
STUCK_MS = 10000  # nobody means to hold it that long: jammed, or something lies on it; the press has alarmed by then

_RAISED = PHASES.index("raised")
_RESTORED = PHASES.index("restored")


class Button(Logic):
    """Samples are 1 (pressed) or 0; `value` is the number of presses since boot.

    A press calls at once, however long it becomes. Only one that comes after a call, lasts from CANCEL_MS to STUCK_MS
    and is let go takes it back: who clings to the button in fear, or lies on it, still calls. On the wire that is the
    call's `restored`; the centre keeps the call and asks back.
    """

    KIND = KINDS.index("button")

    def __init__(self, kept: tuple[int, ...] = (), warm: bool = False) -> None:
        self._contact = Contact(DEBOUNCE_MS)
        self._pressed_ms = 0  # when the press began
        self._presses = 0
        self._calls = 0  # presses since the last call was taken back
        self._stuck = False

    def step(self, sample: int | None, now: int) -> list[tuple[int, int, int]]:
        """Take the pin's level (None: unchanged); give a `raised` event once a press has held for DEBOUNCE_MS, a
        `restored` one when a press that takes the call back is over."""
        held_from, moved_ms = self._contact.level, self._contact.since
        events = []
        if self._contact.step(sample, now):
            events = self._released(moved_ms - self._pressed_ms) if held_from else self._press(moved_ms)
        contact = self._contact
        self._stuck = contact.level == 1 and contact.steady() and now - contact.since > STUCK_MS
        return events

    def _press(self, since_ms: int) -> list[tuple[int, int, int]]:
        self._pressed_ms = since_ms
        self._presses += 1
        self._calls += 1
        return [(self.KIND, _RAISED, self._presses)]

    def _released(self, lasted_ms: int) -> list[tuple[int, int, int]]:
        if self._calls < 2 or not CANCEL_MS <= lasted_ms <= STUCK_MS:
            return []
        self._calls = 0
        return [(self.KIND, _RESTORED, self._presses)]

    def conditions(self) -> int:
        """SENSOR_FAULT while the button has been down for more than STUCK_MS."""
        return SENSOR_FAULT if self._stuck else 0

    def value(self) -> int:
        """The number of presses since boot."""
        return self._presses

    def deadline(self) -> int | None:
        """When the bouncing will be over, or the button stuck."""
        if self._contact.level == 1 and self._contact.steady() and not self._stuck:
            return self._contact.since + STUCK_MS + 1
        return self._contact.deadline()
