"""The smoke alarm: optical obscuration in, a `raised` and later a `restored` event out."""

from devices.logic import Logic
from protocol.wire.codes import ALARM_STANDING, KINDS, PHASES, SENSOR_FAULT

# The response threshold of a point optical detector: GB 4715-2024 5.7 lets none that cannot be adjusted respond below
# 0.15 dB/m, and none at all below 0.05 dB/m, where cooking and dust would sound it. Lower is earlier: so 0.15.
ALARM_MDB_M = 150
CLEAR_MDB_M = 100  # two thirds: smoke that wavers about the threshold is one alarm and not many
VERIFY_MS = 3000  # a spike of one sample (an insect, static) is no smoke; at one sample a second four must agree
CLEAR_MS = 60000  # smoke comes in waves: a minute of clean air before it is over
RANGE_MAX_MDB_M = 30000  # 30 dB/m leaves 0.1 % of the light after a metre: no chamber measures beyond
FAULT_CLEAR_MS = 60000  # a wavering sensor is one fault and not one with every sample

NO_SAMPLE = -1  # what a board passes when its sensor does not answer: out of range, thus a fault

# How thick the smoke is. A sample below zero says nothing and counts as between: it neither starts nor ends an alarm.
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
# state: (sample that confirms it, how long it must have lasted, what follows, the event's phase)
_CONFIRMED = {
    _RISING: (_HIGH, VERIFY_MS, _ALARM, PHASES.index("raised")),
    _CLEARING: (_LOW, CLEAR_MS, _QUIET, PHASES.index("restored")),
}


class Smoke(Logic):
    """Samples are obscuration in mdB/m (0.001 dB/m), at any rate; `value` is the latest that was in range."""

    KIND = KINDS.index("smoke")

    def __init__(self) -> None:
        self._state = _QUIET
        self._since = 0  # when the state was entered
        self._value = 0
        self._fault_since: int | None = None  # when the last bad sample came, while the fault stands

    def step(self, sample: int | None, now: int) -> list[tuple[int, int, int]]:
        """Take one sample in mdB/m; any integer will do.

        Below zero it is a sensor fault and changes no alarm; beyond RANGE_MAX_MDB_M it is a fault *and* smoke,
        because a suspect sensor must not silence a fire.
        """
        if sample is None:
            return []
        self._watch_sensor(sample, now)
        band = _band(sample)
        state = _NEXT[self._state][band]
        if state != self._state:
            self._enter(state, now)
        if state not in _CONFIRMED:
            return []
        confirming, lasted_ms, following, phase = _CONFIRMED[state]
        if band != confirming or now - self._since < lasted_ms:
            return []
        self._enter(following, now)
        return [(self.KIND, phase, self._value)]

    def _enter(self, state: str, now: int) -> None:
        self._state = state
        self._since = now

    def _watch_sensor(self, sample: int, now: int) -> None:
        if not 0 <= sample <= RANGE_MAX_MDB_M:
            self._fault_since = now
        elif self._fault_since is not None and now - self._fault_since >= FAULT_CLEAR_MS:
            self._fault_since = None
        if sample >= 0:
            self._value = min(sample, RANGE_MAX_MDB_M)

    def conditions(self) -> int:
        """SENSOR_FAULT until samples have been in range for FAULT_CLEAR_MS; ALARM_STANDING from raised to restored."""
        bits = 0 if self._fault_since is None else SENSOR_FAULT
        return bits | (ALARM_STANDING if self._state in _STANDING else 0)

    def value(self) -> int:
        """The latest obscuration, mdB/m."""
        return self._value


def _band(sample: int) -> int:
    if sample >= ALARM_MDB_M:
        return _HIGH
    return _LOW if 0 <= sample < CLEAR_MDB_M else _BETWEEN
