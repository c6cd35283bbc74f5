"""Played terminals: the devices' own code and link, what acts on their sensors, and a record of what was promised."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from devices import gas, smoke
from devices.kinds import LOGICS
from devices.logic import Logic
from devices.terminal import Terminal
from protocol.wire import codes
from protocol.wire.terminal_end import TerminalEnd
from sim.line import stream
from sim.mishaps import MISHAPS, BrownOut, Twin, Wild
from sim.sensor_faults.library import HEALED, made
from sim.sensor_faults.library import NAMES as FAULTS
from sim.sensors import SAMPLE_MS, CurveSensor, PinSensor, sensor_of
from sim.stimuli import Curve

BATTERY_FULL_PCT: Final = 100
BATTERY_WEAK_PCT: Final = 8
SAMPLES_MAX: Final = 100_000  # of one sensor that are kept to be looked at: a day of a chamber's


@dataclass(slots=True)
class Promise:
    """An event that a terminal has taken upon itself to deliver; times are monotonic ms of the simulation."""

    terminal: str
    boot: int
    number: int
    kind: str
    phase: str
    offered_ms: int
    acknowledged_ms: int | None = None
    gone: str = ""  # why it will never be repeated: "battery" pulled first, "crowded" out, "brown_out", "removed"


# Told of a promise when it is "offered", "acknowledged" or "crowded" out of a full queue.
Notice = Callable[[Promise, str], None]


def unnoticed(promise: Promise, what: str) -> None:
    """Nobody looks."""


class WatchedEnd(TerminalEnd):
    """A terminal's end of the link that notes each event offered to it and each that came to be acknowledged."""

    def __init__(
        self,
        name: str,
        kind_code: int,
        address: int,
        key: bytes,
        random: Callable[[int], bytes],
        now: int,
        notice: Notice,
    ):
        super().__init__(address, kind_code, key, random, now)
        self._name = name
        self._notice = notice
        self.promises: list[Promise] = []
        self._open: list[Promise] = []

    def offer(self, kind_code: int, phase_code: int, value: int, now: int) -> int:
        number: int = super().offer(kind_code, phase_code, value, now)
        promise = Promise(self._name, self.boot, number, codes.KINDS[kind_code], codes.PHASES[phase_code], now)
        self.promises.append(promise)
        self._open.append(promise)
        self._notice(promise, "offered")
        self._review("crowded", None)
        return number

    def receive(self, data: bytes, now: int) -> bool:
        mine: bool = super().receive(data, now)
        if mine:
            self._review("", now)
        return mine

    def abandon(self, why: str) -> None:
        """What is open will never be repeated."""
        for promise in self._open:
            promise.gone = why
        self._open.clear()

    def rage(self, now: int) -> None:
        """All there is to say is due now, whatever was said a moment ago."""
        for timer in (self._event, self._heartbeat):
            if timer.at_ms is not None:
                timer.start(now)

    def _review(self, gone: str, acknowledged_ms: int | None) -> None:
        """What the link holds no longer was acknowledged, or had to make room."""
        if len(self._open) == self.pending():
            return
        held = set(self.held())
        for promise in [promise for promise in self._open if promise.number not in held]:
            promise.gone, promise.acknowledged_ms = gone, acknowledged_ms
            self._open.remove(promise)
            self._notice(promise, gone or "acknowledged")


class Played:
    """One terminal of a played home. Pure: bytes and the time (monotonic ms) in, bytes out."""

    def __init__(
        self,
        name: str,
        kind: str,
        address: int,
        key: bytes,
        seed: int,
        now: int,
        notice: Notice = unnoticed,
        rest_ms: int = SAMPLE_MS,
    ):
        self.name = name
        self.kind = kind
        self.sensor = sensor_of(kind, rest_ms)
        self._notice = notice
        self.alive = True
        self.samples: deque[tuple[int, int]] = deque(maxlen=SAMPLES_MAX)  # (mono ms, value) since `watch`
        self._watched = False
        self.address = address
        self._key = key
        self._seed = seed
        self._rest_ms = rest_ms
        self._chance = stream(seed, f"mishaps/{name}")
        self._random = stream(seed, f"terminal/{name}").randbytes
        self._faults = stream(seed, f"sensor/{name}")
        self._brown_out: BrownOut | None = None
        self._wild: Wild | None = None
        self._cries = False  # the last that it said of its alarm, in its rage
        self._twin: Twin | None = None
        self._twins = 0
        self._says = {**_TROUBLES, codes.ALARM_STANDING: kind}
        self._conditions = 0
        self._battery_pct = BATTERY_FULL_PCT
        self._past: list[Promise] = []
        self._turned_ms = now  # when its last turn was
        self._kept: tuple[int, ...] = ()  # what outlives a restart of it
        self._boot(now, warm=True)  # it has been there for long

    def _boot(self, now: int, warm: bool) -> None:
        self._logic: Logic = LOGICS[self.kind](self._kept, warm)
        self.sensor.booted()
        self._end = WatchedEnd(self.name, self._logic.KIND, self.address, self._key, self._random, now, self._notice)
        self._terminal = Terminal(self._end, self._logic)

    def _reboot(self, now: int, why: str, kept: tuple[int, ...] | None = None) -> None:
        """With what its logic keeps, or what another's has kept."""
        self._end.abandon(why)
        self._past += self._end.promises
        self._kept = self._logic.kept() if kept is None else kept
        self._boot(now, warm=why == "brown_out")

    def promises(self) -> list[Promise]:
        """Every event it was asked to deliver, in order, over all of its boots; and those of its twins."""
        twin = self._twin.played.promises() if self._twin else []
        return self._past + self._end.promises + twin

    def watch(self) -> None:
        """From now on keeps what its sensor sees, in `samples`; of a contact, when it moves."""
        self._watched = True

    def online(self) -> bool:
        """Whether it has a session with the gateway."""
        return self.alive and bool(self._end.online())

    def pending(self) -> int:
        """Events that it still holds and can repeat, or its twin."""
        twin = self._twin.played.pending() if self._twin else 0
        return twin + (int(self._end.pending()) if self.alive else 0)

    def removed(self) -> list[Promise]:
        """It is taken off the line for good; what it promised."""
        self._end.abandon("removed")
        return self.promises()

    def mute(self) -> bool:
        """Whether nothing genuine comes from its address."""
        return not self.alive and self._twin is None

    def standing(self) -> frozenset[str]:
        """The kinds of alarm and trouble that stand at the terminal itself, now."""
        bits = self._conditions | self._logic.conditions()
        return frozenset(kind for bit, kind in self._says.items() if bits & bit)

    def sign(self) -> tuple[int | None, bool | None]:
        """Of one that watches for life: when its last sign was (mono ms, to a second), and whether its door is open."""
        age_s = self._logic.value()
        active = bool(self._logic.conditions() & codes.ACTIVE)
        return None if age_s < 0 else self._turned_ms - age_s * 1000, active if self.kind == "door" else None

    def resting(self) -> bool:
        """Whether every press that it was given is over, and every mishap, and its sensor is warm; what a sensor
        measures may go on for ever."""
        if self._brown_out or self._wild or self._twin:
            return False
        if self.alive and self._logic.conditions() & codes.WARMING_UP:
            return False
        return self.sensor.resting()

    def do(
        self, action: str, now: int, presses: int = 1, every_ms: int = SAMPLE_MS, strength: int = 0, sign: int = 1
    ) -> None:
        """One action of a case: of the terminal itself, or on its sensor, or a fault of that."""
        if action in _CONDITIONS:
            self._conditions, self._battery_pct = _CONDITIONS[action](self._conditions, self._battery_pct)
        elif action == "test":
            self._terminal.test(now)
        elif action in SAID:
            self._end.offer(self._logic.KIND, codes.PHASES.index(action), 0, now)
        elif action in ("dead", "alive"):
            self.alive = action == "alive"
        elif action == "battery_changed":
            self._conditions &= ~codes.BATTERY_LOW
            self._battery_pct = BATTERY_FULL_PCT
            self._reboot(now, "battery")
        elif action in ("worn_out", "replaced"):
            self._reboot(now, "battery", WORN_OUT[self.kind] if action == "worn_out" else ())
        elif action == HEALED:
            self.sensor.heal(now)
        elif action in FAULTS:
            self.sensor.spoil(made(action, strength, self.sensor.SENSOR, sign), self._faults, now)
        elif action in MISHAPS:
            self._befall(action, now)
        else:
            self.sensor.act(action, now, presses, every_ms)

    def expose(self, curve: Curve, now: int) -> None:
        """From `now` on what it measures follows `curve`; a pin follows none."""
        if isinstance(self.sensor, CurveSensor):
            self.sensor.follow(curve, now)

    def hears(self, received: bytes, now: int) -> bool:
        """Take what came from the line; whether a turn is due because of it."""
        twin_hears = self._twin is not None and self._twin.played.hears(received, now)
        return (self._is_on() and self._terminal.hears(received, now)) or twin_hears

    def step(self, received: bytes, now: int) -> bytes:
        """One turn of its loop; a dead terminal hears and says nothing."""
        if not self._ails:
            return self._turn(received, now) if self.alive else b""
        twin = self._twin.step(received, now) if self._twin else b""
        if self._brown_out is not None and self._brown_out.falls(now):
            self._reboot(now, "brown_out")
        if not self._is_on():
            return twin
        if self._wild is not None and self._wild.strikes(now):
            self._rave(now)
        return twin + self._turn(received, now)

    def _turn(self, received: bytes, now: int) -> bytes:
        self._turned_ms = now
        sample = self.sensor.sample(now)
        if self._watched and sample is not None:
            self._keep(sample, now)
        return self._terminal.step(received, sample, self._conditions, self._battery_pct, now)

    def deadline(self, now: int) -> int | None:
        """When the next turn is due without new bytes."""
        if not self._ails:
            return self._due(now) if self.alive else None
        due = []
        if self._is_on():
            due = [self._due(now)] if self._wild is None else [self._due(now), self._wild.next_ms]
        due += [self._twin.deadline(now)] if self._twin else []
        due += [self._brown_out.next_ms] if self._brown_out else []
        return min(due, default=None)

    def _due(self, now: int) -> int:
        due, sensor = self._terminal.deadline(), self.sensor.deadline(now)
        return due if sensor is None else min(due, sensor)

    # --- mishaps ---

    def _is_on(self) -> bool:
        return self.alive and not (self._brown_out and self._brown_out.off)

    @property
    def _ails(self) -> bool:
        return bool(self._brown_out or self._wild or self._twin)

    def _befall(self, mishap: str, now: int) -> None:
        match mishap:
            case "brown_out":
                self._brown_out = BrownOut(self._chance, now)
            case "steady":
                self._brown_out = None
            case "babble":
                self._wild = Wild(now)
            case "quiet":
                self._calm_down(now)
            case "twin":
                self._clone(now)
            case "untwin":
                self._unclone()

    def _rave(self, now: int) -> None:
        """One event more of a wild logic; a smoke alarm cries and recants by turns."""
        over = self._cries and self.sensor.ENDS
        self._cries = not over
        self._end.offer(self._logic.KIND, codes.PHASES.index("restored" if over else "raised"), 0, now)
        self._end.rage(now)

    def _calm_down(self, now: int) -> None:
        """The wild logic comes to its senses: what it says last is what is so."""
        stands = bool(self._logic.conditions() & codes.ALARM_STANDING)
        if self._wild is not None and self.sensor.ENDS and stands != self._cries:
            self._rave(now)
        self._wild = None

    def _clone(self, now: int) -> None:
        self._unclone()
        self._twins += 1
        seed = stream(self._seed, f"twin/{self.name}/{self._twins}").getrandbits(32)
        played = Played(self.name, self.kind, self.address, self._key, seed, now, self._notice, self._rest_ms)
        self._twin = Twin(played, self._chance, now)

    def _unclone(self) -> None:
        twin, self._twin = self._twin, None
        if twin is not None:
            self._past += twin.played.removed()

    def _keep(self, sample: int, now: int) -> None:
        if isinstance(self.sensor, PinSensor):
            self.samples.append((now, 1 - sample))  # a contact moves at once
        self.samples.append((now, sample))


# What the logic of one that has served its time has kept; another of its kind is put in its place.
WORN_OUT: Final[dict[str, tuple[int, ...]]] = {"smoke": (smoke.LIFE_MS, 0), "gas": (gas.LIFE_MS,)}

# Phases that no sensor here comes to by itself: those of firmware that tells how its alarm goes on.
SAID: Final = ("updated", "restored")

_TROUBLES: Final = {codes.TAMPER: "tamper", codes.BATTERY_LOW: "battery_low", codes.SENSOR_FAULT: "sensor_fault"}

# What an action makes of the conditions' bits and the battery's percentage.
_CONDITIONS: Final[dict[str, Callable[[int, int], tuple[int, int]]]] = {
    "tamper": lambda bits, pct: (bits | codes.TAMPER, pct),
    "untamper": lambda bits, pct: (bits & ~codes.TAMPER, pct),
    "battery_low": lambda bits, pct: (bits | codes.BATTERY_LOW, BATTERY_WEAK_PCT),
}
