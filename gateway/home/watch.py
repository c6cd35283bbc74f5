"""What is kept of the sensor of one terminal: its detectors, which faults they have found, and when each is over."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from gateway.home.detectors import (
    DAY_MS,
    DRIFT_SHARE,
    HOUR_MS,
    MINUTE_MS,
    Chatter,
    Drift,
    Evidence,
    Limits,
    Noise,
    OutOfRange,
    Spikes,
    Stuck,
)

READING_MS_MIN: Final = 10_000  # closer ones are one: what comes with an event, or from a terminal gone wild
READING_MS_MAX: Final = (
    3 * HOUR_MS
)  # the slowest report hourly: after a longer gap nothing is known of the time between
ALARM_MS: Final = HOUR_MS  # how long an alarm may stand before its readings count: smoke goes up and down
AFTER_ALARM_MS: Final = 30 * MINUTE_MS  # and so does what is left of it

CLEAR_MS: Final = HOUR_MS  # of plausible readings before a fault is over
FAULTS_A_DAY_MAX: Final = 4  # of one terminal; the last of them stands until a whole day was plausible

LOW_SHARE: Final = 10  # of a span: less is clean air
LOUD_SPANS: Final = 2  # well beyond the alarm


class Lasting:
    """Since when every reading has been of one sort."""

    def __init__(self) -> None:
        self._since_ms: int | None = None
        self._last_ms = 0

    def step(self, holds: bool, now_ms: int) -> None:
        if not holds:
            self._since_ms = None
        elif self._since_ms is None:
            self._since_ms = now_ms
        self._last_ms = now_ms

    def lasted_ms(self, now_ms: int) -> int:
        """Until its last reading; 0 where it does not hold, or where that was too long ago to be known."""
        if self._since_ms is None or now_ms - self._last_ms > READING_MS_MAX:
            return 0
        return self._last_ms - self._since_ms


class _Detector(Protocol):
    def take(self, value: int, now_ms: int) -> Evidence | None: ...

    def interrupted(self) -> None: ...


@dataclass(slots=True)
class _Fault:
    evidence: Evidence
    well_ms: int | None = None  # since when it has not shown


class Watch:
    """The detectors of one terminal, and what they have found. `limits` is None for one that measures nothing."""

    def __init__(self, limits: Limits | None):
        self.value = 0
        self.low = Lasting()  # clean air
        self.high = Lasting()  # a good part of the way to the alarm
        self.loud = Lasting()  # deep in smoke
        self.faults: dict[str, _Fault] = {}
        self._limits = limits
        self._chatter = Chatter()
        self._detectors: dict[str, _Detector] = {}
        self._calm: dict[str, _Detector] = {}  # those that an alarm disturbs
        if limits is not None:
            self._detectors = {"out_of_range": OutOfRange(limits), "stuck": Stuck(limits), "drift": Drift(limits)}
            self._calm = {"spikes": Spikes(limits), "noise": Noise(limits)}
        self._begun_ms: deque[int] = deque(maxlen=FAULTS_A_DAY_MAX)  # when there was a fault after there was none
        self._read_ms: int | None = None
        self._alarm_ms: int | None = None  # since when its own alarm stands
        self._alarm_over_ms: int | None = None

    def raised(self, now_ms: int) -> None:
        """It has raised its alarm."""
        self._chatter.raised(now_ms)
        self._alarm_over_ms = now_ms

    def take(self, value: int, alarm: bool, now_ms: int) -> bool:
        """Take one reading; `alarm` is whether its own alarm stands. Whether it was taken: one that comes too soon
        after the last, or of what measures nothing, is passed over."""
        if self._limits is None or (self._read_ms is not None and now_ms - self._read_ms < READING_MS_MIN):
            return False
        if self._read_ms is not None and now_ms - self._read_ms > READING_MS_MAX:
            for detector in (*self._detectors.values(), *self._calm.values()):
                detector.interrupted()
        self._read_ms = now_ms
        self._level(self._limits, value, now_ms)
        for name, detector in self._detectors.items():
            self.show(name, detector.take(value, now_ms), now_ms)
        excused = self._excused(alarm, now_ms)
        for name, detector in self._calm.items():
            if excused:
                detector.interrupted()
            else:
                self.show(name, detector.take(value, now_ms), now_ms)
        return True

    def look(self, now_ms: int) -> None:
        """What shows without a reading."""
        self.show("chattering", self._chatter.shows(now_ms), now_ms)

    def show(self, name: str, evidence: Evidence | None, now_ms: int) -> None:
        """Whether the fault `name` shows now (evidence) or not: it begins at once, and is over after a time without."""
        if evidence is not None:
            if not self.faults:
                self._begun_ms.append(now_ms)
            self.faults[name] = _Fault(evidence)
        elif (fault := self.faults.get(name)) is not None:
            if fault.well_ms is None:
                fault.well_ms = now_ms
            if now_ms - fault.well_ms >= self._clear_ms(now_ms):
                del self.faults[name]

    def load(self, faults: Iterable[str]) -> None:
        """These stood before the restart."""
        self.faults.update((name, _Fault({})) for name in faults)

    def _level(self, limits: Limits, value: int, now_ms: int) -> None:
        self.value = value
        above = value - limits.least
        self.low.step(above * LOW_SHARE < limits.span, now_ms)
        self.high.step(above * DRIFT_SHARE >= limits.span, now_ms)
        self.loud.step(above >= limits.span * LOUD_SPANS, now_ms)

    def _clear_ms(self, now_ms: int) -> int:
        many = len(self._begun_ms) == FAULTS_A_DAY_MAX and now_ms - self._begun_ms[0] < DAY_MS
        return DAY_MS if many else CLEAR_MS

    def _excused(self, alarm: bool, now_ms: int) -> bool:
        """Whether the alarm is what makes its readings move."""
        if alarm:
            if self._alarm_ms is None:
                self._alarm_ms = now_ms
            return now_ms - self._alarm_ms < ALARM_MS
        if self._alarm_ms is not None:
            self._alarm_ms, self._alarm_over_ms = None, now_ms
        return self._alarm_over_ms is not None and now_ms - self._alarm_over_ms < AFTER_ALARM_MS
