"""What is wrong with a sensor, as its readings tell: one small detector for each kind of fault.

Each takes one reading after another, at any rate, and says after each whether the fault shows now: with its numbers, as
evidence, or None. Each keeps a few numbers, however long it runs. The kinds of fault are those of Ni et al., "Sensor
network data fault types", ACM Transactions on Sensor Networks 5(3), 2009, and of Sharma et al., "Sensor faults:
detection methods and prevalence in real-world datasets", the same, 6(3), 2010; the thresholds are this project's, each
with its reason. What they come to is measured by `sixkit bench faults`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final, NamedTuple

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS

Evidence = Mapping[str, int]


class Limits(NamedTuple):
    """What a sensor can report, and what matters: both in its own unit. At rest it reads next to nothing."""

    least: int
    most: int
    span: int  # from rest to its alarm


# By kind of terminal, as the firmware in devices/ has them: mdB/m of obscuration, permille of the LEL. Electrodes are
# not here: dry or under water they read one value for as long as it lasts, and their firmware tries them both ways.
LIMITS: Final[dict[str, Limits]] = {"smoke": Limits(0, 30_000, 150), "gas": Limits(0, 1_000, 100)}

RANGE_TIMES: Final = 2  # one may be a slip of a converter
RANGE_MS: Final = 6 * HOUR_MS  # a loose wire does not come and go less often

RUN_READINGS_MIN: Final = 16  # of one value: fewer are chance, at whatever rate
RUN_MS_MIN: Final = 30 * MINUTE_MS
RUN_TIMES: Final = 3  # the longest run of the days before, so many times: by chance alone once in some thousand years
RUN_DAYS: Final = 7  # a week has every sort of day
RUN_DAYS_MIN: Final = 2  # to be known before anything is judged
CHANGES_PCT_MIN: Final = 15  # of readings: cooking alone changes 6; without it all may rest while nobody is at home
HIGH_RUN_MS: Final = HOUR_MS  # half way to the alarm and beyond, air and gas are never still

SPIKES: Final = 3
SPIKES_MS: Final = DAY_MS

LEG_SHARE: Final = 10  # of a span: a smaller step of the value is no matter
BLOCK_READINGS_MIN: Final = 16
BLOCK_MS_MIN: Final = 30 * MINUTE_MS
TURNS_PCT: Final = 20  # of readings: white noise turns with two of three, a value with two levels with every second
NOISY_BLOCKS: Final = 8  # more than quiet ones: four hours at a reading a minute; nobody cooks for so long
NOISY_BLOCKS_MAX: Final = 10  # so that it is over in time

DRIFT_SHARE: Final = 3  # of a span: nearer to the alarm a third of what must come is there already
DRIFT_MS: Final = DAY_MS  # air is clean at some time of a day: so CO2 sensors find their zero too

RAISES: Final = 6
RAISES_MS: Final = HOUR_MS  # smoke comes in waves, two or three


class OutOfRange:
    """Readings that the sensor cannot give: RANGE_TIMES within RANGE_MS."""

    def __init__(self, limits: Limits):
        self._limits = limits
        self._times: deque[int] = deque(maxlen=RANGE_TIMES)
        self._value = 0

    def take(self, value: int, now_ms: int) -> Evidence | None:
        if not self._limits.least <= value <= self._limits.most:
            self._times.append(now_ms)
            self._value = value
        return {"out_of_range": self._value} if _dense(self._times, RANGE_MS, now_ms) else None

    def interrupted(self) -> None:
        """Nothing is known of the time since the last reading; what was read remains."""


class Stuck:
    """One value again and again: much longer than ever in the days before, of a sensor that is not still by itself; or
    for HIGH_RUN_MS, half a span and more above rest."""

    def __init__(self, limits: Limits):
        self._high = limits.least + limits.span // 2
        self._value: int | None = None
        self._since_ms = 0
        self._last_ms = 0
        self._readings = 0  # of this run
        self._needed_ms: int | None = None  # by what was known when the run began; None: it cannot be judged
        self._days: deque[tuple[int, int]] = deque(maxlen=RUN_DAYS)  # the longest run, and readings that changed in %
        self._today = _Day(None)

    def take(self, value: int, now_ms: int) -> Evidence | None:
        if value != self._value:
            self._end_run(now_ms)
            self._value, self._since_ms, self._readings = value, now_ms, 0
            self._needed_ms = self._needed()
        self._readings += 1
        self._last_ms = now_ms
        self._today.readings += 1
        lasted_ms = now_ms - self._since_ms
        needed_ms = HIGH_RUN_MS if value >= self._high else self._needed_ms
        if needed_ms is None or lasted_ms < needed_ms or self._readings < RUN_READINGS_MIN:
            return None
        self._today.faulty = True
        return {"stuck_value": value, "stuck_s": lasted_ms // 1000}

    def interrupted(self) -> None:
        """Nothing is known of the time since the last reading."""
        self._value = None

    def _end_run(self, now_ms: int) -> None:
        today = self._today
        if self._value is not None:
            today.changes += 1
            today.longest_ms = max(today.longest_ms, self._last_ms - self._since_ms)
        if today.begun_ms is None:
            today.begun_ms = now_ms
        elif now_ms - today.begun_ms >= DAY_MS:
            if not today.faulty:
                self._days.append((today.longest_ms, 100 * today.changes // today.readings))
            self._today = _Day(now_ms)

    def _needed(self) -> int | None:
        if len(self._days) < RUN_DAYS_MIN or min(changes for _, changes in self._days) < CHANGES_PCT_MIN:
            return None
        return max(RUN_MS_MIN, RUN_TIMES * max(self._today.longest_ms, *(longest for longest, _ in self._days)))


class _Day:
    def __init__(self, begun_ms: int | None):
        self.begun_ms = begun_ms
        self.readings = 0
        self.changes = 0
        self.longest_ms = 0
        self.faulty = False


class Spikes:
    """Single readings a span and more above or below both their neighbours: SPIKES of them within SPIKES_MS. What lasts
    longer than some seconds raises the alarm, and is none."""

    def __init__(self, limits: Limits):
        self._span = limits.span
        self._before: tuple[int, ...] = ()  # the last two readings
        self._times: deque[int] = deque(maxlen=SPIKES)
        self._height = 0

    def take(self, value: int, now_ms: int) -> Evidence | None:
        step = _turn(self._before, value)
        if abs(step) >= self._span:
            self._times.append(now_ms)
            self._height = step
        self._before = (*self._before[-1:], value)
        return {"spikes": SPIKES, "spike_height": self._height} if _dense(self._times, SPIKES_MS, now_ms) else None

    def interrupted(self) -> None:
        """Nothing is known of the time since the last reading."""
        self._before = ()


class Noise:
    """Values that go up and down with every few readings, for hours: NOISY_BLOCKS more blocks of them than quiet ones.
    They turn when they have come back by a leg from the furthest that they went."""

    def __init__(self, limits: Limits):
        self._leg = max(2, limits.span // LEG_SHARE)
        self._furthest: int | None = None
        self._rises = True
        self._begun_ms: int | None = None  # of this block
        self._readings = 0
        self._turns = 0
        self._score = 0
        self._turns_pct = 0  # of the last noisy block

    def take(self, value: int, now_ms: int) -> Evidence | None:
        if self._begun_ms is None:
            self._begun_ms = now_ms
        self._readings += 1
        self._turns += self._turned(value)
        if self._readings >= BLOCK_READINGS_MIN and now_ms - self._begun_ms >= BLOCK_MS_MIN:
            self._end_block()
        return {"noise_turns_pct": self._turns_pct} if self._score >= NOISY_BLOCKS else None

    def interrupted(self) -> None:
        """Nothing is known of the time since the last reading."""
        self._furthest = self._begun_ms = None
        self._readings = self._turns = 0

    def _turned(self, value: int) -> bool:
        if self._furthest is None or (value >= self._furthest if self._rises else value <= self._furthest):
            self._furthest = value
        if abs(value - self._furthest) < self._leg:
            return False
        self._furthest, self._rises = value, not self._rises
        return True

    def _end_block(self) -> None:
        turns_pct = 100 * self._turns // self._readings
        if turns_pct >= TURNS_PCT:
            self._score = min(NOISY_BLOCKS_MAX, self._score + 1)
            self._turns_pct = turns_pct
        else:
            self._score = max(0, self._score - 1)
        self._begun_ms = None
        self._readings = self._turns = 0


class Drift:
    """Rest that has crept, or was shifted, towards the alarm: no reading below a third of the span for DRIFT_MS."""

    def __init__(self, limits: Limits):
        self._level = limits.least + limits.span // DRIFT_SHARE
        self._since_ms: int | None = None
        self._least = 0

    def take(self, value: int, now_ms: int) -> Evidence | None:
        if value < self._level:
            self._since_ms = None
            return None
        if self._since_ms is None:
            self._since_ms, self._least = now_ms, value
        self._least = min(self._least, value)
        lasted_ms = now_ms - self._since_ms
        return {"drift_least": self._least, "drift_s": lasted_ms // 1000} if lasted_ms >= DRIFT_MS else None

    def interrupted(self) -> None:
        """Nothing is known of the time since the last reading."""
        self._since_ms = None


class Chatter:
    """An alarm raised anew again and again: RAISES within RAISES_MS."""

    def __init__(self) -> None:
        self._times: deque[int] = deque(maxlen=RAISES)

    def raised(self, now_ms: int) -> None:
        """The terminal has raised its alarm."""
        self._times.append(now_ms)

    def shows(self, now_ms: int) -> Evidence | None:
        return {"chatter_raises": RAISES} if _dense(self._times, RAISES_MS, now_ms) else None


def _dense(times: deque[int], within_ms: int, now_ms: int) -> bool:
    """Whether as many as are kept lie no further back than `within_ms`."""
    return len(times) == times.maxlen and now_ms - times[0] <= within_ms


def _turn(before: tuple[int, ...], value: int) -> int:
    """How far the middle one of three readings lies beyond the nearer of its neighbours; 0 where it lies between."""
    if len(before) < 2:
        return 0
    first, middle = before
    if (middle - first) * (middle - value) <= 0:
        return 0
    return min(middle - first, middle - value, key=abs)
