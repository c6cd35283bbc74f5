"""The sensors of played terminals: pins that are moved, and what follows a curve; each may have a fault."""

from __future__ import annotations

from collections import deque
from random import Random
from typing import ClassVar, Final

from sim.sensor_faults.fault import Fault, Sensor, Signal
from sim.sensor_faults.library import CONTACT, GAS, SMOKE, WATER
from sim.stimuli import GAS_CURVES, SMOKE_CURVES, WATER_CURVES, Curve

PRESS_MS: Final = 150  # how long a finger stays; the button asks for 30
HOLD_MS: Final = 4000  # and when it means to take the call back; the button asks for 3 s
PASS_MS: Final = 6000  # somebody walks through a room at 1 m/s, and the detector holds for 2 s more
SAMPLE_MS: Final = 1000  # of what measures, as its firmware is meant to be run
CHANGING_MS: Final = 120_000  # a curve moves for seconds, and its alarm is over a minute after it
CURVES_MAX: Final = 16  # that a slow sensor may still have to remember


class Faulty:
    """What a sensor sees, with a fault on top while it has one. Times are monotonic ms."""

    SENSOR: ClassVar[Sensor]
    ENDS: ClassVar[bool]  # whether what it raises is over by itself

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


class PinSensor(Faulty):
    """A pin that is moved, now or in time to come."""

    SENSOR = CONTACT
    ENDS = False
    BEGINS_TOLD: ClassVar[int | None] = None  # what a terminal takes it for when it starts; None: it looks

    def __init__(self) -> None:
        super().__init__()
        self._moves: deque[tuple[int, int]] = deque()  # when, and to which level
        self._level = 0  # as of the last move that is over
        self._told: int | None = self.BEGINS_TOLD  # the level as last sampled

    def act(self, action: str, now: int, presses: int = 1, every_ms: int = SAMPLE_MS) -> None:
        """Something is done with it. Raises KeyError for what cannot be."""
        raise NotImplementedError

    def sound(self, at: int) -> float:
        level = self._level
        for moves_ms, moved in self._moves:
            if at < moves_ms:
                break
            level = moved
        return float(level)

    def sample(self, now: int) -> int | None:
        while self._moves and now >= self._moves[0][0]:
            self._level = self._moves.popleft()[1]
        # Asked at each turn: a sound pin costs next to nothing.
        level = self._level if self._spoiled is None else int(self.reading(now) >= 0.5)
        if level == self._told:
            return None
        self._told = level
        return level

    def booted(self) -> None:
        """The terminal has started anew."""
        self._told = self.BEGINS_TOLD

    def resting(self) -> bool:
        """Whether all that was asked for is over."""
        return not self._moves

    def deadline(self, now: int) -> int | None:
        moves_ms = self._moves[0][0] if self._moves else None
        moved = self.moves(now)
        return moved if moves_ms is None else moves_ms if moved is None else min(moves_ms, moved)

    def _hold(self, begin: int, lasts_ms: int) -> None:
        self._moves += ((begin, 1), (begin + lasts_ms, 0))


class ButtonSensor(PinSensor):
    """A pin that presses hold down."""

    BEGINS_TOLD = 0
    _LASTS_MS: ClassVar[dict[str, int]] = {"press": PRESS_MS, "long_press": HOLD_MS}

    def __init__(self) -> None:
        super().__init__()
        self._last = (0, 0)  # when the last press begins and ends

    def act(self, action: str, now: int, presses: int = 1, every_ms: int = SAMPLE_MS) -> None:
        """Presses so many times from `now` on, `every_ms` apart, after those already to come."""
        lasts_ms = self._LASTS_MS[action]
        gap_ms = max(every_ms, lasts_ms + PRESS_MS)
        begin, end = self._last
        first = max(now, begin + every_ms, end + PRESS_MS) if self._moves else now
        for begin in range(first, first + presses * gap_ms, gap_ms):
            self._hold(begin, lasts_ms)
            self._last = begin, begin + lasts_ms


class MotionSensor(PinSensor):
    """The pin of a passive infrared detector, before which people pass."""

    _LASTS_MS: ClassVar[dict[str, int]] = {"pass": PASS_MS}

    def act(self, action: str, now: int, presses: int = 1, every_ms: int = SAMPLE_MS) -> None:
        """Somebody passes; whoever does while it still sees the last one is not told apart."""
        self._moves = deque(move for move in self._moves if move[0] <= now)
        self._hold(now, self._LASTS_MS[action])


class DoorSensor(PinSensor):
    """The contact of a door."""

    _LEVELS: ClassVar[dict[str, int]] = {"open": 1, "close": 0}

    def act(self, action: str, now: int, presses: int = 1, every_ms: int = SAMPLE_MS) -> None:
        """The door is opened or closed."""
        self._moves.append((now, self._LEVELS[action]))


class CurveSensor(Faulty):
    """What measures something that follows a curve, sampled every SAMPLE_MS; after CHANGING_MS of one curve without a
    fault, every `rest_ms`."""

    ENDS = True
    CURVES: ClassVar[dict[str, Curve]]
    AT_REST: ClassVar[str]

    def __init__(self, rest_ms: int = SAMPLE_MS) -> None:
        super().__init__()
        # Since when it follows which: the last one counts, those before it are for sensors that are slow.
        self._curves: deque[tuple[int, Curve]] = deque([(-CHANGING_MS, self.CURVES[self.AT_REST])], maxlen=CURVES_MAX)
        self._next = 0
        self._rest_ms = rest_ms

    def act(self, action: str, now: int, presses: int = 1, every_ms: int = SAMPLE_MS) -> None:
        """It follows the curve of this name. Raises KeyError for one that there is not."""
        self.follow(self.CURVES[action], now)

    def follow(self, curve: Curve, now: int) -> None:
        """From `now` on it sees `curve`, from its beginning."""
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

    def booted(self) -> None:
        """The terminal has started anew."""

    def resting(self) -> bool:
        """Always: a curve may go on for ever."""
        return True


class SmokeSensor(CurveSensor):
    """A chamber with smoke in it."""

    SENSOR = SMOKE
    CURVES = SMOKE_CURVES
    AT_REST = "clear"


class GasSensor(CurveSensor):
    """The cell of a gas alarm."""

    SENSOR = GAS
    CURVES = GAS_CURVES
    AT_REST = "no_gas"


class FloodSensor(CurveSensor):
    """The electrodes of a flood alarm; they read the same either way."""

    SENSOR = WATER
    CURVES = WATER_CURVES
    AT_REST = "dry"


# By kind of terminal; a pin takes no `rest_ms`.
PINS: Final[dict[str, type[PinSensor]]] = {"button": ButtonSensor, "motion": MotionSensor, "door": DoorSensor}
MEASURES: Final[dict[str, type[CurveSensor]]] = {"smoke": SmokeSensor, "gas": GasSensor, "flood": FloodSensor}
SENSORS: Final[dict[str, type[PinSensor | CurveSensor]]] = {**PINS, **MEASURES}


def sensor_of(kind: str, rest_ms: int) -> PinSensor | CurveSensor:
    """The sensor of a terminal of this kind. Raises KeyError for another."""
    return PINS[kind]() if kind in PINS else MEASURES[kind](rest_ms)
