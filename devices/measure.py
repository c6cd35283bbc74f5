"""What measuring sensors share: a level that must last to be an alarm, readings out of range, and a life that ends."""

from protocol.wire.codes import PHASES

FAULT_CLEAR_MS = 60000  # a wavering sensor is one fault and not one with every sample
YEAR_MS = 365 * 24 * 3600000

# How high a level is. One below zero says nothing and counts as between: it neither starts nor ends an alarm.
_LOW, _BETWEEN, _HIGH = 0, 1, 2

_QUIET, _RISING, _ALARM, _CLEARING = "quiet", "rising", "alarm", "clearing"

_STANDING = (_ALARM, _CLEARING)

# state: what follows a sample that is low, between, high
_NEXT = {
    _QUIET: (_QUIET, _QUIET, _RISING),
    _RISING: (_QUIET, _RISING, _RISING),
    _ALARM: (_CLEARING, _ALARM, _ALARM),
    _CLEARING: (_CLEARING, _ALARM, _ALARM),
}
# state: (sample that confirms it once it has lasted, what follows, the event's phase)
_CONFIRMED = {
    _RISING: (_HIGH, _ALARM, PHASES.index("raised")),
    _CLEARING: (_LOW, _QUIET, PHASES.index("restored")),
}


class Threshold:
    """Levels at any rate: `raised` at `alarm` or above for `verify_ms`, `restored` below `clear` for `clear_ms`."""

    def __init__(self, alarm: int, clear: int, verify_ms: int, clear_ms: int) -> None:
        self._alarm = alarm
        self._clear = clear
        self._lasts_ms = {_RISING: verify_ms, _CLEARING: clear_ms}
        self._state = _QUIET
        self._since = 0  # when the state was entered

    def step(self, level: int, now: int) -> int | None:
        """The phase code of what this level makes happen; None: nothing."""
        band = self._band(level)
        state = _NEXT[self._state][band]
        if state != self._state:
            self._enter(state, now)
        if state not in _CONFIRMED:
            return None
        confirming, following, phase = _CONFIRMED[state]
        if band != confirming or now - self._since < self._lasts_ms[state]:
            return None
        self._enter(following, now)
        return phase

    def standing(self) -> bool:
        """Whether the alarm stands, from raised to restored."""
        return self._state in _STANDING

    def quiet(self) -> bool:
        """Whether there is neither an alarm nor one in the making."""
        return self._state == _QUIET

    def _enter(self, state: str, now: int) -> None:
        self._state = state
        self._since = now

    def _band(self, level: int) -> int:
        if level >= self._alarm:
            return _HIGH
        return _LOW if 0 <= level < self._clear else _BETWEEN


class Range:
    """Whether a sensor can be trusted: a fault from the first reading beyond what it can give, until all have been
    within for FAULT_CLEAR_MS."""

    def __init__(self, least: int, most: int) -> None:
        self._least = least
        self._most = most
        self._bad_ms: int | None = None  # when the last bad reading came, while the fault stands

    def step(self, sample: int, now: int) -> None:
        """Take one reading."""
        if not self._least <= sample <= self._most:
            self._bad_ms = now
        elif self._bad_ms is not None and now - self._bad_ms >= FAULT_CLEAR_MS:
            self._bad_ms = None

    def faulty(self) -> bool:
        """Whether the fault stands."""
        return self._bad_ms is not None


class Life:
    """How long a sensor has been in use, over all starts, and whether that is too long."""

    def __init__(self, used_ms: int, most_ms: int) -> None:
        self._begin_ms = -used_ms  # of its use, on this start's clock; counts from the first step
        self._most_ms = most_ms
        self._now: int | None = None

    def step(self, now: int) -> None:
        """The time is `now`."""
        if self._now is None:
            self._begin_ms += now
        self._now = now

    def used_ms(self) -> int:
        """So far."""
        return (0 if self._now is None else self._now) - self._begin_ms

    def over(self) -> bool:
        """Whether it has served its time."""
        return self.used_ms() >= self._most_ms
