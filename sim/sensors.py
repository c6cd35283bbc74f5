"""The sensors of played terminals: a pin that presses hold down, a chamber with smoke; each may have a fault."""

from __future__ import annotations

from collections import deque
from random import Random
from typing import ClassVar, Final

from sim.sensor_faults.fault import Fault, Sensor, Signal
from sim.sensor_faults.library import CONTACT, SMOKE
from sim.stimuli import SMOKE_CURVES, Curve

PRESS_MS: Final = 150  # how long a finger stays; the button asks for 30
SAMPLE_MS: Final = 1000  # of the smoke chamber, as its firmware is meant to be run
CHANGING_MS: Final = 120_000  # a curve moves for seconds, and its alarm is over a minute after it
CURVES_MAX: Final = 16  # that a slow sensor may still have to remember


class Faulty:
    """What a sensor sees, with a fault on top while it has one. Times are monotonic ms."""

    SENSOR: ClassVar[Sensor]

    def __init__(self) -> None:
        self._fault: Fault | None = None
        self._spoiled: Signal | None = None
        self._since = 0

    def spoil(self, fault: Fault, random: Random, now: int) -> None:
        """From `now` on it has this fault, in place of any other; its chance comes from `random`."""
        self._fault, self._since = fault, now
        self._spoiled = fault.apply(lambda t_ms: self.sound(now + t_ms), random)

    def heal(self, now: int) -> None:
        """The fault is over."""
        self._fault = self._spoiled = None

    def sound(self, at: int) -> float:
        """What it would read at `at` if nothing were wrong with it."""
        raise NotImplementedError

    def reading(self, now: int) -> float:
        """What it reads."""
        return self.sound(now) if self._spoiled is None else self._spoiled(now - self._since)

    def moves(self, now: int) -> int | None:
        """When the fault alone may next move a contact."""
        after_ms = None if self._fault is None else self._fault.moves_ms(now - self._since)
        return None if after_ms is None else self._since + after_ms


class ButtonSensor(Faulty):
    """A pin that presses hold down."""

    SENSOR = CONTACT

    def __init__(self) -> None:
        super().__init__()
        self._presses: deque[int] = deque()  # when each begins
        self._told = 0  # the level as last sampled

    def press(self, count: int, every_ms: int, now: int) -> None:
        """Presses `count` times from `now` on, `every_ms` apart, after those already to come."""
        gap_ms = max(every_ms, 2 * PRESS_MS)
        first = max(now, self._presses[-1] + gap_ms) if self._presses else now
        self._presses += range(first, first + count * gap_ms, gap_ms)

    def sound(self, at: int) -> float:
        return 1.0 if self._presses and self._presses[0] <= at < self._presses[0] + PRESS_MS else 0.0

    def sample(self, now: int) -> int | None:
        while self._presses and now >= self._presses[0] + PRESS_MS:
            self._presses.popleft()
        if self._spoiled is None:  # asked at each turn: a sound pin costs next to nothing
            level = 1 if self._presses and now >= self._presses[0] else 0
        else:
            level = int(self.reading(now) >= 0.5)
        if level == self._told:
            return None
        self._told = level
        return level

    def booted(self) -> None:
        """The terminal has started anew, and takes the pin for open until it is told."""
        self._told = 0

    def resting(self) -> bool:
        """Whether all presses that were asked for are over."""
        return not self._presses

    def deadline(self, now: int) -> int | None:
        begin = self._presses[0] if self._presses else None
        pressed = None if begin is None else begin if now < begin else begin + PRESS_MS
        moved = self.moves(now)
        return moved if pressed is None else pressed if moved is None else min(pressed, moved)


class SmokeSensor(Faulty):
    """A chamber in which the smoke follows a curve, sampled every SAMPLE_MS; after CHANGING_MS of one curve without a
    fault, every `rest_ms`."""

    SENSOR = SMOKE

    def __init__(self, rest_ms: int = SAMPLE_MS) -> None:
        super().__init__()
        # Since when it follows which: the last one counts, those before it are for sensors that are slow.
        self._curves: deque[tuple[int, Curve]] = deque([(-CHANGING_MS, SMOKE_CURVES["clear"])], maxlen=CURVES_MAX)
        self._next = 0
        self._rest_ms = rest_ms

    def follow(self, curve: Curve, now: int) -> None:
        """From `now` on the chamber sees `curve`, from its beginning."""
        self._curves.append((now, curve))
        self._next = now

    def spoil(self, fault: Fault, random: Random, now: int) -> None:
        super().spoil(fault, random, now)
        self._next = now

    def heal(self, now: int) -> None:
        super().heal(now)
        self._next = now

    def sound(self, at: int) -> float:
        begun, curve = self._curves[-1]
        if at < begun:
            begun, curve = next((one for one in reversed(self._curves) if one[0] <= at), self._curves[0])
        return curve(at - begun)

    def sample(self, now: int) -> int | None:
        if now < self._next:
            return None
        changing = self._fault is not None or now - self._curves[-1][0] < CHANGING_MS
        self._next = now + (SAMPLE_MS if changing else self._rest_ms)
        return round(self.reading(now))

    def deadline(self, now: int) -> int | None:
        return self._next
