"""One terminal whose sensor goes wrong, its real firmware and the real core, until the home says so; beside it, plain
rules of the literature.

Between terminal and core there is no link here: what is lost or late on one is not what this is about.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from statistics import fmean, pstdev
from typing import Final

from devices.button import Button
from devices.logic import Logic
from devices.smoke import Smoke
from gateway.home.actions import action
from gateway.home.book import SUSPECT
from gateway.home.core import Home
from gateway.home.lifecycle import LAPSE_MS
from gateway.home.messages import Alive, Commit, Effect, Reading, Siren
from gateway.home.roster import Roster, Terminal
from protocol.record import Event, Now, Source
from protocol.wire import codes
from protocol.words import RAISED, UPDATED
from sim.sensor_faults.fault import Fault, Signal
from sim.sensors import PRESS_MS

BEAT_MS: Final = 66_000  # what a gateway asks of a terminal that must be missed within 200 s
READ_MS: Final = 11_000  # a chamber is read each second; a tenth of that is enough here, and as often at each heartbeat
LEARNT_MS: Final = 3 * 24 * 3_600_000 // BEAT_MS * BEAT_MS  # of order, before anything goes wrong
NEIGHBOUR_MDB_M: Final = 5

_ROSTER: Final = Roster(
    (
        Terminal("smoke-1", "smoke", "kitchen", "native"),
        Terminal("smoke-2", "smoke", "hall", "native"),
        Terminal("button-1", "button", "bedroom", "native"),
    )
)


@dataclass(frozen=True)
class Run:
    """What came of one fault: after how many ms the home told of it (None: it did not), and when the plain rules did;
    and whether an alarm in its midst was raised, sounded, and marked as suspect just where a fault stood."""

    noticed_ms: int | None
    plain_ms: int | None
    alarm_ms: int | None  # when the terminal's own alarm first stood
    alarm_kept: bool


class PlainRules:
    """Three sigma and a window: a reading beyond mean +- 3 sigma of what was learnt; or a window without any change, or
    with three times the deviation.

    Source: the rule-based methods SHORT, CONSTANT and NOISE of Sharma et al. 2010, with the usual three sigma for a
    threshold; the window is theirs in kind, its length this project's.
    """

    WINDOW: Final = 16

    def __init__(self, learnt: Sequence[int]):
        self._mean, self._sigma = fmean(learnt), pstdev(learnt)
        self._window: deque[int] = deque(maxlen=self.WINDOW)

    def take(self, value: int) -> bool:
        """Whether this reading tells of a fault."""
        window = self._window
        window.append(value)
        if abs(value - self._mean) > 3 * self._sigma:
            return True
        if len(window) < self.WINDOW:
            return False
        mean = sum(window) / self.WINDOW
        square = sum(one * one for one in window) / self.WINDOW - mean * mean
        return square <= 0 or square > 9 * self._sigma**2


class Learnt:
    """A home that has known its terminals in order for LEARNT_MS; each fault begins with a copy of it."""

    def __init__(self, signal: Signal):
        self._signal = signal
        self._home = Home("gw-1", 2**40, 1, _ROSTER, now=_at(0))
        self._logic = Smoke()
        values = []
        for t_ms in range(0, LEARNT_MS, BEAT_MS):
            self._logic.step(round(signal(t_ms)), t_ms)
            values.append(self._logic.value())
            self._home.handle(_alive("smoke-1", self._logic), _at(t_ms))
            self._home.handle(_neighbour(), _at(t_ms))
        self._plain = PlainRules(values)

    def run(self, fault: Fault, random: Random, lasts_ms: int, read_ms: int = READ_MS, beat_ms: int = BEAT_MS) -> Run:
        """What comes of `fault` within `lasts_ms` of its beginning; the sensor is read every `read_ms`, and heard every
        `beat_ms`, a multiple of that."""
        home, logic, plain = copy.deepcopy((self._home, self._logic, self._plain))
        spoiled = fault.apply(lambda t_ms: self._signal(LEARNT_MS + t_ms), random)
        told_bits = 0
        plain_ms = alarm_ms = None
        for t_ms in range(0, lasts_ms, read_ms):
            now = _at(LEARNT_MS + t_ms)
            effects = _said(home, "smoke-1", logic, round(spoiled(t_ms)), now)
            if effects and alarm_ms is None:
                alarm_ms = t_ms
            beat = t_ms % beat_ms == 0
            if beat or logic.conditions() != told_bits:
                told_bits = logic.conditions()
                effects += home.handle(_alive("smoke-1", logic), now)
            if beat:
                home.handle(_neighbour(), now)
            by_rule = beat and plain.take(logic.value())
            if plain_ms is None and (by_rule or told_bits & codes.SENSOR_FAULT):
                plain_ms = t_ms
            if _tells(effects):
                return Run(t_ms, plain_ms, alarm_ms, _keeps_alarm(home, "smoke-1", LEARNT_MS + t_ms + 1))
        return Run(None, plain_ms, alarm_ms, _keeps_alarm(home, "smoke-1", LEARNT_MS + lasts_ms))


def pressed(fault: Fault, random: Random, lasts_ms: int) -> Run:
    """What comes of a fault of a button that is pressed when it begins; a plain rule is what it says itself."""
    home, logic = Home("gw-1", 2**40, 1, _ROSTER, now=_at(0)), Button()
    contact = fault.apply(lambda t_ms: float(0 <= t_ms < PRESS_MS), random)
    told_bits = 0
    for t_ms in [*range(0, 1_000, 5), *range(1_000, lasts_ms, 500)]:
        effects = _said(home, "button-1", logic, int(contact(t_ms) >= 0.5), _at(t_ms))
        if logic.conditions() != told_bits:
            told_bits = logic.conditions()
            effects += home.handle(_alive("button-1", logic), _at(t_ms))
        if _tells(effects):
            return Run(t_ms, t_ms, None, _keeps_alarm(home, "button-1", t_ms + LAPSE_MS))
    return Run(None, None, None, _keeps_alarm(home, "button-1", lasts_ms + LAPSE_MS))


def _at(ms: int) -> Now:
    return Now(1_800_000_000_000 + ms, ms)


def _alive(terminal: str, logic: Logic) -> Alive:
    bits = logic.conditions()
    return Alive(terminal, False, False, bool(bits & codes.SENSOR_FAULT), value=logic.value())


def _neighbour() -> Alive:
    return Alive("smoke-2", False, False, False, value=NEIGHBOUR_MDB_M)


def _said(home: Home, terminal: str, logic: Logic, sample: int, now: Now) -> list[Effect]:
    """A sample, and what the core makes of the events that it brings."""
    effects: list[Effect] = []
    for kind, phase, _ in logic.step(sample, now.mono_ms):
        effects += home.handle(Reading(terminal, codes.KINDS[kind], codes.PHASES[phase], "heard"), now)
    return effects


def _events(effects: list[Effect]) -> Iterator[Event]:
    return (event for effect in effects if isinstance(effect, Commit) for event in effect.events)


def _tells(effects: list[Effect]) -> bool:
    """Whether a fault of the sensor is told."""
    return any((event.kind, event.phase) == ("sensor_fault", RAISED) for event in _events(effects))


def _keeps_alarm(home: Home, terminal: str, t_ms: int) -> bool:
    """Whether an alarm that the terminal says now is an event, sounds, and is marked just where a fault stands."""
    now = _at(t_ms)
    kind, _, _ = terminal.partition("-")
    faulty = any(alarm["kind"] == "sensor_fault" for alarm in home.alarms(now))
    stood = any(alarm["kind"] == kind for alarm in home.alarms(now))
    effects = home.handle(Reading(terminal, kind, RAISED, "held", Source(1, 1)), now)
    events = [event for event in _events(effects) if event.kind == kind]
    sounds = not action(kind).siren or stood or Siren(True, kind) in effects
    phase = UPDATED if stood else RAISED
    return [event.phase for event in events] == [phase] and sounds and (SUSPECT in events[0].flags) == faulty
